package sink

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"tocsin/topics"
)

const (
	// copyRows bounds what one round copies, and with maxRecordBytes the memory it takes.
	copyRows = 256
	// copyTries is how often a record that ought to be there, but is not, is asked for before it counts as gone.
	copyTries = 10
)

// copier copies evidence records from their topics for one [Sink.Run]. Its queue is the pending rows of
// alert_evidence; several copiers share it out among themselves by skipping locked rows.
type copier struct {
	*Sink
	fetch  *fetcher
	signal chan struct{}
}

func (s *Sink) newCopier() (*copier, error) {
	f, err := s.newFetcher()
	if err != nil {
		return nil, err
	}
	return &copier{Sink: s, fetch: f, signal: make(chan struct{}, 1)}, nil
}

func (c *copier) close() { c.fetch.client.Close() }

// wake says that there is something new in the queue. It never blocks.
func (c *copier) wake() {
	select {
	case c.signal <- struct{}{}:
	default:
	}
}

func (c *copier) run(ctx context.Context) error {
	pause := c.newPause()
	for {
		n, err := c.round(ctx)
		wait := c.cfg.EvidenceEvery
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			c.ill(copying, fmt.Errorf("copy evidence: %w", withRemedy(err)))
			wait = pause.NextBackOff()
		default:
			c.well(copying)
			pause.Reset()
		}
		if err == nil && n == copyRows {
			continue // there may be more
		}
		c.countPending(ctx)
		if err := c.idle(ctx, wait, err == nil); err != nil {
			return err
		}
	}
}

// idle waits until it is time for the next round; new work cuts it short unless the last round failed.
func (c *copier) idle(ctx context.Context, wait time.Duration, wakeable bool) error {
	signal := c.signal
	if !wakeable {
		signal = nil
	}
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
	case <-signal:
	}
	return nil
}

// wanted is a pending row.
type wanted struct {
	alertID string
	place
	eventID, eventIDSHA256 string
	eventTime              int64 // Unix nanoseconds
	attempts               int
}

// place is where a record lies.
type place struct {
	topic     string
	partition int32
	offset    int64
}

// round copies what a few pending rows ask for, in one transaction: the rows stay locked until they are settled, so a
// crash leaves them pending. It returns how many rows it took.
func (c *copier) round(ctx context.Context) (taken int, err error) {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.BatchTimeout)
	defer cancel()
	settled := make(map[string]int)
	err = c.cfg.Database.transact(ctx, func(q statements) error {
		rows, err := q.takePending(ctx, copyRows)
		if err != nil || len(rows) == 0 {
			return err
		}
		taken = len(rows)
		if err := c.cfg.Probe(PointTaken); err != nil {
			return err
		}
		places := make(map[place]struct{})
		for i := range rows {
			places[rows[i].place] = struct{}{}
		}
		found := c.fetch.records(ctx, slices.SortedFunc(maps.Keys(places), comparePlaces))
		if err := errors.Join(ctx.Err(), c.cfg.Probe(PointFetched)); err != nil {
			return err
		}
		if settled, err = settle(ctx, q, rows, found); err != nil {
			return err
		}
		return c.cfg.Probe(PointSettled)
	})
	if err != nil {
		return 0, err
	}
	for status, n := range settled {
		c.metrics.evidence.WithLabelValues(status).Add(float64(n))
	}
	return taken, nil
}

// takePending implements statements.
func (t postgresTx) takePending(ctx context.Context, limit int) ([]wanted, error) {
	rows, err := t.tx.Query(ctx, `
		SELECT alert_id, topic, partition, "offset", event_id, event_id_sha256, event_unix_nanos, attempts
		FROM alert_evidence WHERE status = 'pending' AND next_try <= now()
		ORDER BY next_try LIMIT $1 FOR UPDATE SKIP LOCKED`, limit)
	if err != nil {
		return nil, fmt.Errorf("take pending evidence: %w", err)
	}
	all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (w wanted, err error) {
		err = row.Scan(&w.alertID, &w.topic, &w.partition, &w.offset, &w.eventID, &w.eventIDSHA256, &w.eventTime,
			&w.attempts)
		return w, err
	})
	slices.SortFunc(all, func(x, y wanted) int {
		return cmp.Or(cmp.Compare(x.alertID, y.alertID), comparePlaces(x.place, y.place))
	})
	return all, wrap("take pending evidence", err)
}

