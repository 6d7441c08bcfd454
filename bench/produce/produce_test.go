package produce

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"

	"tocsin/bench/generate"
	"tocsin/topics"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestStreamLandsWhereItIsExpected(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
	require.NoError(t, err)
	defer cluster.Close()
	kafka := []kgo.Opt{kgo.SeedBrokers(cluster.ListenAddrs()...)}

	cfg := generate.Default(5000)
	cfg.TooLarge = 1
	g, err := generate.New(cfg)
	require.NoError(t, err)
	require.NoError(t, CreateTopic(ctx, kafka, "in", 3))
	const half = 2500 // in three parts
	first, err := Stream(ctx, g, Config{Kafka: kafka, Topic: "in", Partitions: 3, To: half})
	require.NoError(t, err)
	second, err := Stream(ctx, g, Config{Kafka: kafka, Topic: "in", Partitions: 3, From: half, To: 5000, Ticks: true,
		Before: func(_ context.Context, record int) error {
			if record == 4000 {
				return ErrEnough
			}
			return nil
		}})
	require.NoError(t, err)
	third, err := Stream(ctx, g, Config{Kafka: kafka, Topic: "in", Partitions: 3, From: 4000, Next: second.Next, To: 5000,
		Ticks: true})
	require.NoError(t, err)
	require.Equal(t, 5003, first.Records+second.Records+third.Records)

	want, err := g.Expect(5000, 3, true)
	require.NoError(t, err)
	cl, err := kgo.NewClient(append(kafka, kgo.ConsumeTopics("in"))...)
	require.NoError(t, err)
	defer cl.Close()
	next := make([]int64, 3)
	ticks := 0
	for n := 0; n < 5003; {
		fetches := cl.PollFetches(ctx)
		require.NoError(t, fetches.Err())
		fetches.EachRecord(func(r *kgo.Record) {
			require.Equal(t, next[r.Partition], r.Offset)
			next[r.Partition]++
			n++
			if len(r.Headers) == 1 && r.Headers[0].Key == topics.HeaderTick {
				ticks++
				require.Equal(t, g.TickAt(), r.Timestamp.UnixNano())
			} else {
				require.Equal(t, generate.Partition(r.Key, 3), r.Partition)
			}
		})
	}
	require.Equal(t, 3, ticks)
	require.Equal(t, want.Next, next)

	// A second stream into the same topic is found out.
	_, err = Stream(ctx, g, Config{Kafka: kafka, Topic: "in", Partitions: 3, To: 10})
	require.ErrorContains(t, err, "the topic was not new")
}
