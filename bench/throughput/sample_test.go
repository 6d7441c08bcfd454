package throughput

import (
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestWarmIsTheSecondHalf(t *testing.T) {
	s := Sample{Events: 1000, Total: 10 * time.Second, CPU: 5 * time.Second}
	require.InDelta(t, 100, s.Warm(), 1e-9, "no reading: the whole run")
	require.InDelta(t, 5000, s.warmCPUPerMillion(), 1e-9)
	s.Half = Reading{Events: 500, At: 8 * time.Second, CPU: 4 * time.Second}
	s.End = Reading{Events: 1000, At: 10 * time.Second, CPU: 4500 * time.Millisecond}
	require.InDelta(t, 250, s.Warm(), 1e-9)
	require.InDelta(t, 1000, s.warmCPUPerMillion(), 1e-9)

	s = Sample{Events: 1000}
	for _, n := range []int64{0, 499, 600, 800, 1000} {
		s.halfway(n, time.Duration(n)*time.Millisecond, os.Getpid())
	}
	require.EqualValues(t, 600, s.Half.Events)
	require.EqualValues(t, 1000, s.End.Events)
	require.Equal(t, time.Second, s.End.At)
	require.Positive(t, s.End.CPU)
	require.Greater(t, s.End.RSS, int64(1<<20))
}
