package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"tocsin/bench/report"
	"tocsin/bench/run"
	"tocsin/bench/steady"
)

// What is varied by default beside the time: the most records of a transaction. The last is the product's own.
var (
	sizes         = []string{"1000", "5000", "20000"}
	latencyPoints = []string{"20", "100", "500"}
)

// latencyPoint is where latency is measured: as the points of the sweep, with one of which it shares its kind.
type latencyPoint struct {
	kind     string
	at       float64
	interval time.Duration
	set      []string
}

// transactions has a point for each time that a transaction may be open and each number of records that it may have.
func transactions(o *options) plan {
	p := plan{parameter: &report.Axis{Name: "transaction", Unit: "ms"}, relative: "100 ms"}
	all := must(o.sizes)
	for _, size := range all {
		for _, ms := range must(o.points) {
			p.points = append(p.points, point{kind: sizeKind(size), at: ptr(ms), input: o.usual(), set: sizeSet(size),
				interval: time.Duration(ms) * time.Millisecond, reference: ms == 100 && size == all[len(all)-1]})
		}
	}
	largest := all[len(all)-1]
	for _, ms := range must(o.latencyPoints) {
		p.latency = append(p.latency, latencyPoint{sizeKind(largest), float64(ms), time.Duration(ms) * time.Millisecond,
			sizeSet(largest)})
	}
	if len(p.latency) > 0 {
		p.settings = map[string]int{"rate": o.rate, "duration s": int(o.duration.Seconds())}
	}
	p.notes = []string{fmt.Sprintf("Kinds are the most records of a transaction; %s is the largest of them.",
		sizeKind(largest))}
	return p
}

func sizeKind(size int) string { return fmt.Sprintf("%d records", size) }

func sizeSet(size int) []string {
	return []string{fmt.Sprintf("processor.transaction_records=%d", size)}
}

// steady is what is sent at a constant rate.
func (o *options) steady() steady.Config {
	return steady.Config{Bin: o.bin, Rate: o.rate, Probes: o.probes, Partitions: o.partitions, Principals: o.principals,
		Workers: o.jobWorkers, Seed: o.seed, Duration: o.duration, Warm: o.lead, CloseAfter: usualInterval,
		Stall: o.stall, Calm: o.calm, Set: o.set, PeerSet: o.peerSet}
}

// latencies measures the latency at each of the plan's points for it.
func (o *options) latencies(ctx context.Context, cluster *run.Cluster, p *plan, round int, to *report.Result) error {
	for _, l := range p.latency {
		c := o.steady()
		c.CloseAfter, c.Set = l.interval, append(append([]string{}, o.set...), l.set...)
		run.Pause(ctx, o.rest)
		got, err := steady.Measure(ctx, cluster, c)
		if err != nil {
			return fmt.Errorf("latency at %v ms: %w", l.at, err)
		}
		s := steadySample(l.kind, round, &l.at, &got)
		to.Samples = append(to.Samples, s)
		fmt.Fprintf(os.Stderr, "%s, %v ms: p50 %v, p99 %v at %d/s %s\n", l.kind, l.at, got.Latency(50), got.Latency(99),
			c.Rate, s.Void)
	}
	return nil
}

// steadySample is a run at a constant rate as a sample; one whose rate was not held does not count.
func steadySample(kind string, round int, at *float64, r *steady.Result) report.Sample {
	s := report.Sample{Kind: kind, Round: round, At: at, Values: r.Values(), Tail: r.Tail()}
	if why := r.NotHeld(); why != "" {
		s.Void = "not held: " + why
	}
	return s
}
