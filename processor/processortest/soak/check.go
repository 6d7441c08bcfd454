package soak

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/twmb/franz-go/pkg/kgo"

	"tocsin/bench/collect"
	"tocsin/bench/compare"
	"tocsin/bench/generate"
	"tocsin/processor/detect"
	"tocsin/topics"
)

// check compares everything that was written with what must have been.
func (w *world) check(ctx context.Context) error {
	w.cfg.Say("all is judged; comparing")
	alerts, err := w.checkOutput(ctx)
	if err != nil {
		return err
	}
	if err := w.checkDatabase(ctx, alerts); err != nil {
		return err
	}
	for _, m := range w.members[:members-1] {
		if err := m.drain(ctx); err != nil {
			return err
		}
	}
	return w.checkLogs()
}

// checkOutput compares the topics with the oracle.
func (w *world) checkOutput(ctx context.Context) ([]topics.Alert, error) {
	want, err := w.generator.Expect(w.generator.Records(), partitions, true)
	if err != nil {
		return nil, err
	}
	rules, err := detect.Compile(detect.Default())
	if err != nil {
		return nil, err
	}
	alerts, err := collect.Alerts(ctx, w.app.Kafka(), w.app.Alerts())
	if err != nil {
		return nil, err
	}
	r := w.report
	found := compare.Alerts(want, alerts, rules, compare.Options{})
	r.differences("alerts", found)
	r.Alerts, r.Revisions, r.AboveCap = found.Alerts, found.Revisions, found.AboveCap
	seen := map[string]bool{}
	for i := range alerts {
		id := fmt.Sprintf("%s %d", alerts[i].ID, alerts[i].Revision)
		if seen[id] {
			r.Twice++
		}
		seen[id] = true
	}
	letters, err := collect.DeadLetters(ctx, w.app.Kafka(), w.app.DeadLetters())
	if err != nil {
		return nil, err
	}
	r.DeadLetters = len(letters)
	r.differences("dead letters", compare.DeadLetters(want, letters))
	places := map[generate.DeadLetter]bool{}
	for _, l := range letters {
		if places[l] {
			r.Twice++
		}
		places[l] = true
	}
	reading, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if err := w.changelog.catchUp(reading, w.adm, w.app.Changelog()); err != nil {
		return nil, err
	}
	w.changelog.learn(ctx, w)
	return alerts, w.checkCounts(ctx, want)
}

// checkDatabase waits until the sinks have stored everything, then looks for what is stored twice or refused.
func (w *world) checkDatabase(ctx context.Context, alerts []topics.Alert) error {
	deadline := time.Now().Add(2 * time.Minute)
	for {
		err := w.app.Stored(ctx, alerts)
		if err == nil {
			break
		}
		if time.Now().After(deadline) {
			w.report.fail("database: %v", err)
			break
		}
		if err := errors.Join(w.tend(ctx), pause(ctx, 100*time.Millisecond)); err != nil {
			return err
		}
	}
	conn, err := pgx.Connect(ctx, w.app.DSN)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }()
	var twice, refused int
	err = conn.QueryRow(ctx, `SELECT
		(SELECT count(*) - count(DISTINCT (alert_id, revision)) FROM alert_history WHERE kind = 'revision'),
		(SELECT count(*) FROM alert_rejects)`).Scan(&twice, &refused)
	if err != nil {
		return fmt.Errorf("look for what is stored twice: %w", err)
	}
	w.report.Twice += twice
	if refused > 0 {
		w.report.fail("database: %d alerts were refused", refused)
	}
	return nil
}

// checkCounts adds up the coverage records and what no record holds yet: every record has one verdict, the right one.
func (w *world) checkCounts(ctx context.Context, want *generate.Expectation) error {
	var got topics.Counts
	next := map[int32]int64{}
	err := collect.Records(ctx, w.app.Kafka(), w.app.ID+"-seals", func(r *kgo.Record) error {
		c, err := topics.DecodeCoverage(r.Value)
		if err != nil {
			return err
		}
		if c.From != next[c.Partition] {
			w.report.fail("coverage of partition %d goes on at %d instead of %d", c.Partition, c.From, next[c.Partition])
		}
		next[c.Partition] = c.To
		got.Add(&c.Counts)
		return nil
	})
	if err != nil {
		return err
	}
	w.changelog.mu.Lock()
	defer w.changelog.mu.Unlock()
	for p := range int32(partitions) {
		last := &w.changelog.parts[p].last
		if last.Coverage.From != next[p] || last.Next != want.Next[p] {
			w.report.fail("the last seal of partition %d covers %d to %d; it must be %d to %d", p, last.Coverage.From, last.Next,
				next[p], want.Next[p])
		}
		got.Add(&last.Coverage.Counts)
	}
	w.report.Verdicts = got.Total()
	got, w.report.MissedDuplicates = allow(want, got)
	w.report.differences("verdicts", compare.Counts(want.Counts, got))
	return nil
}

// allow takes out of the counts what may be otherwise than the oracle says, and gives the number of second deliveries
// that were taken for first ones. That can happen to those of keys above the cap, of which not every id is retained;
// such an event is judged, and may then be an exempted one or in conflict with another. Anything beyond that stays, and
// is a difference.
func allow(want *generate.Expectation, got topics.Counts) (topics.Counts, int64) {
	missed := min(max(want.Counts.Duplicates-got.Duplicates, 0), want.Blurred.Duplicates)
	got.Duplicates += missed
	got.Judged -= missed
	if d := got.IDConflicts - want.Counts.Conflicts; -d <= want.Blurred.Conflicts && d <= missed {
		got.IDConflicts = want.Counts.Conflicts
	}
	if d := got.Exempted - want.Counts.Exempted; 0 <= d && d <= missed {
		got.Exempted = want.Counts.Exempted
	}
	return got, missed
}
