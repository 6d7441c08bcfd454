package app

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"tocsin/processor/app/hospital"
	"tocsin/processor/ingest"
	"tocsin/processor/sink"
	"tocsin/topics"
)

// DemoReport is what came of the day.
type DemoReport struct {
	Day         *hospital.Day
	Dir, Client string // folder, and the configuration file with which other commands find it
	Planted     []DemoPlanted
	Unexpected  []StoredAlert // alerts that nothing planted accounts for
	Verdicts    *ingest.Verdicts
	Faults      []string      // what else is not as it must be
	Took        time.Duration // from the first record to the last verdict
	Again       DemoReplay

	alerts  []StoredAlert
	queries *sink.Queries
	seen    map[string]bool
}

// DemoPlanted is something planted and the alert it raised, nil for none.
type DemoPlanted struct {
	hospital.Planted
	Found *StoredAlert
}

// OK says whether the alert is there and right, or rightly not there.
func (p *DemoPlanted) OK() bool {
	if !p.Alert() {
		return p.Found == nil
	}
	a := p.Found
	return a != nil && a.Count == p.Count && a.Severity == p.Severity && a.State == topics.StateClosed
}

// DemoReplay is the day judged a second time, from the log alone.
type DemoReplay struct {
	Records int64
	Took    time.Duration
	Same    bool // the alerts are the same
}

// OK says whether everything is as it must be: every planted attack found, nothing else, every record with its verdict.
func (r *DemoReport) OK() bool {
	return len(r.Faults) == 0 && len(r.Unexpected) == 0 && r.Again.Same &&
		!slices.ContainsFunc(r.Planted, func(p DemoPlanted) bool { return !p.OK() })
}

// run plays the day, and shows alerts as they are found, until all there are to be have come and are closed.
func (r *DemoReport) run(ctx context.Context, cfg *Loaded, o *DemoOptions) error {
	watch, unknown := watchVerdicts(ctx, cfg, IngestOptions{Wait: demoPatience, Now: o.Now})
	if watch == nil {
		return fmt.Errorf("the verdicts are not known: %s", unknown)
	}
	p, err := newPlayer(ctx, cfg, r.Day, o)
	if err != nil {
		return err
	}
	defer p.client.Close()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	began := o.Now()
	judged := make(chan error, 1)
	go func() {
		err := p.play(ctx)
		if err == nil {
			waiting, cancel := context.WithTimeoutCause(ctx, demoPatience, fmt.Errorf("waited for %s", demoPatience))
			defer cancel()
			err = watch.Wait(waiting, p.written)
		}
		judged <- err
	}()
	if err := r.watch(ctx, p, o.View, judged); err != nil {
		return err
	}
	r.Took = o.Now().Sub(began)
	if r.Verdicts, err = watch.Read(ctx, p.written); err != nil {
		return err
	}
	if err := r.settle(ctx, o.View); err != nil {
		return err
	}
	if err := r.again(ctx, cfg, o.Now); err != nil {
		return err
	}
	r.compare()
	return nil
}

// watch shows alerts and the clock until everything is judged.
func (r *DemoReport) watch(ctx context.Context, p *player, v DemoView, judged <-chan error) error {
	tick := time.NewTicker(150 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case err := <-judged:
			if err != nil {
				return err
			}
			return r.look(ctx, v)
		case <-tick.C:
		}
		if err := r.look(ctx, v); err != nil {
			return err
		}
		at, sent := p.clock()
		v.Clock(at, sent, len(r.Day.Records))
	}
}

// look reads the alerts in the database and shows those that are new.
func (r *DemoReport) look(ctx context.Context, v DemoView) error {
	page, err := r.queries.List(ctx, sink.Scope{Operator: true}, sink.Filter{Limit: sink.MaxLimit})
	if err != nil {
		return err
	}
	slices.SortFunc(page.Alerts, func(a, b StoredAlert) int { return cmp.Compare(a.Crossing, b.Crossing) })
	r.alerts = page.Alerts
	for _, a := range page.Alerts {
		if !r.seen[a.ID] {
			r.seen[a.ID] = true
			v.Found(a)
		}
	}
	return nil
}

