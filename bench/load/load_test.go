package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"

	"tocsin/bench/generate"
	"tocsin/bench/produce"
	"tocsin/bench/report"
)

// TestMain lets the test program be the measured process, as the load program is its own.
func TestMain(m *testing.M) {
	if os.Getenv(settingsEnv) == "" {
		os.Exit(m.Run())
	}
	main()
}

// Both kinds run to lag 0 on an in-process broker, and the job writes what the oracle expects.
func TestMeasureJobAndBareLoop(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
	require.NoError(t, err)
	defer cluster.Close()
	brokers := cluster.ListenAddrs()

	cfg := generate.Default(20_000)
	g, err := generate.New(cfg)
	require.NoError(t, err)
	const partitions = 3
	require.NoError(t, produce.CreateTopic(ctx, reach(brokers), "in", partitions))
	_, err = produce.Stream(ctx, g, produce.Config{Kafka: reach(brokers), Topic: "in", Partitions: partitions, To: 20_000,
		Ticks: true})
	require.NoError(t, err)

	var samples []sample
	for i, kind := range []string{"job", "bare", "job", "bare"} {
		s := settings{Kind: kind, Brokers: brokers, App: fmt.Sprintf("load-test-%d", i), Input: "in", Key: string(cfg.Secret),
			Workers: 2, CloseAfter: 50 * time.Millisecond, Dir: t.TempDir()}
		got, err := measure(ctx, s, "", 30*time.Second)
		require.NoError(t, err, kind)
		require.EqualValues(t, 20_000+partitions, got.Events)
		require.Positive(t, got.CPU)
		require.Greater(t, got.PeakRSS, int64(1<<20))
		if kind == "job" {
			require.NoError(t, check(ctx, g, s, partitions))
		}
		samples = append(samples, got)
	}
	o := options{kafka: "kfake", began: time.Now(), report: t.TempDir()}
	text := report.Text(o.result(samples))
	require.Contains(t, text, "job/bare")
	t.Log("\n" + text)
	require.NoError(t, o.show(samples))
	written, err := filepath.Glob(filepath.Join(o.report, "throughput-*-unknown.*"))
	require.NoError(t, err)
	require.Len(t, written, 2)
}

// A process that ends by itself is reported at once, not waited for.
func TestMeasureSaysWhenTheProcessEnds(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "in"))
	require.NoError(t, err)
	defer cluster.Close()
	_, err = measure(t.Context(), settings{Kind: "bare", Brokers: cluster.ListenAddrs(), App: "load-test", Input: "in",
		Key: "too short", Workers: 1}, "", time.Minute)
	// The empty topic is at its end from the start, so either the end or the exit comes first; both name the kind.
	require.Error(t, err)
}
