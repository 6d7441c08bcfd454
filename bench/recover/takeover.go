package main

import (
	"context"
	"flag"
	"fmt"
	"slices"
	"time"

	"tocsin/bench/report"
	"tocsin/processor"
)

func takeOverFlags(f *flag.FlagSet, o *options) {
	o.withKeys(f, 1000)
	f.Func("session", "session time-out, six seconds at least; can be repeated. Without it: the default of "+
		processor.DefaultSession.String()+" and 10s", func(s string) error {
		d, err := time.ParseDuration(s)
		o.sessions = append(o.sessions, d)
		return err
	})
}

// Kinds of a take-over.
const (
	withoutStandby = "no standby"
	withStandby    = "standby"
)

// measureTakeOver makes a state, and then kills the process that has half of it, for each session time-out, with the
// other following its changelogs and without.
func measureTakeOver(ctx context.Context, w *world) ([]*table, error) {
	sessions := w.sessions
	if len(sessions) == 0 {
		sessions = []time.Duration{processor.DefaultSession, 10 * time.Second}
	}
	t := &table{name: "takeover", parameter: &report.Axis{Name: "session time-out", Unit: "s"},
		metrics: append([]report.Metric{
			headline(seconds("all process")), seconds("detected"), seconds("after detection"), seconds("first processes"),
			about("partitions", ""), about("records", ""), lower("survivor's CPU", "s"), lower("peak RSS", "MiB"),
		}, disturbance()...),
		notes: []string{"Times are from the kill. Detected: the other process has been given the last of the dead one's " +
			"partitions. After detection: from then until it processes all of them. Records are those read from the " +
			"changelog after the kill."}}
	p, err := w.newPair(ctx)
	if err != nil {
		return nil, err
	}
	for round := range w.rounds {
		for _, session := range sessions {
			for _, kind := range []string{withoutStandby, withStandby} {
				v, err := p.takeOver(ctx, session, kind)
				if err != nil {
					return []*table{t}, fmt.Errorf("%s, session time-out %s: %w", kind, session, err)
				}
				at := session.Seconds()
				t.samples = append(t.samples, report.Sample{Kind: kind, Round: round, At: &at, Values: v})
				w.say("%s, session time-out %s: all partitions process after %.2f s", kind, session, v["all process"])
			}
		}
	}
	return []*table{t}, nil
}

// takeOver kills one of two processes. None runs before it, nor afterwards.
func (p *pair) takeOver(ctx context.Context, session time.Duration, kind string) (values, error) {
	victim, survivor, err := p.settle(ctx, session, kind)
	if err != nil {
		return nil, err
	}
	v := values{}
	if err := p.stream.underLoad(ctx, p.w.rate, func(ctx context.Context) error {
		return p.kill(ctx, victim, survivor, v)
	}); err != nil {
		return nil, err
	}
	if err := p.w.drained(ctx, survivor); err != nil {
		return nil, err
	}
	if err := survivor.stop(); err != nil {
		return nil, err
	}
	return v, p.leave(ctx)
}

// kill kills the victim under load and follows what the survivor does.
func (p *pair) kill(ctx context.Context, victim, survivor *node, v values) error {
	w := p.w
	lost, _, err := victim.running(ctx)
	if err != nil {
		return err
	}
	begin, err := w.ends(ctx, victim.Input)
	if err != nil {
		return err
	}
	if _, err := w.beyond(ctx, victim, begin, w.all()); err != nil {
		return err
	}
	then, cpu, killed := w.usage(), survivor.cpu(), time.Now()
	victim.kill()
	from, err := w.ends(ctx, victim.Input)
	if err != nil {
		return err
	}
	var detected time.Time
	var seen progress
	if err := w.until(ctx, "the other process has taken over", often, func() (bool, error) {
		if detected.IsZero() {
			if has, err := survivor.has(ctx, lost); err == nil && has {
				detected = time.Now()
			}
		}
		return w.moved(ctx, survivor, from, lost, &seen)
	}); err != nil {
		return err
	}
	used := survivor.cpu() - cpu
	v.disturbed(then, w.usage(), used)
	v["survivor's CPU"] = used.Seconds()
	v["partitions"] = float64(len(lost))
	v.since("detected", killed, detected)
	v.since("after detection", detected, seen.all)
	v.since("first processes", killed, seen.first)
	v.since("all process", killed, seen.all)
	return p.restored(survivor, killed, lost, v)
}

// restored sums up what the survivor has read since the kill. It never had the partitions: without standby it reads
// everything, with it no more than a tail.
func (p *pair) restored(survivor *node, killed time.Time, lost []int32, v values) error {
	lines, err := survivor.restores(killed)
	if err != nil {
		return err
	}
	lines = slices.DeleteFunc(lines, func(r restored) bool { return !slices.Contains(lost, r.Partition) })
	sum := sumUp(lines)
	v["records"] = float64(sum.records)
	v["peak RSS"] = survivor.peak()
	mode := "full"
	if survivor.standby() {
		mode = "tail"
	}
	return checkModes(lines, lost, mode)
}
