package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"tocsin/bench/report"
	"tocsin/bench/run"
	"tocsin/bench/steady"
	"tocsin/bench/throughput"
)

// latency measures at several rates in turn and then looks for the highest that holds, of the job and of the peer.
func latency(ctx context.Context, o *options, cluster *run.Cluster) (*report.Result, error) {
	r := o.newResult(latencyScenario, map[string]int{"rate": o.rate, "duration s": int(o.duration.Seconds()),
		"lead s": int(o.lead.Seconds()), "step s": int(o.step.Seconds()), "limit ms": int(o.limit.Milliseconds())})
	if len(o.rates) > 0 {
		r.Settings["rate"] = strings.Join(o.rates, ",")
	}
	r.Parameter, r.Latency = &report.Axis{Name: "rate", Unit: "events/s"}, steady.Axis()
	r.Metrics = append([]report.Metric{
		{Name: highestRate, Unit: "events/s", Better: report.Higher, Headline: o.search, Drifts: true},
		{Name: mostRateName, Unit: "events/s", Better: report.Higher, Drifts: true}}, steady.Metrics()...)
	r.Notes = append(r.Notes, "Latency is from when an event was due to when a read-committed consumer has its alert. "+
		"Broker, generator and reader are on the same machine.")
	if o.search {
		r.Notes = append(r.Notes, fmt.Sprintf("The highest rate is the highest that was held with p99 up to %s, found by "+
			"doubling and bisecting to %.0f %%; a step that does not hold is made a second time.", o.limit, o.precision*100))
		r.Trace = &report.Trace{Title: "Steps of the search", X: report.Axis{Name: "rate", Unit: "events/s"},
			Y: report.Axis{Name: "p99", Unit: "ms"}}
	}
	l := &latencies{options: o, cluster: cluster, result: r}
	if err := l.findMost(ctx); err != nil {
		return r, err
	}
	for round := range o.rounds {
		if err := l.round(ctx, round); err != nil {
			return r, fmt.Errorf("round %d: %w", round+1, err)
		}
	}
	return r, nil
}

const (
	highestRate  = "highest rate"
	mostRateName = "most over a full topic"
)

type latencies struct {
	*options
	cluster *run.Cluster
	result  *report.Result
	most    map[string]int // events a second that each kind judges at most
}

func (l *latencies) kinds() []string {
	if l.peer == "" {
		return []string{throughput.Job}
	}
	return []string{throughput.Job, l.peer}
}

// findMost finds how much each kind judges at most, where that is needed and was not said: the warm rate over a topic
// that is there already. Runs that are not measured come first, for the broker's sake.
func (l *latencies) findMost(ctx context.Context) error {
	l.most = map[string]int{throughput.Job: l.max, throughput.Streams: l.peerMax}
	t := &topics{options: l.options, cluster: l.cluster, name: fmt.Sprintf("sweep-%d", time.Now().UnixMilli()),
		filled: map[input]*throughput.Input{}}
	defer t.delete(ctx)
	pt := point{kind: throughput.Job, input: l.usual()}
	if err := t.warmUp(ctx, pt); err != nil {
		return fmt.Errorf("warm up: %w", err)
	}
	if len(l.rates) > 0 {
		return nil
	}
	for _, kind := range l.kinds() {
		if l.most[kind] > 0 {
			continue
		}
		pt.peer = kind == throughput.Streams
		run.Calm(ctx, l.calm)
		s, err := t.measure(ctx, pt, t.name+"-most-"+kind)
		if err != nil {
			return fmt.Errorf("most of %s: %w", kind, err)
		}
		l.most[kind] = int(s.Warm())
		l.result.Samples = append(l.result.Samples, report.Sample{Kind: kind,
			Values: map[string]float64{mostRateName: s.Warm()}})
		fmt.Fprintf(os.Stderr, "%s: at most %d events/s\n", kind, l.most[kind])
	}
	return nil
}

// step is a rate that is measured of some kinds.
type step struct {
	rate  int
	kinds []string
}

// steps are a rate for all, and parts of what each does at most; or the rates that were given.
func (l *latencies) steps() (steps []step) {
	if len(l.rates) > 0 {
		for _, rate := range must(l.rates) {
			steps = append(steps, step{rate, l.kinds()})
		}
		return steps
	}
	steps = append(steps, step{l.rate, l.kinds()})
	for _, percent := range []int{25, 50, 80} {
		for _, kind := range l.kinds() {
			if rate := l.most[kind] * percent / 100; rate >= leastRate {
				steps = append(steps, step{rate, []string{kind}})
			}
		}
	}
	return steps
}

func (l *latencies) round(ctx context.Context, round int) error {
	for _, step := range l.steps() {
		for _, kind := range step.kinds {
			got, err := l.at(ctx, kind, step.rate, l.duration)
			if err != nil {
				return fmt.Errorf("%s at %d/s: %w", kind, step.rate, err)
			}
			l.result.Samples = append(l.result.Samples, steadySample(kind, round, ptr(step.rate), &got))
		}
	}
	if !l.search {
		return nil
	}
	for _, kind := range l.kinds() {
		s, err := l.highest(ctx, kind, round)
		if err != nil {
			return fmt.Errorf("search of %s: %w", kind, err)
		}
		l.result.Samples = append(l.result.Samples, s)
	}
	return nil
}

// at measures one kind at one rate. Alerts missing or there twice are an error, a rate that is not held is none.
func (l *latencies) at(ctx context.Context, kind string, rate int, over time.Duration) (steady.Result, error) {
	c := l.steady()
	c.Streams, c.Rate, c.Duration = kind == throughput.Streams, rate, over
	c.Probes = min(c.Probes, rate/3)
	c.Behind = 10 * time.Second
	run.Pause(ctx, l.rest)
	got, err := steady.Measure(ctx, l.cluster, c)
	if err == nil {
		fmt.Fprintf(os.Stderr, "%s at %d/s: p50 %v, p99 %v %s\n", kind, rate, got.Latency(50), got.Latency(99),
			got.NotHeld())
	}
	return got, err
}

// highest searches. A step that does not hold is made again: a host that took a core away for a second is no limit.
func (l *latencies) highest(ctx context.Context, kind string, round int) (report.Sample, error) {
	s := report.Sample{Kind: kind, Round: round, Values: map[string]float64{}}
	found, err := highest(l.from, l.precision, func(rate int) (bool, error) {
		for range 2 {
			got, err := l.at(ctx, kind, rate, l.step)
			if err != nil {
				return false, err
			}
			p99 := got.Latency(99)
			if len(got.Tail()) > 0 {
				s.Trace = append(s.Trace, report.Point{X: float64(rate), Y: float64(p99) / float64(time.Millisecond)})
			}
			if got.NotHeld() == "" && p99 <= l.limit {
				return true, nil
			}
		}
		return false, nil
	})
	slices.SortStableFunc(s.Trace, func(a, b report.Point) int { return cmp.Compare(a.X, b.X) })
	s.Values[highestRate] = float64(found)
	fmt.Fprintf(os.Stderr, "%s: %d events/s hold p99 %s\n", kind, found, l.limit)
	return s, err
}
