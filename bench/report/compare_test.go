package report

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// runs are of a job that uses factor times the CPU of the bare loop, give or take a little, on a machine that drifts.
func runs(n int, factor, machine float64) *Result {
	r := madeUp("throughput")
	r.Metrics = []Metric{{Name: "CPU", Unit: "s/million", Better: Lower, Headline: true, Drifts: true},
		{Name: "rate", Unit: "events/s", Better: Higher, Drifts: true}, {Name: "peak RSS", Unit: "MiB", Better: Lower},
		{Name: "stolen", Unit: "cores", Better: Neither}}
	for i := range n {
		drift := machine * (1 + 0.1*float64(i*7%10))
		wobble := 1 + 0.01*float64(i*3%5)
		r.Samples = append(r.Samples,
			Sample{Kind: "job", Round: i, Values: map[string]float64{"CPU": 4 * factor * drift * wobble,
				"rate": 400_000 / (factor * drift * wobble), "peak RSS": 500 + float64(i*i%7), "stolen": 0.1}},
			Sample{Kind: Bare, Round: i, Values: map[string]float64{"CPU": 4 * drift, "rate": 400_000 / drift}})
	}
	return r
}

func find(t *testing.T, c *Comparison, metric, of string) Change {
	t.Helper()
	for _, change := range c.Changes {
		if change.Metric.Name == metric && change.Of == of {
			return change
		}
	}
	require.Failf(t, "no change", "%s of %s", metric, of)
	return Change{}
}

func TestCompareClearChange(t *testing.T) {
	c, err := Compare(runs(5, 1.2, 1), runs(5, 1.08, 3)) // a tenth less, on a machine a third as fast
	require.NoError(t, err)
	cpu := find(t, c, "CPU", "job")
	require.Equal(t, BetterNow, cpu.Verdict)
	require.True(t, cpu.Scaled)
	require.InDelta(t, 0.9, cpu.Ratio, 1e-9)
	require.InDelta(t, 2.0/252, cpu.P, 1e-12)
	require.Greater(t, cpu.MeasuredB.Median, cpu.MeasuredA.Median)
	require.Equal(t, BetterNow, find(t, c, "rate", "job").Verdict)
	require.Equal(t, NoChange, find(t, c, "peak RSS", "job").Verdict)
	bare := find(t, c, "CPU", Bare)
	require.Equal(t, WorseNow, bare.Verdict)
	require.True(t, bare.MayBeMachine)
	golden(t, "compare-change.txt", c.Text())

	back, err := Compare(c.B, c.A)
	require.NoError(t, err)
	require.Equal(t, WorseNow, find(t, back, "CPU", "job").Verdict)
}

// Four runs on each side are enough for a suspicion.
func TestComparePerhaps(t *testing.T) {
	c, err := Compare(runs(4, 1.2, 1), runs(4, 1, 1))
	require.NoError(t, err)
	require.Equal(t, PerhapsBetter, find(t, c, "CPU", "job").Verdict)
	c, err = Compare(c.B, c.A)
	require.NoError(t, err)
	require.Equal(t, PerhapsWorse, find(t, c, "rate", "job").Verdict)
}

func TestCompareNoChange(t *testing.T) {
	c, err := Compare(runs(5, 1.2, 1), runs(6, 1.2, 2))
	require.NoError(t, err)
	require.Equal(t, NoChange, find(t, c, "CPU", "job").Verdict)
	require.Equal(t, NoChange, find(t, c, "rate", "job").Verdict)
}

func TestCompareTooFew(t *testing.T) {
	a, b := runs(3, 1.2, 1), runs(3, 0.6, 1)
	b.Machine.Cores = 4
	b.Settings = map[string]string{"records": "100", "new": "1"}
	c, err := Compare(a, b)
	require.NoError(t, err)
	require.Equal(t, TooFew, find(t, c, "CPU", "job").Verdict)
	require.InDelta(t, 0.5, find(t, c, "CPU", "job").Ratio, 1e-9)
	require.Len(t, c.Differences, 4)
	golden(t, "compare-few.txt", c.Text())
}

