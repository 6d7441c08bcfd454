package main

import (
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"tocsin/bench/run"
)

// TestMain lets the test program be the measured process, as the latency program is its own.
func TestMain(m *testing.M) {
	if os.Getenv(childEnv) == "" {
		goleak.VerifyTestMain(m)
		return
	}
	main()
}

func small() *options {
	return &options{kafka: "kfake", rate: 1500, probes: 30, partitions: 3, principals: 1000, seed: 1, workers: 2,
		duration: 2 * time.Second, warm: 3 * time.Second, closeAfter: 50 * time.Millisecond, stall: 30 * time.Second}
}

// Every probe's alert is seen once, on an in-process broker.
func TestMeasure(t *testing.T) {
	o := small()
	require.NoError(t, o.check())
	cluster, err := run.StartCluster(t.Context(), "", o.kafka)
	require.NoError(t, err)
	defer cluster.Close()
	r, err := o.measure(t.Context(), cluster)
	require.NoError(t, err)
	require.True(t, r.complete)

	sent, seen, _ := r.probes.state()
	require.Equal(t, 90, sent, "of the last three of five seconds")
	require.Equal(t, sent, seen)
	h := r.probes.latency
	require.EqualValues(t, 60, h.TotalCount(), "of the measured two seconds")
	before := time.Duration(0)
	for _, percent := range []float64{50, 90, 99, 99.9, 100} {
		require.GreaterOrEqual(t, quantile(h, percent), before)
		before = quantile(h, percent)
	}
	require.Positive(t, quantile(h, 50))
	require.Equal(t, 3000, r.events)
	require.EqualValues(t, 3000, r.pacer.late.TotalCount())
	require.Positive(t, r.sent())
	require.Positive(t, r.usage.end.judged)
	require.Positive(t, r.peak)
	text := r.text()
	require.Contains(t, text, "probes    90 sent, 90 alerts seen")
	t.Log("\n" + text)
}

// A processor that ends by itself is reported at once, not waited for.
func TestMeasureSaysWhenTheProcessorEnds(t *testing.T) {
	o := small()
	o.set = []string{"no.such.setting=1"}
	cluster, err := run.StartCluster(t.Context(), "", o.kafka)
	require.NoError(t, err)
	defer cluster.Close()
	r, err := o.measure(t.Context(), cluster)
	require.ErrorIs(t, err, run.ErrEnded)
	require.False(t, r.complete)
}

// A rule that nothing can trip: the run ends and names the probes that have no alert.
func TestMeasureSaysWhichAlertsAreMissing(t *testing.T) {
	o := small()
	o.stall = 500 * time.Millisecond
	o.set = []string{"rules.unauthorized-access.threshold=1000"}
	cluster, err := run.StartCluster(t.Context(), "", o.kafka)
	require.NoError(t, err)
	defer cluster.Close()
	r, err := o.measure(t.Context(), cluster)
	require.ErrorContains(t, err, "90 of 90 probes have no alert: probes 60 61 62")
	require.True(t, r.complete, "the figures are shown all the same")
	require.Contains(t, r.text(), "90 sent, 0 alerts seen")
}

func TestNotHeld(t *testing.T) {
	start := time.Now()
	made := func(behind time.Duration, waiting int64) *result {
		o := small()
		p := &pacer{schedule: schedule{start: start, rate: o.rate}, from: 4500, late: newHistogram()}
		p.last = p.due(7499).Add(behind)
		return &result{options: o, events: 3000, pacer: p, usage: usage{end: reading{waiting: waiting}}}
	}
	require.Empty(t, made(5*time.Millisecond, 1400).notHeld())
	require.Equal(t, "only 1000 events/s could be sent", made(time.Second, 0).notHeld())
	require.Equal(t, "2.0 s worth of events waited at the end", made(0, 3000).notHeld())
	require.Equal(t, "only 1000 events/s could be sent and 2.0 s worth of events waited at the end",
		made(time.Second, 3000).notHeld())
}

func TestOptions(t *testing.T) {
	for _, c := range []struct {
		change func(*options)
		err    string
	}{
		{func(*options) {}, ""},
		{func(o *options) { o.rate = 0 }, "-rate"},
		{func(o *options) { o.probes = o.rate / 2 }, "-probes"},
		{func(o *options) { o.warm = time.Second }, "-warm"},
		{func(o *options) { o.duration = limit }, "-duration"},
	} {
		o := small()
		c.change(o)
		if err := o.check(); c.err == "" {
			require.NoError(t, err)
		} else {
			require.ErrorContains(t, err, c.err)
		}
	}
}
