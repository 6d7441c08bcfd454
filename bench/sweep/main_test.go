package main

import (
	"context"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"tocsin/bench/report"
	"tocsin/bench/run"
	"tocsin/bench/steady"
	"tocsin/bench/throughput"
	"tocsin/processor/app"
	"tocsin/processor/detect"
)

// TestMain lets the test program be the measured process, as the sweep program is its own.
func TestMain(m *testing.M) {
	if !throughput.IsChild() && !steady.IsChild() {
		goleak.VerifyTestMain(m)
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	err := start(ctx, nil)
	stop()
	if err != nil {
		os.Exit(1)
	}
}

// small runs a scenario on an in-process broker, with flags, and gives the result that it has written.
func small(t *testing.T, args ...string) *report.Result {
	t.Helper()
	folder := t.TempDir()
	flags := []string{"-kafka", "kfake", "-rounds", "1", "-calm", "0s", "-stall", "5m", "-partitions", "2", "-principals", "500",
		"-report", folder}
	o, s, err := parse(append(append([]string{args[0]}, flags...), args[1:]...))
	require.NoError(t, err)
	cluster, err := run.StartCluster(t.Context(), "", o.kafka)
	require.NoError(t, err)
	defer cluster.Close()
	require.NoError(t, s.measure(t.Context(), o, cluster))
	files, err := filepath.Glob(filepath.Join(folder, args[0]+"-*.json"))
	require.NoError(t, err)
	require.Len(t, files, 1)
	r, err := report.Load(files[0])
	require.NoError(t, err)
	require.Equal(t, args[0], r.Scenario)
	return r
}

// at are the samples of a kind, by value of the parameter; 0 where there is none.
func at(r *report.Result, kind string) map[float64]report.Sample {
	found := map[float64]report.Sample{}
	for _, s := range r.Samples {
		switch {
		case s.Kind != kind:
		case s.At == nil:
			found[0] = s
		default:
			found[*s.At] = s
		}
	}
	return found
}

// Each point judges what came after the restart, all of it, and is put in relation to the one of 100,000.
func TestPrincipals(t *testing.T) {
	r := small(t, "principals", "-points", "100,100000", "-records", "3000", "-before", "2000", "-warm", "1")
	jobs, uniform := at(r, "job"), at(r, "uniform")
	require.Len(t, jobs, 2)
	require.Len(t, uniform, 1)
	for _, s := range []report.Sample{jobs[100], jobs[100_000], uniform[100_000]} {
		require.EqualValues(t, 3000, s.Values["events"])
		require.Positive(t, s.Values[throughput.PeakRSS])
		require.Positive(t, s.Values["steady rate to that of 100,000 principals"])
	}
	require.EqualValues(t, 1, jobs[100_000].Values["steady rate to that of 100,000 principals"])
	require.InEpsilon(t, jobs[100].Values[throughput.SteadyRate]/jobs[100_000].Values[throughput.SteadyRate],
		jobs[100].Values["steady rate to that of 100,000 principals"], 1e-9)
}

// The topic has the partitions of the point: the bare loop beside it commits in every one of them.
func TestPartitions(t *testing.T) {
	r := small(t, "partitions", "-points", "1,8", "-records", "3000", "-warm", "0", "-bare")
	require.Len(t, at(r, "job"), 2)
	for n, s := range at(r, throughput.Bare) {
		require.EqualValues(t, 3000, s.Values["events"], n)
	}
	require.Contains(t, report.Text(r), "job/bare")
	require.EqualValues(t, 1, at(r, "job")[8].Values["steady rate to that of 8 partitions"])
}

func TestHotKey(t *testing.T) {
	r := small(t, "hotkey", "-records", "4000", "-warm", "0")
	require.EqualValues(t, 1, at(r, "no hot key")[0].Values["steady rate to that of no hot key"])
	hot := at(r, "30 % hot")[0]
	require.EqualValues(t, 4000, hot.Values["events"])
	require.Positive(t, hot.Values["steady rate to that of no hot key"])
}

// The copies are rules: a configuration with them has as many as were asked for, each with a threshold of its own, and
// the job judges with them.
func TestRules(t *testing.T) {
	r := small(t, "rules", "-points", "8,100", "-records", "3000", "-warm", "0")
	require.Len(t, at(r, "job"), 2)
	require.EqualValues(t, 1, at(r, "job")[8].Values["steady rate to that of 8 rules"])

	for _, n := range []int{6, 8, 100, 1000} {
		path := filepath.Join(t.TempDir(), "rules.yaml")
		require.NoError(t, writeRules(path, n))
		loaded, err := app.Load(app.LoadInput{File: path})
		require.NoError(t, err)
		set, err := detect.Compile(loaded.Detect())
		require.NoError(t, err)
		org := set.For(nil)
		require.Len(t, org.Rules(), n-1, "and the one of integrity")
		versions := map[[8]byte]bool{}
		for _, rule := range org.Rules() {
			versions[rule.Version] = true
		}
		require.Len(t, versions, n-1)
	}
}

// Short and long transactions of either size, and latency where it was asked for.
func TestTransactions(t *testing.T) {
	r := small(t, "transactions", "-points", "20,100", "-sizes", "50,20000", "-latency", "100", "-records", "2000",
		"-warm", "0", "-rate", "600", "-probes", "30", "-duration", "1s", "-lead", "3s")
	require.Len(t, at(r, "50 records"), 2)
	withLatency := 0
	for _, s := range r.Samples {
		if s.Tail == nil {
			require.EqualValues(t, 2000, s.Values["events"])
			continue
		}
		withLatency++
		require.Equal(t, "20000 records", s.Kind)
		require.EqualValues(t, 100, *s.At)
		require.EqualValues(t, 30, s.Values["probes"])
	}
	require.Equal(t, 1, withLatency)
	require.Len(t, r.Samples, 5)
}

// Sizes are read from the warm-up on, and the slope is of those after it.
func TestMemory(t *testing.T) {
	r := small(t, "memory", "-rate", "300", "-probes", "10", "-duration", "6s", "-lead", "3s")
	require.Len(t, r.Samples, 1)
	s := r.Samples[0]
	require.Contains(t, s.Values, "slope")
	require.Greater(t, s.Values["RSS"], 5.0)
	require.GreaterOrEqual(t, s.Values["highest RSS"], s.Values["RSS"])
	require.Greater(t, len(s.Trace), int(s.Values["RSS readings"]))
	require.GreaterOrEqual(t, s.Values["RSS readings"], 2.0, "of seven: on a busy machine ticks are left out")
}

// Steps at parts of the highest rate, and a search that ends at a rate it has tried.
func TestLatency(t *testing.T) {
	r := small(t, "latency", "-max", "2400", "-rate", "600", "-probes", "30", "-duration", "1s", "-lead", "3s", "-records",
		"1000", "-warm", "0", "-from", "500", "-step", "1s", "-precision", "3", "-limit", "1ns")
	jobs := at(r, "job")
	require.Len(t, jobs, 4)
	for _, rate := range []float64{600, 1200, 1920} {
		require.NotEmpty(t, jobs[rate].Values, rate)
	}
	require.Zero(t, jobs[0].Values[highestRate], "nothing is as fast as that")
	require.Len(t, jobs[0].Trace, 2, "tried twice, and not at less than is possible")
}

func TestParse(t *testing.T) {
	for _, c := range []struct {
		err  string
		args []string
	}{
		{"usage: sweep SCENARIO", nil},
		{"is no scenario", []string{"sizes"}},
		{"flags come after", []string{"rules", "8"}},
		{"no positive whole number", []string{"rules", "-points", "8,many"}},
		{"only streams is known", []string{"latency", "-peer", "flink"}},
		{"must be positive", []string{"rules", "-rounds", "0"}},
	} {
		_, _, err := parse(c.args)
		require.ErrorContains(t, err, c.err)
	}
	o, _, err := parse([]string{"principals", "-records", "5000"})
	require.NoError(t, err)
	require.Equal(t, 2_000_000, o.before)
	o, _, err = parse([]string{"memory"})
	require.NoError(t, err)
	require.Equal(t, time.Hour, o.duration)
	o, _, err = parse([]string{"transactions", "-latency", "none"})
	require.NoError(t, err)
	require.Empty(t, o.latencyPoints)
}
