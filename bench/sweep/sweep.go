package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"tocsin/bench/generate"
	"tocsin/bench/report"
	"tocsin/bench/run"
	"tocsin/bench/steady"
	"tocsin/bench/throughput"
)

// sweep measures the points of a plan in turn, as often as there are rounds. What it gives holds what was measured
// until an error, too.
func (o *options) sweep(ctx context.Context, cluster *run.Cluster, name string, p plan) (*report.Result, error) {
	r := o.newResult(name, map[string]int{"records": o.records, "before": o.before, "warm": o.warm, "workers": o.workers})
	for key, v := range p.settings {
		r.Settings[key] = fmt.Sprint(v)
	}
	r.Notes = append(r.Notes, p.notes...)
	r.Parameter, r.Metrics = p.parameter, throughput.Metrics(throughput.CPU)
	if p.relative != "" {
		r.Metrics = append([]report.Metric{
			{Name: relativeRate(p.relative), Better: report.Higher},
			{Name: relativeCPU(p.relative), Better: report.Lower}}, r.Metrics...)
	}
	if len(p.latency) > 0 {
		r.Metrics, r.Latency = append(r.Metrics, steady.Metrics()...), steady.Axis()
	}
	t := &topics{options: o, cluster: cluster, name: fmt.Sprintf("sweep-%d", time.Now().UnixMilli()),
		filled: map[input]*throughput.Input{}}
	defer t.delete(ctx)
	if o.bare {
		p.points = append(p.points, barePoints(p.points)...)
	}
	if err := t.fill(ctx, p.points); err != nil {
		return r, err
	}
	if err := t.warmUp(ctx, p.points[0]); err != nil {
		return r, fmt.Errorf("warm up: %w", err)
	}
	for round := range o.rounds {
		samples := make([]throughput.Sample, 0, len(p.points))
		for i, pt := range p.points {
			run.Pause(ctx, o.rest)
			run.Calm(ctx, o.calm)
			s, err := t.measure(ctx, pt, fmt.Sprintf("%s-%d-%d", t.name, round, i))
			if err != nil {
				return r, fmt.Errorf("%s, round %d: %w", pt.label(), round+1, err)
			}
			samples = append(samples, s)
			fmt.Fprintf(os.Stderr, "round %d, %s: %.0f events/s, %.3f CPU s/million, %.0f MB\n", round+1, pt.label(), s.Rate(),
				s.CPUPerMillion(), s.Megabytes())
		}
		r.Samples = append(r.Samples, p.report(round, samples)...)
		if err := o.latencies(ctx, cluster, &p, round, r); err != nil {
			return r, err
		}
	}
	return r, nil
}

// Names of the metrics that put points in relation. The time to the first commit is left out of the rate: it is the
// same for all of them, and so would make them alike.
func relativeRate(to string) string { return throughput.SteadyRate + " to that of " + to }
func relativeCPU(to string) string  { return "CPU to that of " + to }

// report gives the samples of a round, each in relation to the reference's.
func (p *plan) report(round int, samples []throughput.Sample) (out []report.Sample) {
	var reference *throughput.Sample
	for i := range p.points {
		if p.points[i].reference {
			reference = &samples[i]
		}
	}
	for i := range samples {
		pt, s := &p.points[i], &samples[i]
		values := s.Values()
		if reference != nil && p.relative != "" && !pt.bare {
			values[relativeRate(p.relative)] = s.Steady() / reference.Steady()
			values[relativeCPU(p.relative)] = s.CPUPerMillion() / reference.CPUPerMillion()
		}
		out = append(out, report.Sample{Kind: pt.kind, Round: round, At: pt.at, Values: values})
	}
	return out
}

// barePoints are the bare loop's, one for each value of the parameter, with the input of the first point that has it.
func barePoints(points []point) (out []point) {
	done := map[float64]bool{}
	for _, pt := range points {
		at := -1.0
		if pt.at != nil {
			at = *pt.at
		}
		if !done[at] {
			done[at] = true
			out = append(out, point{kind: throughput.Bare, at: pt.at, input: pt.input, bare: true})
		}
	}
	return out
}

