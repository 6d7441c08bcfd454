package steady

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestScheduleHasAConstantRate(t *testing.T) {
	s := schedule{rate: 3}
	for i, want := range []time.Duration{0, time.Second / 3, 2 * time.Second / 3, time.Second} {
		require.Equal(t, want, s.after(i))
	}
	require.Equal(t, 4*time.Hour, schedule{rate: 1_000_000}.after(4*3600*1_000_000), "no overflow")
	rapid.Check(t, func(t *rapid.T) {
		s := schedule{rate: rapid.IntRange(1, 2_000_000).Draw(t, "rate")}
		i := rapid.IntRange(0, s.rate*4*3600).Draw(t, "i")
		gap := s.after(i+1) - s.after(i)
		require.LessOrEqual(t, (gap - time.Second/time.Duration(s.rate)).Abs(), time.Nanosecond)

		after := time.Duration(rapid.Int64Range(0, int64(4*time.Hour)).Draw(t, "after"))
		first := s.first(after)
		require.GreaterOrEqual(t, s.after(first)+time.Nanosecond, after, "after is cut to whole nanoseconds")
		if first > 0 {
			require.Less(t, s.after(first-1), after)
		}
	})
}

// No event goes before its time, and one that is late goes at once and counts from when it was due.
func TestPacerHoldsBackUntilDue(t *testing.T) {
	p := &pacer{schedule: schedule{start: time.Now(), rate: 1000}, from: 3, late: newHistogram()}
	for i := range 20 {
		require.NoError(t, p.before(t.Context(), i))
		require.False(t, time.Now().Before(p.due(i)))
		require.False(t, p.last.Before(p.due(i)))
	}
	require.EqualValues(t, 17, p.late.TotalCount(), "warm-up does not count")

	p = &pacer{schedule: schedule{start: time.Now().Add(-time.Hour), rate: 1000}, late: newHistogram()}
	require.NoError(t, p.before(t.Context(), 0))
	require.GreaterOrEqual(t, quantile(p.late, 100), time.Hour-time.Second)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	p = &pacer{schedule: schedule{start: time.Now().Add(time.Hour), rate: 1}, late: newHistogram()}
	require.ErrorIs(t, p.before(ctx, 0), context.Canceled)
}

func TestDayAvoidsTheNight(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		start := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC).Add(
			time.Duration(rapid.Int64Range(0, int64(24*time.Hour)-1).Draw(t, "start")))
		length := time.Duration(rapid.Int64Range(0, int64(Limit)-1).Draw(t, "length"))
		begin := start.Add(day(start, length))
		end := begin.Add(length)
		require.Equal(t, begin.YearDay(), end.YearDay())
		require.GreaterOrEqual(t, begin.Hour(), 6)
		require.Less(t, end.Hour(), 22)
	})
	noon := time.Date(2026, 3, 2, 13, 0, 0, 0, time.FixedZone("", 3600))
	require.Zero(t, day(noon, time.Hour), "by day times are those of the clock")
}

func TestHistogramKeepsWhatIsOutOfBounds(t *testing.T) {
	h := newHistogram()
	record(h, -time.Second)
	record(h, 100*longest)
	require.EqualValues(t, 2, h.TotalCount())
	require.InEpsilon(t, longest.Seconds(), quantile(h, 100).Seconds(), 0.001)
	for i := range 1000 {
		record(h, time.Duration(i)*time.Millisecond)
	}
	require.InEpsilon(t, 0.5, quantile(h, 50).Seconds(), 0.01)
}
