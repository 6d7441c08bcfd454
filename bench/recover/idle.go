package main

import (
	"context"
	"flag"
	"fmt"
	"time"

	"tocsin/bench/produce"
	"tocsin/bench/report"
	"tocsin/bench/run"
)

func idleFlags(f *flag.FlagSet, o *options) {
	f.DurationVar(&o.duration, "duration", time.Minute, "how long is measured")
	f.DurationVar(&o.settle, "settle", 20*time.Second, "how long the process has been ready before that")
	o.record("duration", func() string { return o.duration.String() })
}

// measureIdle starts a process with all roles, on topics without a record, and lets it be.
func measureIdle(ctx context.Context, w *world) ([]*table, error) {
	t := &table{name: "idle", metrics: append([]report.Metric{
		headline(lower("share of a core", "%")), lower("RSS", "MiB"), lower("peak RSS", "MiB"), lower("switches", "1/s"),
	}, disturbance()...), notes: []string{"All roles that there are, nothing to do; broker and database are outside. " +
		"Switches are how often a thread of the process was given a core."}}
	db, err := w.startDatabase(ctx)
	if err != nil {
		return nil, err
	}
	defer db.stop()
	for round := range w.rounds {
		v, err := w.idle(ctx, db, fmt.Sprintf("%s-%d", w.name, round))
		if err != nil {
			return []*table{t}, err
		}
		t.samples = append(t.samples, report.Sample{Kind: kindJob, Round: round, Values: v})
		w.say("idle: %.2f %% of a core, %.0f MiB", v["share of a core"], v["RSS"])
	}
	return []*table{t}, nil
}

func (w *world) idle(ctx context.Context, db *database, app string) (values, error) {
	n, err := w.newNode(ctx, kindJob, app, app+"-events", "one")
	if err != nil {
		return nil, err
	}
	n.Roles = []string{run.AllRoles}
	if err := n.store(ctx, db, "idle_"+fmt.Sprint(len(w.nodes))); err != nil {
		return nil, err
	}
	if err := produce.CreateTopic(ctx, w.reach(), n.Input, int32(w.partitions)); err != nil {
		return nil, err
	}
	if err := n.MakeTopics(ctx, w.adm, run.Roles...); err != nil {
		return nil, fmt.Errorf("make topics: %w", err)
	}
	if err := n.start(ctx); err != nil {
		return nil, err
	}
	if err := n.ready(ctx); err != nil {
		return nil, err
	}
	if !run.Pause(ctx, w.settle) {
		return nil, ctx.Err()
	}
	then, cpu, switches := w.usage(), n.cpu(), run.Switches(n.proc.PID)
	if !run.Pause(ctx, w.duration) {
		return nil, ctx.Err()
	}
	if err := n.ended(); err != nil {
		return nil, err
	}
	now, used := w.usage(), n.cpu()-cpu
	v := values{"peak RSS": n.peak(), "RSS": mebibytes(run.RSS(n.proc.PID))}
	span := now.at.Sub(then.at).Seconds()
	v["share of a core"] = 100 * used.Seconds() / span
	v["switches"] = max(0, float64(run.Switches(n.proc.PID)-switches)) / span
	v.disturbed(then, now, used)
	return v, n.stop()
}
