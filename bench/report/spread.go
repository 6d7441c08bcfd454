package report

import (
	"fmt"
	"math"
	"slices"
	"strconv"
)

// Spread is a median with the lowest and the highest value, of N.
type Spread struct {
	N                 int
	Median, Low, High float64
}

// SpreadOf is the spread of the values, which may be in any order; zero of none.
func SpreadOf(values []float64) Spread {
	n := len(values)
	if n == 0 {
		return Spread{}
	}
	v := slices.Sorted(slices.Values(values))
	return Spread{N: n, Median: (v[(n-1)/2] + v[n/2]) / 2, Low: v[0], High: v[n-1]}
}

// String is the median and, of more than one value, the range.
func (s Spread) String() string {
	switch s.N {
	case 0:
		return "-"
	case 1:
		return number(s.Median)
	}
	return fmt.Sprintf("%s (%s–%s)", number(s.Median), number(s.Low), number(s.High))
}

// number shows a figure with four digits that mean something, and groups of three.
func number(v float64) string {
	size, digits := max(v, -v), 3
	switch {
	case size >= 1000 || math.Abs(v-math.Round(v)) < 1e-9*size || v == 0: // whole, but for the errors of arithmetic
		digits = 0
	case size >= 100:
		digits = 1
	case size >= 10:
		digits = 2
	case size < 0.01:
		digits = 4
	}
	text := strconv.FormatFloat(v, 'f', digits, 64)
	whole, rest := text, ""
	if digits > 0 {
		whole, rest = text[:len(text)-digits-1], text[len(text)-digits-1:]
	}
	for i := len(whole) - 3; i > 0 && whole[i-1] != '-'; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	return whole + rest
}
