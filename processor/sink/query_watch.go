package sink

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
)

// Happening is a row of an alert's history as it comes, with the alert as it stands now (without evidence): its
// revision may be a later one than the row's.
type Happening struct {
	Change
	Alert Stored `json:"alert"`

	seq int64
	age time.Duration // when it was read, by the database's clock
}

// Bounds on what a [Watch] remembers.
const (
	// watchSettle is how long a row may stay unseen after rows with higher numbers were: numbers are given when a
	// transaction writes, and seen when it commits. The sink gives up a transaction after 30 s by default.
	watchSettle = 2 * time.Minute
	watchMost   = 20_000
	watchPage   = 1000
)

// Watch follows what happens to alerts. Each row of their history is passed on once, those of one transaction together;
// rows of two transactions that overlap may come in the order of their commits. What was committed more than two
// minutes after it was written, or after 20,000 later rows, may be missed.
type Watch struct {
	q      *Queries
	scope  Scope
	filter Filter
	back   time.Duration

	found bool                // floor is known
	first bool                // the rows of before are being read for the first time
	after int64               // where the next page begins
	floor int64               // rows up to this number are settled
	seen  map[int64]time.Time // rows above it that were passed on, and when
}

// Watch begins to follow what happens to the alerts that the filter lets through (its Since, Limit and Cursor are not
// looked at), from back before the database's present on.
func (q *Queries) Watch(scope Scope, f Filter, back time.Duration) *Watch {
	f.Since, f.Cursor = time.Time{}, ""
	return &Watch{q: q, scope: scope, filter: f, back: back, first: true, seen: map[int64]time.Time{}}
}

// Next gives what has happened since the last call, in order, up to a thousand rows; more says that there may be
// further ones already. After an error the next call gives what this one would have given.
func (w *Watch) Next(ctx context.Context, now time.Time) (fresh []Happening, more bool, err error) {
	var page []Happening
	err = w.q.scoped(ctx, w.scope, func(tx pgx.Tx) (err error) {
		if !w.found {
			if err := w.begin(ctx, tx); err != nil {
				return err
			}
		}
		page, err = w.page(ctx, tx)
		return err
	})
	if err != nil {
		return nil, false, wrap("watch alerts", err)
	}
	for _, h := range page {
		if _, known := w.seen[h.seq]; known {
			continue
		}
		w.seen[h.seq] = now
		if !w.first || h.age < w.back {
			fresh = append(fresh, h)
		}
	}
	w.settle(now)
	if more = len(page) == watchPage; more {
		w.after = page[len(page)-1].seq
	} else {
		w.after, w.first = w.floor, false
	}
	return fresh, more, nil
}

// begin finds the row to begin behind. Rows that are written and not committed yet are to be seen when they are.
func (w *Watch) begin(ctx context.Context, tx pgx.Tx) error {
	const sql = `SELECT coalesce(max(seq), 0) FROM alert_history WHERE at < now() - make_interval(secs => $1)`
	if err := tx.QueryRow(ctx, sql, max(w.back, watchSettle).Seconds()).Scan(&w.floor); err != nil {
		return err
	}
	w.after, w.found = w.floor, true
	return nil
}

// page reads the next rows.
func (w *Watch) page(ctx context.Context, tx pgx.Tx) ([]Happening, error) {
	conditions, args, err := w.filter.conditions(w.scope, "a.")
	if err != nil {
		return nil, err
	}
	args = append(args, w.after)
	where := " WHERE h.seq > $" + strconv.Itoa(len(args))
	for _, c := range conditions {
		where += " AND " + c
	}
	rows, err := tx.Query(ctx, `
		SELECT h.seq, h.at, extract(epoch FROM now() - h.at)::float8, h.actor, h.kind, coalesce(h.from_status, ''),
			coalesce(h.to_status, ''), h.note, coalesce(h.revision, 0), coalesce(h.state, ''), coalesce(h.count, 0),
			a.status, a.created, a.updated, a.record - 'evidence'
		FROM alert_history h JOIN alerts a ON a.id = h.alert_id`+where+`
		ORDER BY h.seq LIMIT `+strconv.Itoa(watchPage), args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (h Happening, err error) {
		var (
			record []byte
			age    float64
		)
		a := &h.Alert
		err = row.Scan(&h.seq, &h.At, &age, &h.Actor, &h.Kind, &h.FromStatus, &h.ToStatus, &h.Note, &h.Revision, &h.State,
			&h.Count, &a.Status, &a.Created, &a.Updated, &record)
		if err != nil {
			return h, err
		}
		if err := json.Unmarshal(record, &a.Alert); err != nil {
			return h, fmt.Errorf("stored record of an alert: %w", err)
		}
		h.age = time.Duration(age * float64(time.Second))
		h.At, a.Created, a.Updated = h.At.UTC(), a.Created.UTC(), a.Updated.UTC()
		if !w.scope.Operator && !a.OrganizationTrusted {
			withholdClaims(&a.Alert)
		}
		return h, nil
	})
}

// settle forgets rows that nothing can come before any more.
func (w *Watch) settle(now time.Time) {
	for _, seq := range slices.Sorted(maps.Keys(w.seen)) {
		if seq != w.floor+1 && len(w.seen) <= watchMost && now.Sub(w.seen[seq]) < watchSettle {
			return
		}
		w.floor = seq
		delete(w.seen, seq)
	}
}
