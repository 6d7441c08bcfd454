package steady

import (
	"context"
	"math"
	"os"
	"os/signal"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"tocsin/bench/run"
)

// TestMain lets the test program be the measured process.
func TestMain(m *testing.M) {
	if !IsChild() {
		goleak.VerifyTestMain(m)
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	_, err := Child(ctx)
	stop()
	if err != nil {
		os.Exit(1)
	}
}

func small() *Config {
	return &Config{Rate: 1500, Probes: 30, Partitions: 3, Principals: 1000, Seed: 1, Workers: 2,
		Duration: 2 * time.Second, Warm: 3 * time.Second, CloseAfter: 50 * time.Millisecond, Stall: 5 * time.Minute}
}

// Every probe's alert is seen once, on an in-process broker.
func TestMeasure(t *testing.T) {
	o := small()
	require.NoError(t, o.Check())
	cluster, err := run.StartCluster(t.Context(), "", "kfake")
	require.NoError(t, err)
	defer cluster.Close()
	r, err := Measure(t.Context(), cluster, *o)
	require.NoError(t, err)
	require.True(t, r.Complete)

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
	text := r.Text()
	require.Contains(t, text, "probes    90 sent, 90 alerts seen")
	t.Log("\n" + text)
}

// A processor that ends by itself is reported at once, not waited for.
func TestMeasureSaysWhenTheProcessorEnds(t *testing.T) {
	o := small()
	o.Set = []string{"no.such.setting=1"}
	cluster, err := run.StartCluster(t.Context(), "", "kfake")
	require.NoError(t, err)
	defer cluster.Close()
	r, err := Measure(t.Context(), cluster, *o)
	require.ErrorIs(t, err, run.ErrEnded)
	require.False(t, r.Complete)
}

// A rule that nothing can trip: the run ends and names the probes that have no alert.
func TestMeasureSaysWhichAlertsAreMissing(t *testing.T) {
	o := small()
	o.Stall = 500 * time.Millisecond
	o.Set = []string{"rules.unauthorized-access.threshold=1000"}
	cluster, err := run.StartCluster(t.Context(), "", "kfake")
	require.NoError(t, err)
	defer cluster.Close()
	r, err := Measure(t.Context(), cluster, *o)
	require.ErrorContains(t, err, "90 of 90 probes have no alert: probes 60 61 62")
	require.True(t, r.Complete, "the figures are shown all the same")
	require.Contains(t, r.Text(), "90 sent, 0 alerts seen")
}

func TestNotHeld(t *testing.T) {
	start := time.Now()
	made := func(behind time.Duration, waiting int64) *Result {
		o := small()
		p := &pacer{schedule: schedule{start: start, rate: o.Rate}, from: 4500, late: newHistogram()}
		p.last = p.due(7499).Add(behind)
		return &Result{Config: o, events: 3000, pacer: p, usage: usage{end: reading{waiting: waiting}}}
	}
	require.Empty(t, made(5*time.Millisecond, 1400).NotHeld())
	require.Equal(t, "only 1000 events/s could be sent", made(time.Second, 0).NotHeld())
	require.Equal(t, "2.0 s worth of events waited at the end", made(0, 3000).NotHeld())
	require.Equal(t, "only 1000 events/s could be sent and 2.0 s worth of events waited at the end",
		made(time.Second, 3000).NotHeld())
}

// A run that is far behind is given up at once, is said not to have held its rate, and leaves out what it has no figure
// of.
func TestMeasureGivesUp(t *testing.T) {
	o := small()
	o.Behind = time.Nanosecond * 700_000 // one event, at this rate
	cluster, err := run.StartCluster(t.Context(), "", "kfake")
	require.NoError(t, err)
	defer cluster.Close()
	r, err := Measure(t.Context(), cluster, *o)
	require.NoError(t, err)
	require.True(t, r.GivenUp)
	require.False(t, r.Complete)
	require.Contains(t, r.NotHeld(), "given up")
	require.Contains(t, r.Values(), "most waiting")
}

func TestValuesAreFigures(t *testing.T) {
	start := time.Now()
	p := &pacer{schedule: schedule{start: start, rate: 1500}, late: newHistogram(), last: start.Add(time.Second)}
	r := &Result{Config: small(), events: 1500, pacer: p, probes: &probes{latency: newHistogram()}}
	values := r.Values() // of one reading
	require.NotContains(t, values, "judged")
	require.Contains(t, values, "sent")
	for name, v := range values {
		require.False(t, math.IsNaN(v) || math.IsInf(v, 0), name)
	}
	require.Nil(t, r.Tail())
}

func TestCheck(t *testing.T) {
	for _, c := range []struct {
		change func(*Config)
		err    string
	}{
		{func(*Config) {}, ""},
		{func(o *Config) { o.Rate = 0 }, "rate, partitions"},
		{func(o *Config) { o.Probes = o.Rate / 2 }, "probes"},
		{func(o *Config) { o.Warm = time.Second }, "warm-up"},
		{func(o *Config) { o.Duration = Limit }, "duration"},
	} {
		o := small()
		c.change(o)
		if err := o.Check(); c.err == "" {
			require.NoError(t, err)
		} else {
			require.ErrorContains(t, err, c.err)
		}
	}
}