// settleWithin is how long after the last verdict alerts may come into the database.
const settleWithin = 20 * time.Second

// settle waits until the planted attacks are found, or time is up: what is missing then stays missing.
func (r *DemoReport) settle(ctx context.Context, v DemoView) error {
	waiting, cancel := context.WithTimeout(ctx, settleWithin)
	defer cancel()
	for {
		if err := r.look(ctx, v); err != nil {
			return err
		}
		r.match()
		open := slices.ContainsFunc(r.alerts, func(a StoredAlert) bool { return a.State == topics.StateOpen })
		missing := slices.ContainsFunc(r.Planted, func(p DemoPlanted) bool { return !p.OK() })
		if !open && !missing {
			return nil
		}
		if pause(waiting, 100*time.Millisecond) != nil {
			return ctx.Err()
		}
	}
}

// match gives each planted attack its alert; what is left is unexpected.
func (r *DemoReport) match() {
	left := slices.Clone(r.alerts)
	r.Planted = nil
	for _, p := range r.Day.Planted {
		d := DemoPlanted{Planted: p}
		at := slices.IndexFunc(left, func(a StoredAlert) bool {
			return a.Rule.ID == p.Rule && a.Organization == p.Organization && groupText(a.Group) == p.Who
		})
		if at >= 0 {
			found := left[at]
			d.Found, left = &found, slices.Delete(left, at, at+1)
		}
		r.Planted = append(r.Planted, d)
	}
	r.Unexpected = left
}

// again judges the day a second time, from the log alone, and compares the alerts.
func (r *DemoReport) again(ctx context.Context, cfg *Loaded, now func() time.Time) error {
	pr, pw := io.Pipe()
	alerts, read := map[string]topics.Alert{}, make(chan error, 1)
	go func() {
		lines := bufio.NewScanner(pr)
		lines.Buffer(nil, 1<<20) // an alert has less than 64 KiB
		var err error
		for lines.Scan() && err == nil {
			var a topics.Alert
			if err = json.Unmarshal(lines.Bytes(), &a); err == nil {
				alerts[a.ID] = a
			}
		}
		_, _ = io.Copy(io.Discard, pr)
		read <- err
	}()
	began := now()
	result, err := Replay(ctx, cfg, ReplayOptions{Alerts: pw, Now: now})
	_ = pw.Close() // a pipe's never fails
	if readErr := <-read; err == nil {
		err = readErr
	}
	if err != nil {
		return fmt.Errorf("judge the day again: %w", err)
	}
	r.Again.Took = now().Sub(began)
	for _, p := range result.Partitions {
		r.Again.Records += p.Records
	}
	r.Again.Same = len(alerts) == len(r.alerts)
	for _, a := range r.alerts {
		b, ok := alerts[a.ID]
		if !ok || a.Count != b.Count || a.Revision != b.Revision || a.Span != b.Span || a.State != b.State {
			r.Again.Same = false
		}
	}
	return nil
}

// compare holds the verdicts against what must become of the records.
func (r *DemoReport) compare() {
	v, d := r.Verdicts, r.Day
	fault := func(format string, args ...any) { r.Faults = append(r.Faults, fmt.Sprintf(format, args...)) }
	if v.Unknown != "" {
		fault("the verdicts are not known: %s", v.Unknown)
		return
	}
	reasons := maps.Clone(d.DeadLetters)
	maps.Copy(reasons, v.DeadLetters)
	for _, reason := range slices.Sorted(maps.Keys(reasons)) {
		if got, want := v.DeadLetters[reason], d.DeadLetters[reason]; got != want {
			fault("set aside as %s: %d, it should be %d", reason, got, want)
		}
	}
	if v.Duplicates != d.Duplicates {
		fault("second deliveries: %d, it should be %d", v.Duplicates, d.Duplicates)
	}
	if n := v.Judged + v.Duplicates + v.DeadTotal(); n != int64(len(d.Records)) {
		fault("%d records have a verdict, of %d", n, len(d.Records))
	}
	if v.IDConflicts != 1 {
		fault("id conflicts: %d, it should be 1", v.IDConflicts)
	}
}