// storedBytes implements statements.
func (t postgresTx) storedBytes(ctx context.Context, ids []string) (map[string]int64, error) {
	if _, err := t.tx.Exec(ctx, `SELECT FROM alerts WHERE id = ANY($1) ORDER BY id FOR NO KEY UPDATE`, ids); err != nil {
		return nil, fmt.Errorf("lock alerts for their evidence: %w", err)
	}
	sums, err := t.tx.Query(ctx, `
		SELECT alert_id, sum(stored_bytes)::bigint FROM alert_evidence
		WHERE alert_id = ANY($1) GROUP BY alert_id`, ids)
	if err != nil {
		return nil, fmt.Errorf("measure stored evidence: %w", err)
	}
	stored := make(map[string]int64)
	var (
		id  string
		sum int64
	)
	_, err = pgx.ForEachRow(sums, []any{&id, &sum}, func() error {
		stored[id] = sum
		return nil
	})
	return stored, wrap("measure stored evidence", err)
}

// settle decides what becomes of the rows, in their order, and writes it. It returns their number by new status.
func settle(ctx context.Context, q statements, rows []wanted, found map[place]*found) (map[string]int, error) {
	var ids []string
	for i := range rows {
		ids = append(ids, rows[i].alertID)
	}
	stored, err := q.storedBytes(ctx, slices.Compact(ids)) // rows are sorted
	if err != nil {
		return nil, err
	}
	counts := make(map[string]int)
	all := make([]settlement, len(rows))
	for i := range rows {
		w := &rows[i]
		f := found[w.place]
		s := settlement{w, f, f.statusFor(w, stored[w.alertID])}
		if s.status == statusCopied {
			stored[w.alertID] += int64(f.size)
		}
		if s.status != statusPending {
			counts[s.status]++
		}
		all[i] = s
	}
	return counts, q.settle(ctx, all)
}

// settle implements statements.
func (t postgresTx) settle(ctx context.Context, all []settlement) error {
	var q pgx.Batch
	for _, s := range all {
		if s.status == statusPending {
			queuePostpone(&q, s.wanted, s.found.why)
		} else {
			queueSettled(&q, s.wanted, s.found, s.status)
		}
	}
	return wrap("store evidence", t.tx.SendBatch(ctx, &q).Close())
}

// queuePostpone puts a row off for a minute at first, for five in the end.
func queuePostpone(q *pgx.Batch, w *wanted, why string) {
	q.Queue(`
		UPDATE alert_evidence SET attempts = attempts + 1, detail = $5,
			next_try = now() + least(5 * (attempts + 1) * (attempts + 1), 300) * interval '1 second'
		WHERE alert_id = $1 AND topic = $2 AND partition = $3 AND "offset" = $4`,
		w.alertID, w.topic, w.partition, w.offset, topics.Escape(why))
}

func queueSettled(q *pgx.Batch, w *wanted, f *found, status string) {
	args := []any{w.alertID, w.topic, w.partition, w.offset, status, topics.Escape(f.detailFor(status))}
	if status == statusGone {
		q.Queue(`
			UPDATE alert_evidence SET status = $5, detail = $6, settled = now()
			WHERE alert_id = $1 AND topic = $2 AND partition = $3 AND "offset" = $4`, args...)
		return
	}
	var (
		key, value       []byte
		keys, values     [][]byte
		stored           int
		valueSum, recSum = f.valueDigest[:], f.recordDigest[:]
	)
	if status == statusCopied {
		key, value, stored = f.key, f.value, f.size
		keys, values = make([][]byte, len(f.headers)), make([][]byte, len(f.headers))
		for i, h := range f.headers {
			keys[i], values[i] = []byte(h.Key), h.Value
		}
	}
	q.Queue(`
		UPDATE alert_evidence SET status = $5, detail = $6, settled = now(), event_id = $7, record_time = $8, key = $9,
			header_keys = $10, header_values = $11, value = $12, stored_bytes = $13, record_bytes = $14,
			value_sha256 = $15, record_sha256 = $16
		WHERE alert_id = $1 AND topic = $2 AND partition = $3 AND "offset" = $4`,
		append(args, f.eventIDFor(w), f.recordTime, key, keys, values, value, stored, f.size, valueSum, recSum)...)
}

// countPending is for the metric alone: what it cannot find out now it will later.
func (c *copier) countPending(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.BatchTimeout)
	defer cancel()
	var n int64
	err := c.cfg.Database.transact(ctx, func(q statements) (err error) {
		n, err = q.countPending(ctx, 10_000)
		return err
	})
	if err == nil {
		c.metrics.pending.Set(float64(n))
	}
}

// countPending implements statements.
func (t postgresTx) countPending(ctx context.Context, limit int) (n int64, err error) {
	err = t.tx.QueryRow(ctx, `
		SELECT count(*) FROM (SELECT FROM alert_evidence WHERE status = 'pending' LIMIT $1) p`, limit).Scan(&n)
	return n, wrap("count pending evidence", err)
}
