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
	"github.com/twmb/franz-go/pkg/kgo"

	"tocsin/bench/collect"
	"tocsin/bench/generate"
	"tocsin/bench/produce"
	"tocsin/bench/report"
	"tocsin/bench/run"
	"tocsin/bench/throughput"
)

// TestMain lets the test program be the measured process, as the load program is its own.
func TestMain(m *testing.M) {
	if !throughput.IsChild() {
		os.Exit(m.Run())
	}
	main()
}

// All kinds but the peer run to lag 0 on an in-process broker, and the job writes what the oracle expects.
func TestMeasureJobAndBareLoops(t *testing.T) {
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
	require.NoError(t, produce.CreateTopic(ctx, run.Reach(brokers), "in", partitions))
	_, err = produce.Stream(ctx, g, produce.Config{Kafka: run.Reach(brokers), Topic: "in", Partitions: partitions, To: 20_000,
		Ticks: true})
	require.NoError(t, err)

	var samples []throughput.Sample
	for i, kind := range []string{"job", "bare", "job", "bare", "consume", "write"} {
		s := throughput.Settings{Kind: kind, Brokers: brokers, App: fmt.Sprintf("load-test-%d", i), Input: "in", Key: string(cfg.Secret),
			Workers: 2, CloseAfter: 50 * time.Millisecond, Dir: t.TempDir()}
		got, err := throughput.Measure(ctx, s, "", 30*time.Second)
		require.NoError(t, err, kind)
		require.EqualValues(t, 20_000+partitions, got.Events)
		require.Positive(t, got.CPU)
		require.Greater(t, got.PeakRSS, int64(1<<20))
		if kind == "job" {
			require.NoError(t, check(ctx, g, s, partitions))
		}
		if kind == throughput.Write {
			keys := map[string]bool{}
			require.NoError(t, collect.Records(ctx, run.Reach(brokers), s.Processor().Changelog(), func(r *kgo.Record) error {
				keys[string(r.Key)] = true
				return nil
			}))
			require.Greater(t, len(keys), 1000, "of touched keys")
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
