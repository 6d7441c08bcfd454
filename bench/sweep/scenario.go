package main

import (
	"context"
	"fmt"
	"time"

	"tocsin/bench/generate"
	"tocsin/bench/report"
	"tocsin/bench/run"
	"tocsin/bench/throughput"
)

// scenario is one way to measure.
type scenario struct {
	name, about string
	points      []string // of what is varied, by default
	defaults    func(*options)
	plan        func(*options) plan // of a sweep over runs from start to end of a topic; else run is there
	run         func(context.Context, *options, *run.Cluster) (*report.Result, error)
}

const (
	transactionsScenario = "transactions"
	latencyScenario      = "latency"
)

// measure runs the scenario and shows what it gave.
func (s *scenario) measure(ctx context.Context, o *options, cluster *run.Cluster) error {
	if s.plan != nil {
		r, err := o.sweep(ctx, cluster, s.name, s.plan(o))
		return o.finish(r, err)
	}
	r, err := s.run(ctx, o, cluster)
	return o.finish(r, err)
}

// plan is what a sweep measures.
type plan struct {
	parameter *report.Axis // nil: the points differ in kind only
	points    []point
	relative  string // what the point is called that the rates of all are put in relation to; empty: none is
	notes     []string
	settings  map[string]int
	latency   []latencyPoint // where latency is measured as well
}

// point is one of a sweep.
type point struct {
	kind      string // its name in the result
	at        *float64
	input     input
	reference bool // the one that all are put in relation to
	interval  time.Duration
	set       []string
	rules     int  // 0: the built-in ones
	bare      bool // the bare loop in place of the job
	peer      bool // Kafka Streams in place of the job
}

// input is what makes the events of a topic different from others.
type input struct {
	principals int
	zipf, hot  float64
	partitions int
}

const (
	usualZipf     = 1.1
	usualInterval = 100 * time.Millisecond
)

func (o *options) usual() input { return input{o.principals, usualZipf, 0, o.partitions} }

func (in input) config(o *options, records int) generate.Config {
	cfg := generate.Default(records)
	cfg.Seed, cfg.Principals, cfg.Zipf, cfg.HotKey = o.seed, int64(in.principals), in.zipf, in.hot
	return cfg
}

func scenarios() []scenario {
	return []scenario{
		{name: "principals", about: "more and more keys, and the most of them all alike", plan: principals,
			points:   []string{"10000", "100000", "1000000", "10000000"},
			defaults: func(o *options) { o.before = o.records }},
		{name: "partitions", about: "1 to 32 partitions", plan: partitions, points: []string{"1", "4", "8", "16", "32"}},
		{name: "hotkey", about: "one key with a share of all events, against none", plan: hotkey, points: []string{"30"}},
		{name: transactionsScenario, about: "how long and how large transactions may be", plan: transactions,
			points: []string{"20", "50", "100", "200", "500"}},
		{name: "rules", about: "copies of the built-in rules", plan: rules, points: []string{"8", "100", "1000"}},
		{name: "memory", about: "resident size at a constant rate", run: memory, defaults: func(o *options) {
			o.rounds, o.duration, o.lead = 1, time.Hour, 10*time.Minute
		}},
		{name: latencyScenario, about: "at several rates, and the highest that holds", run: latency},
	}
}

func find(name string) *scenario {
	for _, s := range scenarios() {
		if s.name == name {
			return &s
		}
	}
	return nil
}

// principals has a point for each number of keys; of the largest another one with a draw that has no skew, of which
// next to no key is warm.
func principals(o *options) plan {
	p := plan{parameter: &report.Axis{Name: "principals"}, relative: "100,000 principals"}
	counts := must(o.points)
	for _, n := range counts {
		in := o.usual()
		in.principals = n
		p.points = append(p.points, point{kind: throughput.Job, at: ptr(n), input: in, reference: n == 100_000})
	}
	in := o.usual()
	in.principals, in.zipf = counts[len(counts)-1], 0
	p.points = append(p.points, point{kind: "uniform", at: ptr(in.principals), input: in})
	p.notes = []string{"Kinds are Zipf 1.1 (job) and a draw without skew (uniform)."}
	return p
}

func partitions(o *options) plan {
	p := plan{parameter: &report.Axis{Name: "partitions"}, relative: "8 partitions"}
	for _, n := range must(o.points) {
		in := o.usual()
		in.partitions = n
		p.points = append(p.points, point{kind: throughput.Job, at: ptr(n), input: in, reference: n == 8})
	}
	return p
}

// hotkey compares draws without skew that differ in the hot key alone.
func hotkey(o *options) plan {
	cold := o.usual()
	cold.zipf = 0
	p := plan{points: []point{{kind: "no hot key", input: cold, reference: true}}, relative: "no hot key"}
	for _, percent := range must(o.points) {
		in := cold
		in.hot = float64(percent) / 100
		p.points = append(p.points, point{kind: fmt.Sprintf("%d %% hot", percent), input: in})
	}
	return p
}

// rules has points with ever more rules; what they are put in relation to is the least.
func rules(o *options) plan {
	p := plan{parameter: &report.Axis{Name: "rules"}}
	for i, n := range must(o.points) {
		if i == 0 {
			p.relative = fmt.Sprintf("%d rules", n)
		}
		p.points = append(p.points, point{kind: throughput.Job, at: ptr(n), input: o.usual(), rules: n, reference: i == 0})
	}
	p.notes = []string{"Rules beyond the built-in six are copies of those that count, with higher thresholds."}
	return p
}

func ptr(n int) *float64 {
	v := float64(n)
	return &v
}