// Without the bare loop, figures are as measured; runs that do not count are left out; what one side lacks is said.
func TestCompareWithoutBareLoop(t *testing.T) {
	a, b := runs(5, 1, 1), runs(5, 2, 1)
	b.Samples = append(b.Samples, Sample{Kind: "streams", Values: map[string]float64{"CPU": 19}})
	for i := range a.Samples {
		if a.Samples[i].Kind == Bare {
			a.Samples[i].Void = "disturbed"
		}
	}
	c, err := Compare(a, b)
	require.NoError(t, err)
	cpu := find(t, c, "CPU", "job")
	require.Equal(t, WorseNow, cpu.Verdict)
	require.False(t, cpu.Scaled)
	require.True(t, cpu.MayBeMachine)
	require.Equal(t, OnlyInB, find(t, c, "CPU", Bare).Verdict)
	require.Equal(t, OnlyInB, find(t, c, "CPU", "streams").Verdict)
	require.Contains(t, c.Text(), "worse, or the machine is another")
}

func TestCompareSweep(t *testing.T) {
	c, err := Compare(latency(), latency())
	require.NoError(t, err)
	require.Equal(t, TooFew, find(t, c, "event to alert p99", "job at 20,000").Verdict)
}

func TestCompareRefuses(t *testing.T) {
	_, err := Compare(throughput(), latency())
	require.ErrorContains(t, err, "A is of scenario throughput and B of latency")
	b := runs(2, 1, 1)
	b.Metrics[0].Unit = "ms"
	_, err = Compare(runs(2, 1, 1), b)
	require.ErrorContains(t, err, "metric CPU is not the same in A and B")
	_, err = Compare(madeUp("none"), madeUp("none"))
	require.ErrorContains(t, err, "neither result has runs")
}

// Figures from R: wilcox.test(a, b, exact = TRUE).
func TestRankTest(t *testing.T) {
	require.InDelta(t, 2.0/20, rankTest([]float64{1, 2, 3}, []float64{4, 5, 6}), 1e-12)
	require.InDelta(t, 2.0/252, rankTest([]float64{6, 7, 8, 9, 10}, []float64{1, 2, 3, 4, 5}), 1e-12)
	require.InDelta(t, 1, rankTest([]float64{1, 4}, []float64{2, 3}), 1e-12)
	require.InDelta(t, 1, rankTest([]float64{2, 2, 2, 2}, []float64{2, 2, 2, 2}), 1e-12)
	require.InDelta(t, 2.0/70, smallestP(4, 4), 1e-12)
	require.InDelta(t, 1, smallestP(0, 4), 1e-12)
}

// The test agrees with counting all ways to choose the first side, ties included.
func TestRankTestCountsAllChoices(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.Map(rapid.IntRange(0, 6), func(i int) float64 { return float64(i) }), 2, 10).Draw(t, "v")
		n := rapid.IntRange(1, len(values)-1).Draw(t, "n")
		sum := func(choice uint) (u float64) { // how often the first side is above the other, ties half
			for i, a := range values {
				for j, b := range values {
					if choice>>i&1 == 1 && choice>>j&1 == 0 {
						switch {
						case a > b:
							u++
						case a == b:
							u += 0.5
						}
					}
				}
			}
			return math.Abs(u - float64(n*(len(values)-n))/2)
		}
		seen := sum(1<<n - 1)
		var uneven, all float64
		for choice := range uint(1) << len(values) {
			ones := 0
			for i := range values {
				ones += int(choice >> i & 1)
			}
			if ones != n {
				continue
			}
			all++
			if sum(choice) >= seen {
				uneven++
			}
		}
		p := rankTest(values[:n], values[n:])
		require.InDelta(t, uneven/all, p, 1e-9)
	})
}

// Beyond exactUpTo the approximation goes on where the exact test ended.
func TestRankTestOfMany(t *testing.T) {
	var a, b []float64
	for i := range 41 {
		a, b = append(a, float64(i)), append(b, float64(i)+6.5)
	}
	exact, approximate := rankTest(a[:40], b[:40]), rankTest(a, b)
	require.InDelta(t, exact, approximate, 0.01)
	require.Less(t, approximate, noise)
}
