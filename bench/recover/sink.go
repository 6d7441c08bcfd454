package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"tocsin/bench/report"
	"tocsin/bench/run"
	"tocsin/topics"
)

func sinkFlags(f *flag.FlagSet, o *options) {
	f.IntVar(&o.alerts, "alerts", 50_000, "alerts in the topic")
	o.record("alerts", func() string { return strconv.Itoa(o.alerts) })
}

// evidences are the numbers of evidence rows that alerts have.
func evidences() []int { return []int{0, 20} }

// measureSink starts a sink with an empty database on a topic full of alerts.
func measureSink(ctx context.Context, w *world) ([]*table, error) {
	perMillion := func(name string) report.Metric {
		return report.Metric{Name: name, Unit: "s/million alerts", Better: report.Lower, Drifts: true}
	}
	t := &table{name: "sink", parameter: &report.Axis{Name: "evidence", Unit: "rows/alert"},
		metrics: append([]report.Metric{
			headline(perSecond("stored", "alerts")), perSecond("copied", "rows"), seconds("all stored"), seconds("all copied"),
			perMillion("sink CPU"), perMillion("Postgres CPU"), lower("peak RSS", "MiB"),
		}, disturbance()...),
		notes: []string{"Stored and copied are rates from the first alert on; the times are from the start of the process. " +
			"CPU is until all is done, the copies of the evidence included. The database syncs its commits to disk. Postgres " +
			"counts as another's cores."}}
	db, err := w.startDatabase(ctx)
	if err != nil {
		return nil, err
	}
	defer db.stop()
	most := 0
	for _, evidence := range evidences() {
		most = max(most, evidence)
	}
	events, err := w.writeEvents(ctx, w.name+"-events", most)
	if err != nil {
		return nil, err
	}
	nodes := map[int]*node{}
	for _, evidence := range evidences() {
		n, err := w.newNode(ctx, kindJob, fmt.Sprintf("%s-%d", w.name, evidence), events.topic, "one")
		if err != nil {
			return nil, err
		}
		n.Roles, nodes[evidence] = []string{"sink"}, n
		if err := n.MakeTopics(ctx, w.adm, topics.RoleAlerts); err != nil {
			return nil, fmt.Errorf("make topics: %w", err)
		}
		if err := events.writeAlerts(ctx, n.Alerts(), evidence); err != nil {
			return nil, err
		}
	}
	w.say("%d alerts without evidence and as many with are written", w.alerts)
	for round := range w.rounds {
		for _, evidence := range evidences() {
			v, err := w.sink(ctx, db, nodes[evidence], fmt.Sprintf("sink_%d_%d", evidence, round), evidence)
			if err != nil {
				return []*table{t}, fmt.Errorf("%d rows of evidence: %w", evidence, err)
			}
			at := float64(evidence)
			t.samples = append(t.samples, report.Sample{Kind: kindJob, Round: round, At: &at, Values: v})
			w.say("%d rows of evidence: %.0f alerts/s", evidence, v["stored"])
		}
	}
	return []*table{t}, nil
}

// sink measures one life with a database of its own.
func (w *world) sink(ctx context.Context, db *database, n *node, name string, evidence int) (v values, err error) {
	if err := n.store(ctx, db, name); err != nil {
		return nil, err
	}
	conn, err := pgx.Connect(ctx, db.SuperuserDSN(name))
	if err != nil {
		return nil, fmt.Errorf("look into the database: %w", err)
	}
	defer func() { err = errors.Join(err, conn.Close(ctx), db.DropDatabase(context.WithoutCancel(ctx), name)) }()
	ends, err := w.ends(ctx, n.Alerts())
	if err != nil {
		return nil, err
	}
	run.Calm(ctx, w.calm)
	then, before := w.usage(), run.FamilyTime(db.PID())
	if err := n.start(ctx); err != nil {
		return nil, err
	}
	v, started := values{}, n.proc.Started
	var first, all time.Time
	var early int64
	var s stored
	if err := w.until(ctx, "all alerts are stored", often, func() (bool, error) {
		if err := s.look(ctx, conn); err != nil {
			return false, err
		}
		if s.position > 0 && first.IsZero() {
			first, early = time.Now(), s.position
		}
		return s.position == total(ends), nil
	}); err != nil {
		return nil, err
	}
	all = time.Now()
	if err := w.until(ctx, "all evidence is copied", 5*often, func() (bool, error) {
		waits, err := pending(ctx, conn)
		return !waits, err
	}); err != nil {
		return nil, err
	}
	copied := time.Now()
	used, theirs := n.cpu(), run.FamilyTime(db.PID())-before
	v.disturbed(then, w.usage(), used)
	if early < s.position {
		v["stored"] = float64(s.position-early) / all.Sub(first).Seconds()
	} else { // it was over when it was first seen
		v["stored"] = float64(s.position) / all.Sub(started).Seconds()
	}
	if evidence > 0 {
		v["copied"] = float64(w.alerts*evidence) / copied.Sub(first).Seconds()
		v.since("all copied", started, copied)
	}
	v.since("all stored", started, all)
	v["sink CPU"] = used.Seconds() / float64(w.alerts) * 1e6
	v["Postgres CPU"] = theirs.Seconds() / float64(w.alerts) * 1e6
	v["peak RSS"] = n.peak()
	if err := s.count(ctx, conn); err != nil {
		return nil, err
	}
	return v, errors.Join(n.stop(), s.check(w.alerts, evidence))
}
