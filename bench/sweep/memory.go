package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"tocsin/bench/report"
	"tocsin/bench/run"
	"tocsin/bench/steady"
	"tocsin/bench/throughput"
)

// keep is how much of a topic's partition is kept in a run of an hour: some minutes of events.
const keep = 512 << 20

// memory sends events at a constant rate and looks at the resident size all ten seconds.
func memory(ctx context.Context, o *options, cluster *run.Cluster) (*report.Result, error) {
	r := o.newResult("memory", map[string]int{"rate": o.rate, "duration s": int(o.duration.Seconds()),
		"lead s": int(o.lead.Seconds())})
	r.Notes = append(r.Notes, "The slope is of the resident sizes after the warm-up (Theil–Sen: the median of the slopes "+
		"between any two).")
	r.Metrics = append([]report.Metric{
		{Name: "slope", Unit: "MB/min", Better: report.Lower, Headline: true},
		{Name: "RSS", Unit: "MB", Better: report.Lower},
		{Name: "highest RSS", Unit: "MB", Better: report.Lower},
		{Name: "RSS readings", Better: report.Neither},
	}, steady.Metrics()...)
	r.Latency = steady.Axis()
	r.Trace = &report.Trace{Title: "Resident size, warm-up included", X: report.Axis{Name: "time", Unit: "min"},
		Y: report.Axis{Name: "RSS", Unit: "MB"}}
	for round := range o.rounds {
		run.Pause(ctx, o.rest)
		s, err := o.memory(ctx, cluster, round)
		if err != nil {
			return r, err
		}
		r.Samples = append(r.Samples, s)
	}
	return r, nil
}

func (o *options) memory(ctx context.Context, cluster *run.Cluster, round int) (report.Sample, error) {
	var mu sync.Mutex
	var trace []report.Point
	c := o.steady()
	c.Keep = keep
	c.Every = min(10*time.Second, o.duration/6) // of a short run more often
	c.Sampled = func(since time.Duration, rss int64) {
		mu.Lock()
		defer mu.Unlock()
		trace = append(trace, report.Point{X: since.Minutes(), Y: float64(rss) / 1e6})
		if len(trace)%30 == 0 {
			fmt.Fprintf(os.Stderr, "%s: %.0f MB\n", since.Round(time.Second), float64(rss)/1e6)
		}
	}
	got, err := steady.Measure(ctx, cluster, c)
	if err != nil {
		return report.Sample{}, err
	}
	s := steadySample(throughput.Job, round, nil, &got)
	mu.Lock()
	defer mu.Unlock()
	s.Trace = trace
	steadyPart := slices.DeleteFunc(slices.Clone(trace), func(p report.Point) bool { return p.X < o.lead.Minutes() })
	if len(steadyPart) < 2 {
		return s, fmt.Errorf("memory: only %d readings after the warm-up: a longer -duration is needed", len(steadyPart))
	}
	sizes := make([]float64, 0, len(steadyPart))
	for _, p := range steadyPart {
		sizes = append(sizes, p.Y)
	}
	spread := report.SpreadOf(sizes)
	s.Values["slope"], s.Values["RSS"], s.Values["highest RSS"] = theilSen(steadyPart), spread.Median, spread.High
	s.Values["RSS readings"] = float64(len(sizes))
	return s, nil
}

// mostPoints bounds the pairs that a slope is made of.
const mostPoints = 2000

// theilSen is the median of the slopes between any two points: a third of them may be anything without moving it far.
// Of a great many points every so manieth is taken. Points with the same X have no slope.
func theilSen(points []report.Point) float64 {
	every := 1 + (len(points)-1)/mostPoints
	var slopes []float64
	for i := 0; i < len(points); i += every {
		for j := i + every; j < len(points); j += every {
			if dx := points[j].X - points[i].X; dx != 0 {
				slopes = append(slopes, (points[j].Y-points[i].Y)/dx)
			}
		}
	}
	return report.SpreadOf(slopes).Median
}
