package sink

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"tocsin/topics"
)

// Get returns an alert with its history and evidence, or ErrNotFound. An alert of another organisation is not found.
func (q *Queries) Get(ctx context.Context, scope Scope, id string) (*Detail, error) {
	if !isAlertID(id) {
		return nil, fmt.Errorf("alert id %.64q is not 32 lower-case hex digits", id)
	}
	var d Detail
	err := q.scoped(ctx, scope, func(tx pgx.Tx) (err error) {
		row := tx.QueryRow(ctx, `SELECT `+storedColumns+`, record FROM alerts
			WHERE id = $1 AND ($2 OR organization = $3)`, id, scope.Operator, scope.Organization)
		if d.Stored, _, err = scanStored(row, scope); errors.Is(err, pgx.ErrNoRows) {
			return ErrNotFound
		} else if err != nil {
			return err
		}
		if d.History, err = history(ctx, tx, id); err != nil {
			return err
		}
		d.Evidence, err = copies(ctx, tx, id)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("alert %s: %w", id, err)
	}
	d.fillIDs()
	return &d, nil
}

// fillIDs gives events whose id was too long for the alert the id found in their record.
func (d *Detail) fillIDs() {
	ids := make(map[place]string)
	for _, c := range d.Evidence {
		ids[place{c.Topic, c.Partition, c.Offset}] = c.ID
	}
	for i := range d.Alert.Evidence {
		if e := &d.Alert.Evidence[i]; e.ID == "" {
			e.ID = ids[place{e.Topic, e.Partition, e.Offset}]
		}
	}
}

func history(ctx context.Context, tx pgx.Tx, id string) ([]Change, error) {
	rows, err := tx.Query(ctx, `
		SELECT at, actor, kind, coalesce(from_status, ''), coalesce(to_status, ''), note, coalesce(revision, 0),
			coalesce(state, ''), coalesce(count, 0)
		FROM alert_history WHERE alert_id = $1 ORDER BY seq`, id)
	if err != nil {
		return nil, fmt.Errorf("read history: %w", err)
	}
	changes, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (c Change, err error) {
		err = row.Scan(&c.At, &c.Actor, &c.Kind, &c.FromStatus, &c.ToStatus, &c.Note, &c.Revision, &c.State, &c.Count)
		c.At = c.At.UTC()
		return c, err
	})
	return changes, wrap("read history", err)
}

func copies(ctx context.Context, tx pgx.Tx, id string) ([]Copy, error) {
	rows, err := tx.Query(ctx, `
		SELECT role, event_id, event_id_sha256, topic, partition, "offset", event_unix_nanos, hash, outcome, status,
			detail, record_time, key, header_keys, header_values, value, coalesce(record_bytes, 0), value_sha256,
			record_sha256
		FROM alert_evidence WHERE alert_id = $1 ORDER BY event_unix_nanos, topic, partition, "offset"`, id)
	if err != nil {
		return nil, fmt.Errorf("read evidence: %w", err)
	}
	all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (c Copy, err error) {
		var (
			nanos        int64
			keys, values [][]byte
		)
		err = row.Scan(&c.Role, &c.ID, &c.IDSHA256, &c.Topic, &c.Partition, &c.Offset, &nanos, &c.Hash, &c.Outcome,
			&c.Status, &c.Detail, &c.RecordTime, &c.Key, &keys, &values, &c.Value, &c.RecordBytes, &c.ValueSHA256,
			&c.RecordSHA256)
		c.Timestamp = topics.Timestamp(nanos)
		c.RecordTime = inUTC(c.RecordTime)
		for i := range min(len(keys), len(values)) {
			c.Headers = append(c.Headers, topics.Header{Key: string(keys[i]), Value: values[i]})
		}
		return c, err
	})
	return all, wrap("read evidence", err)
}

func inUTC(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	u := t.UTC()
	return &u
}
