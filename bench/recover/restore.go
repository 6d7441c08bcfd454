package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"time"

	"tocsin/bench/report"
	"tocsin/bench/run"
)

func restoreFlags(f *flag.FlagSet, o *options) {
	o.withKeys(f, 5000)
	f.DurationVar(&o.under, "under", 3*time.Second, "how long the load lasts before the kill")
	f.StringVar(&o.peer, "peer", "", "streams: measure the Kafka Streams program too (see bench/README.md)")
	list(f, &o.peerSet, "peer-set", "a setting of Kafka Streams, KEY=VALUE; can be repeated")
}

// subject is a program with a topic of its own that it has made a state from.
type subject struct {
	*node

	stream *stream
}

// measureRestore lets each program make a state, and then in turn takes the state away, kills and stops it.
func measureRestore(ctx context.Context, w *world) ([]*table, error) {
	kinds := []string{kindJob}
	if w.peer != "" {
		kinds = append(kinds, w.peer)
	}
	var subjects []*subject
	for _, kind := range kinds {
		s, err := w.newSubject(ctx, kind)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", kind, err)
		}
		subjects = append(subjects, s)
	}
	full, kill, clean := restoreTables()
	tables := []*table{full, kill, clean}
	if w.peer != "" {
		for _, t := range tables {
			t.notes = append(t.notes, "Kafka Streams keeps a reduced state: no de-duplication, lateness, evidence, episodes.")
		}
	}
	for round := range w.rounds {
		for _, s := range subjects {
			if err := s.round(ctx, round, full, kill, clean); err != nil {
				return tables, fmt.Errorf("%s, round %d: %w", s.kind, round+1, err)
			}
		}
	}
	return tables, nil
}

// restoreTables are what is measured of a full restore, a kill and a stop.
func restoreTables() (full, kill, clean *table) {
	work := []report.Metric{about("records", ""), about("transactions", ""), lower("peak RSS", "MiB")}
	full = &table{name: "restore-full", metrics: append([]report.Metric{
		headline(perSecond("restore rate", "records")),
		{Name: "CPU", Unit: "s/million records", Better: report.Lower, Drifts: true},
		seconds("restored"), seconds("first processes"), seconds("all process"),
	}, append(work, disturbance()...)...), notes: []string{
		"Restore rate: from the begin of the first partition's restore to the end of the last one's. Times are from the " +
			"start of the process. CPU is that of the process from its start until all partitions process."}}
	kill = &table{name: "restore-kill", metrics: append([]report.Metric{
		headline(seconds("all process")), seconds("first processes"), seconds("from start"),
		about("outstanding", "events"),
	}, append(work, disturbance()...)...), notes: []string{
		"Times are from the kill, and once more from the start of the next process. Records are those read from the " +
			"changelog, transactions those of the partition with the most."}}
	clean = &table{name: "restore-clean", metrics: append([]report.Metric{
		headline(seconds("all process")), seconds("first processes"), seconds("stop"),
	}, append(work, disturbance()...)...), notes: []string{
		"Stop is from SIGTERM to the end of the process, the other times from the start of the next."}}
	return full, kill, clean
}

// newSubject makes a program's topics and its state, and stops it.
func (w *world) newSubject(ctx context.Context, kind string) (*subject, error) {
	app := w.name + "-" + kind
	n, err := w.newNode(ctx, kind, app, app+"-events", "one")
	if err != nil {
		return nil, err
	}
	s, err := w.makeState(ctx, n)
	return &subject{n, s}, err
}

// round measures the three of them. The process does not run before it, nor afterwards.
func (s *subject) round(ctx context.Context, round int, full, kill, clean *table) error {
	for _, step := range []struct {
		table   *table
		measure func(context.Context) (values, error)
	}{{full, s.full}, {kill, s.killed}, {clean, s.restarted}} {
		v, err := step.measure(ctx)
		if err != nil {
			return fmt.Errorf("%s: %w", step.table.name, err)
		}
		step.table.samples = append(step.table.samples, report.Sample{Kind: s.kind, Round: round, Values: v})
		s.w.say("%s: %s: all partitions process after %.2f s", s.kind, step.table.name, v["all process"])
	}
	return s.stop()
}

