package report

import (
	"math"
	"slices"
)

// exactUpTo is how many values of both sides together are judged exactly. The normal approximation is good long before.
const exactUpTo = 80

// rankTest is the two-sided Wilcoxon rank sum (Mann–Whitney) test: the probability that values which differ by chance
// alone are sorted onto the two sides at least as unevenly as these. It is exact, ties included: the share of all ways
// to choose the first side among the values. It assumes nothing about how they are distributed, but that runs do not
// influence each other.
func rankTest(a, b []float64) float64 {
	ranks, sum := doubledRanks(a, b)
	n, all := len(a), len(a)+len(b)
	// Of the first side a doubled rank sum of n·(all+1) is expected.
	expected := n * (all + 1)
	off := sum - expected
	if off < 0 {
		off = -off
	}
	if all > exactUpTo {
		return normalRankTest(ranks, n, float64(off))
	}
	// ways[k][s]: how many choices of k values have doubled rank sum s.
	total := all * (all + 1)
	ways := make([][]float64, n+1)
	for k := range ways {
		ways[k] = make([]float64, total+1)
	}
	ways[0][0] = 1
	for _, rank := range ranks {
		for k := n; k >= 1; k-- {
			for s := total; s >= rank; s-- {
				ways[k][s] += ways[k-1][s-rank]
			}
		}
	}
	var uneven, every float64
	for s, w := range ways[n] {
		every += w
		if s-expected >= off || expected-s >= off {
			uneven += w
		}
	}
	return uneven / every
}

// doubledRanks are twice the ranks of all values, so that the mean ranks of ties are whole, and twice the rank sum of
// the first side.
func doubledRanks(a, b []float64) (ranks []int, sum int) {
	both := slices.Concat(a, b)
	slices.Sort(both)
	rank := func(v float64) int {
		first, _ := slices.BinarySearch(both, v)
		next := first
		for next < len(both) && both[next] == v {
			next++
		}
		return first + 1 + next
	}
	for _, v := range both {
		ranks = append(ranks, rank(v))
	}
	for _, v := range a {
		sum += rank(v)
	}
	return ranks, sum
}

// normalRankTest approximates by the normal distribution, with the variance of the ranks as they are, ties included.
func normalRankTest(ranks []int, n int, off float64) float64 {
	all := float64(len(ranks))
	var squares float64
	for _, r := range ranks {
		d := float64(r) - (all + 1)
		squares += d * d
	}
	variance := float64(n) * (all - float64(n)) / (all * (all - 1)) * squares
	if variance == 0 {
		return 1
	}
	return math.Erfc(max(off-1, 0) / math.Sqrt(2*variance)) // off-1: half a step, doubled, for continuity
}

// smallestP is the least that [rankTest] can give for so many values on each side.
func smallestP(n, m int) float64 {
	if n == 0 || m == 0 {
		return 1
	}
	ways := 1.0
	for i := 1; i <= n; i++ {
		ways *= float64(m+i) / float64(i)
	}
	return min(2/ways, 1)
}
