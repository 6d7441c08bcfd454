package throughput

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tocsin/bench/generate"
	"tocsin/bench/run"
)

// TestMain lets the test program be the measured process.
func TestMain(m *testing.M) {
	if !IsChild() {
		os.Exit(m.Run())
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	_, err := Child(ctx)
	stop()
	if err != nil {
		os.Exit(1)
	}
}

func fill(t *testing.T, brokers []string, records int) *Input {
	t.Helper()
	g, err := generate.New(generate.Default(records))
	require.NoError(t, err)
	return &Input{Brokers: brokers, Topic: "in", Stream: g, Partitions: 2, Progress: t.Output()}
}

// A job that is started again with its state has only the events to judge that came since.
func TestMeasureGoesOnWhereTheGroupIs(t *testing.T) {
	cluster, err := run.StartCluster(t.Context(), "", "kfake")
	require.NoError(t, err)
	defer cluster.Close()
	in := fill(t, cluster.Brokers, 5000)
	s := Settings{Kind: Job, Brokers: cluster.Brokers, App: "again", Input: in.Topic, Dir: t.TempDir(),
		Key: string(generate.Default(1).Secret), CloseAfter: 50 * time.Millisecond}
	for _, part := range []struct{ to, events int }{{3000, 3000}, {5000, 2000}} {
		require.NoError(t, in.Fill(t.Context(), part.to))
		got, err := Measure(t.Context(), s, "", 30*time.Second)
		require.NoError(t, err)
		require.EqualValues(t, part.events, got.Events)
		require.Positive(t, got.Rate())
	}
	_, err = Measure(t.Context(), s, "", 30*time.Second)
	require.ErrorContains(t, err, "nothing to measure")
}

// A process that ends by itself is reported at once, not waited for.
func TestMeasureSaysWhenTheProcessEnds(t *testing.T) {
	cluster, err := run.StartCluster(t.Context(), "", "kfake")
	require.NoError(t, err)
	defer cluster.Close()
	in := fill(t, cluster.Brokers, 10)
	require.NoError(t, in.Fill(t.Context(), 10))
	_, err = Measure(t.Context(), Settings{Kind: Bare, Brokers: cluster.Brokers, App: "ends", Input: in.Topic,
		Key: "too short", Workers: 1}, "", time.Minute)
	require.ErrorIs(t, err, run.ErrEnded)
}