func (pt *point) label() string {
	if pt.at == nil {
		return pt.kind
	}
	return fmt.Sprintf("%s at %.0f", pt.kind, *pt.at)
}

// topics are those of a sweep: one for each input, filled at its first use; where runs begin with state, one for each
// run, for its second part comes when the first was judged.
type topics struct {
	*options
	cluster *run.Cluster
	name    string
	filled  map[input]*throughput.Input
}

func (t *topics) make(in input, name string) (*throughput.Input, error) {
	g, err := generate.New(in.config(t.options, t.before+t.records))
	if err != nil {
		return nil, err
	}
	return &throughput.Input{Brokers: t.cluster.Brokers, Topic: name, Stream: g, Partitions: in.partitions,
		Progress: os.Stderr}, nil
}

// whole is the topic of an input with all its events.
func (t *topics) whole(ctx context.Context, in input) (*throughput.Input, error) {
	if filled := t.filled[in]; filled != nil {
		return filled, nil
	}
	filled, err := t.make(in, fmt.Sprintf("%s-events-%d", t.name, len(t.filled)))
	if err != nil {
		return nil, err
	}
	t.filled[in] = filled // also when it fails: it is to be deleted
	return filled, filled.Fill(ctx, filled.Stream.Records())
}

// fill makes the topics of all points, before any of them is measured: writing them must not stand between two runs
// that are compared. Those of runs that begin with state come later.
func (t *topics) fill(ctx context.Context, points []point) error {
	for i := range points {
		if t.before > 0 {
			break
		}
		if _, err := t.whole(ctx, points[i].input); err != nil {
			return err
		}
	}
	return nil
}

func (t *topics) delete(ctx context.Context) {
	for _, in := range t.filled {
		in.Delete(ctx)
	}
}

// warmUp runs the job over a point's input: a new cluster makes its coordinators' topics at first use, and a Java
// machine compiles what it runs often.
func (t *topics) warmUp(ctx context.Context, pt point) error {
	for i := range t.warm {
		if _, err := t.measure(ctx, pt, fmt.Sprintf("%s-warm-%d", t.name, i)); err != nil {
			return err
		}
	}
	return nil
}

// measure makes one run of a point, under a new application id.
func (t *topics) measure(ctx context.Context, pt point, app string) (s throughput.Sample, err error) {
	dir, err := os.MkdirTemp("", "tocsin-sweep-")
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	settings := throughput.Settings{Kind: throughput.Job, Brokers: t.cluster.Brokers, App: app, Dir: dir,
		Key: string(generate.Default(1).Secret), Workers: t.workers, JobWorkers: t.jobWorkers, CloseAfter: usualInterval,
		Set: append(append([]string{}, t.set...), pt.set...), BrokerPID: t.cluster.PID}
	if pt.interval > 0 {
		settings.CloseAfter = pt.interval
	}
	switch {
	case pt.bare:
		settings.Kind = throughput.Bare
	case pt.peer:
		settings.Kind, settings.PeerSet = throughput.Streams, t.peerSet
	}
	if pt.rules > 0 {
		settings.File = filepath.Join(dir, "rules.yaml")
		if err := writeRules(settings.File, pt.rules); err != nil {
			return s, err
		}
	}
	if t.before > 0 {
		return t.again(ctx, pt, settings)
	}
	in, err := t.whole(ctx, pt.input)
	if err != nil {
		return s, err
	}
	settings.Input = in.Topic
	return throughput.Measure(ctx, settings, t.bin, t.stall)
}

// again measures the second of two runs of the same application, which begins with the state of the first, read from
// the disk.
func (t *topics) again(ctx context.Context, pt point, settings throughput.Settings) (s throughput.Sample, err error) {
	in, err := t.make(pt.input, settings.App+"-events")
	if err != nil {
		return s, err
	}
	defer in.Delete(ctx)
	settings.Input = in.Topic
	for _, to := range []int{t.before, in.Stream.Records()} {
		if err := in.Fill(ctx, to); err != nil {
			return s, err
		}
		if err := run.DropCached(settings.Dir); err != nil {
			return s, err
		}
		if s, err = throughput.Measure(ctx, settings, t.bin, t.stall); err != nil {
			return s, err
		}
	}
	return s, nil
}
