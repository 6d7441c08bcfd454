package soak

import (
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"
)

// A rebalance takes one abort, before or after it.
func TestBeyond(t *testing.T) {
	for _, c := range []struct {
		aborts []int64
		want   int64
	}{
		{[]int64{0}, 0},
		{[]int64{0, 0, 0, 0, 0, 0}, 0},
		{[]int64{0, 1, 1, 1, 1}, 0},
		{[]int64{0, 2, 0}, 0}, // one late, one early
		{[]int64{0, 2, 1, 1}, 0},
		{[]int64{0, 2, 2}, 1},
		{[]int64{0, 0, 3, 0}, 1},
		{[]int64{0, 0, 0, 0, 0, 5}, 3}, // quiet rebalances do not pay for others
		{[]int64{0, 5, 0, 0, 0, 0}, 3},
		{[]int64{2}, 1},
	} {
		require.Equal(t, c.want, beyond(c.aborts), "%v", c.aborts)
	}
}

// What the processor and its Kafka client log is understood; an assignment refused is no generation.
func TestRebalances(t *testing.T) {
	r := newRebalances()
	log := slog.New(noting{r, slog.DiscardHandler}).With("worker", 0)
	client := func(text string, args ...any) { log.Debug("kafka client", append([]any{"message", text}, args...)...) }
	client("joined", "generation", int32(4), "leader", false)
	client("sync failed with RebalanceInProgress, rejoining")
	client("joined, balancing group", "generation", int32(5))
	client("synced", "group", "g")
	log.Info("transaction aborted, its records come again", "reason", "group")
	client("joined", "generation", int32(5))
	client("synced", "group", "g")
	log.Warn("starting over with a new client; the state is restored from the changelog")
	log.Info("transaction aborted, its records come again", "reason", "other")
	generations, aborts, surplus := r.sum()
	require.EqualValues(t, 1, generations)
	require.EqualValues(t, 3, aborts)
	require.EqualValues(t, 1, surplus)
}
