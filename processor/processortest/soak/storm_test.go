package soak

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"

	"tocsin/processor/processortest/kafkatest"
)

// TestStorm lets a member join or leave every two seconds for TOCSIN_STORM seconds, on the in-process broker and on
// Kafka. Something is committed in every 5 and 15 seconds of it.
func TestStorm(t *testing.T) {
	onlyWhenAsked(t)
	t.Run("kfake", func(t *testing.T) {
		c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.BrokerConfigs(map[string]string{
			"message.max.bytes": "10485760", "group.initial.rebalance.delay.ms": "0"}))
		require.NoError(t, err)
		defer c.Close()
		testStorm(t, c.ListenAddrs(), 5)
	})
	t.Run("kafka", func(t *testing.T) { testStorm(t, kafkatest.Start(t, kafkatest.Config{Patient: true}).Addrs(), 15) })
}

func testStorm(t *testing.T, brokers []string, gap float64) {
	t.Helper()
	dir, err := os.MkdirTemp("", "tocsin-storm-") //nolint:usetesting // kept after a failure
	require.NoError(t, err)
	r, err := Storm(t.Context(), StormConfig{
		Brokers: brokers, Dir: dir, Seed: uint64(number(t, "TOCSIN_SEED", 1)), Every: 2 * time.Second,
		Lasting: time.Duration(number(t, "TOCSIN_STORM", 20)) * time.Second, Rate: number(t, "TOCSIN_RATE", 2000),
		Commit: os.Getenv("TOCSIN_COMMIT"), Say: t.Logf,
	})
	require.NoError(t, err, "logs are in %s", dir)
	fmt.Printf("%s: %d s, %d joins, %d leaves, %d rebalances gone through, %d events, %d transactions committed, %d aborted, "+
		"%d clients replaced, %d of these beyond one in a rebalance, longest without a commit %.2f s, %d differences, %d twice\n",
		t.Name(), r.Seconds, r.Joins, r.Leaves, r.Rebalances, r.Events, r.Committed, r.Aborted, r.Replaced, r.Surplus, r.Gap,
		r.Differences, r.Twice)
	if folder := os.Getenv("TOCSIN_REPORT"); folder != "" {
		name := filepath.Join(folder, "storm-"+filepath.Base(t.Name()))
		require.NoError(t, Write(name+".json", r))
		require.NoError(t, r.writeMarkdown(name+".md", filepath.Base(t.Name()), gap))
	}
	require.Empty(t, r.Failures)
	require.Zero(t, r.Differences+r.Twice)
	require.LessOrEqual(t, r.Gap, gap)
	require.Positive(t, r.Joins)
	require.Positive(t, r.Leaves)
	require.Positive(t, r.Rebalances)
	require.NoError(t, os.RemoveAll(dir))
}
