package sink

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"tocsin/topics"
)

// store writes batches into the database. It holds nothing between two calls.
type store struct {
	db          Database
	topic       string
	timeout     time.Duration
	evidenceOff map[string]bool
	probe       func(at Point) error
}

// result is what a stored batch amounted to.
type result struct {
	applied, duplicates, rejected int
	evidence                      int // rows put in the copier's queue
}

// contentError is Postgres refusing a value in a batch for what it is.
type contentError struct {
	sqlstate string
	err      error
}

func (e *contentError) Error() string { return e.err.Error() }
func (e *contentError) Unwrap() error { return e.err }

// fencedError names the partition whose position had moved; it is an errFenced.
type fencedError struct{ partition int32 }

func (e *fencedError) Error() string { return fmt.Sprintf("partition %d: %v", e.partition, errFenced) }
func (e *fencedError) Unwrap() error { return errFenced }

// apply stores a batch in one transaction, or nothing of it. After an error that came while committing, the batch may
// have been stored all the same: the fence of the next try finds out.
func (s *store) apply(ctx context.Context, id topicID, b batch) (result, error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	revisions, rejected := b.flat()
	var res result
	err := s.db.transact(ctx, func(q statements) error {
		if err := s.probe(PointBegun); err != nil {
			return err
		}
		known, err := q.fenceAndLock(ctx, id, b, alertIDs(revisions))
		if err != nil {
			return err
		}
		if err := s.probe(PointLocked); err != nil {
			return err
		}
		plan := newPlan(revisions, known, s.evidenceOff)
		if err := q.write(ctx, id, s.topic, plan, rejected); err != nil {
			return err
		}
		res = result{
			applied: len(plan.applied), duplicates: len(revisions) - len(plan.applied), rejected: len(rejected),
			evidence: plan.pending,
		}
		return s.probe(PointWritten)
	})
	if err != nil {
		return result{}, err
	}
	return res, s.probe(PointCommitted)
}

// alertIDs lists the ids of revisions that are ordered by them.
func alertIDs(revisions []located) []string {
	ids := make([]string, 0, len(revisions))
	for i := range revisions {
		if n := len(ids); n == 0 || ids[n-1] != revisions[i].alert.ID {
			ids = append(ids, revisions[i].alert.ID)
		}
	}
	return ids
}

// stored is what the database knows of an alert.
type stored struct {
	revision int64
	state    string
}

// fenceAndLock implements statements, in one round trip.
func (t postgresTx) fenceAndLock(
	ctx context.Context, id topicID, b batch, ids []string,
) (map[string]stored, error) {
	var q pgx.Batch
	for i := range b {
		q.Queue(`UPDATE sink_offsets SET next = $1, updated = now()
			WHERE topic_id = $2 AND partition = $3 AND next = $4`, b[i].next, id, b[i].partition, b[i].expected)
	}
	q.Queue(`SELECT id, revision, state FROM alerts WHERE id = ANY($1) ORDER BY id FOR UPDATE`, ids)
	answers := t.tx.SendBatch(ctx, &q)
	known, err := readFence(answers, b)
	return known, errors.Join(err, wrap("lock alerts", answers.Close()))
}

func readFence(answers pgx.BatchResults, b batch) (map[string]stored, error) {
	for i := range b {
		tag, err := answers.Exec()
		if err != nil {
			return nil, fmt.Errorf("move position of partition %d: %w", b[i].partition, err)
		}
		if tag.RowsAffected() == 0 {
			return nil, &fencedError{b[i].partition}
		}
	}
	rows, err := answers.Query()
	if err != nil {
		return nil, fmt.Errorf("lock alerts: %w", err)
	}
	known := make(map[string]stored)
	var (
		id string
		k  stored
	)
	_, err = pgx.ForEachRow(rows, []any{&id, &k.revision, &k.state}, func() error {
		known[id] = k
		return nil
	})
	return known, wrap("lock alerts", err)
}

func wrap(doing string, err error) error {
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return nil
}

// kind says what an applied revision is to the people who are told of it.
func kind(before stored, known bool, a *topics.Alert) string {
	switch {
	case a.State == topics.StateMerged:
		return "merged"
	case !known:
		return "opened"
	case a.State == topics.StateClosed:
		return "closed"
	case before.state != topics.StateOpen:
		return "reopened"
	}
	return "updated"
}