// full takes the state away and starts the process, which has a few events to judge in each partition.
func (s *subject) full(ctx context.Context) (values, error) {
	w, v := s.w, values{}
	if err := os.RemoveAll(s.Dir); err != nil {
		return nil, err
	}
	p, err := s.startOver(ctx, v)
	if err != nil {
		return nil, err
	}
	used := s.cpu()
	sum, err := s.restoredSince(ctx, s.proc.Started, "full", v)
	if err != nil {
		return nil, err
	}
	if sum.records < int64(w.keys) {
		return nil, fmt.Errorf("%d records were restored of a state of %d keys", sum.records, w.keys)
	}
	v["restore rate"] = sum.rate()
	v["CPU"] = used.Seconds() / float64(sum.records) * 1e6
	v.since("restored", s.proc.Started, sum.end)
	v.since("first processes", s.proc.Started, p.first)
	v.since("all process", s.proc.Started, p.all)
	return v, nil
}

// startOver starts a process that does not run, once every partition has an event for it, and waits until it has
// committed one in each.
func (s *subject) startOver(ctx context.Context, v values) (p progress, err error) {
	w := s.w
	from, err := w.ends(ctx, s.Input)
	if err != nil {
		return p, err
	}
	if err := s.stream.each(ctx); err != nil {
		return p, err
	}
	run.Calm(ctx, w.calm)
	then := w.usage()
	if err := s.start(ctx); err != nil {
		return p, err
	}
	if p, err = w.beyond(ctx, s.node, from, w.all()); err != nil {
		return p, err
	}
	v.disturbed(then, w.usage(), s.cpu())
	v["peak RSS"] = s.peak()
	return p, nil
}

// killed kills the process under load, and starts it again at once.
func (s *subject) killed(ctx context.Context) (v values, err error) {
	if err := s.w.drained(ctx, s.node); err != nil {
		return nil, err
	}
	v = values{}
	return v, s.stream.underLoad(ctx, s.w.rate, func(ctx context.Context) error { return s.killNow(ctx, v) })
}

func (s *subject) killNow(ctx context.Context, v values) error {
	w := s.w
	begin, err := w.ends(ctx, s.Input)
	if err != nil {
		return err
	}
	if _, err := w.beyond(ctx, s.node, begin, w.all()); err != nil {
		return err
	}
	if !run.Pause(ctx, w.under) {
		return ctx.Err()
	}
	committed, err := w.committed(ctx, s.App, s.Input)
	if err != nil {
		return err
	}
	there, err := w.ends(ctx, s.Input)
	if err != nil {
		return err
	}
	then, killed := w.usage(), time.Now()
	s.kill()
	if err := s.start(ctx); err != nil {
		return err
	}
	// A transaction that was being committed may still be: it has nothing that comes after the kill.
	from, err := w.ends(ctx, s.Input)
	if err != nil {
		return err
	}
	p, err := w.beyond(ctx, s.node, from, w.all())
	if err != nil {
		return err
	}
	v.disturbed(then, w.usage(), s.cpu())
	v["peak RSS"] = s.peak()
	v["outstanding"] = float64(max(0, total(there)-total(committed)))
	v.since("first processes", killed, p.first)
	v.since("all process", killed, p.all)
	v.since("from start", s.proc.Started, p.all)
	_, err = s.restoredSince(ctx, s.proc.Started, "tail", v)
	return err
}

// restarted stops the process and starts it again.
func (s *subject) restarted(ctx context.Context) (values, error) {
	v := values{}
	if err := s.w.drained(ctx, s.node); err != nil {
		return nil, err
	}
	stopping := time.Now()
	if err := s.stop(); err != nil {
		return nil, err
	}
	v.since("stop", stopping, time.Now())
	p, err := s.startOver(ctx, v)
	if err != nil {
		return nil, err
	}
	v.since("first processes", s.proc.Started, p.first)
	v.since("all process", s.proc.Started, p.all)
	_, err = s.restoredSince(ctx, s.proc.Started, "tail", v)
	return v, err
}

// errNoLines says that the peer is of before it told of its restores.
var errNoLines = errors.New("the log says nothing of restores: run `make kstreams` again")

// restoredSince sums up the restores of a life, and holds those of the product against what they must be.
func (s *subject) restoredSince(ctx context.Context, began time.Time, mode string, v values) (restoring, error) {
	lines, err := s.restores(began)
	if err != nil {
		return restoring{}, err
	}
	if s.kind == kindStreams && len(lines) == 0 && mode == "full" {
		return restoring{}, errNoLines
	}
	sum := sumUp(lines)
	v["records"] = float64(sum.records)
	if s.kind == kindStreams {
		return sum, nil
	}
	if mode == "tail" {
		v["transactions"] = float64(sum.transactions)
	}
	if err := checkModes(lines, s.w.all(), mode); err != nil {
		return sum, err
	}
	if mode == "full" {
		return sum, nil
	}
	return sum, s.w.checkTails(ctx, s.Changelog(), lines)
}
