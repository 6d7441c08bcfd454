package main

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"tocsin/bench/report"
)

// The slope is found although a third of the points are anything.
func TestTheilSenIsRobust(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		slope := rapid.Float64Range(-5, 5).Draw(t, "slope")
		n := rapid.IntRange(10, 200).Draw(t, "n")
		var points []report.Point
		for i := range n {
			p := report.Point{X: float64(i), Y: 300 + slope*float64(i)}
			if i%4 == 3 {
				p.Y = rapid.Float64Range(-1e4, 1e4).Draw(t, "wild")
			}
			points = append(points, p)
		}
		require.InDelta(t, slope, theilSen(points), 1e-6)
	})
}

func TestTheilSenOfMany(t *testing.T) {
	var points []report.Point
	for i := range 14_000 {
		points = append(points, report.Point{X: float64(i), Y: 2 * float64(i)})
	}
	require.InDelta(t, 2, theilSen(points), 1e-9)
	require.Zero(t, theilSen(points[:1]))
	require.Zero(t, theilSen([]report.Point{{X: 1, Y: 1}, {X: 1, Y: 5}}), "no time has passed")
}

// What is found holds, and what is so much more does not.
func TestHighest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.IntRange(0, mostRate).Draw(t, "limit")
		from := rapid.IntRange(leastRate, 100_000).Draw(t, "from")
		precision := rapid.Float64Range(0.01, 0.5).Draw(t, "precision")
		tried := 0
		got, err := highest(from, precision, func(rate int) (bool, error) {
			tried++
			return rate <= limit, nil
		})
		require.NoError(t, err)
		require.LessOrEqual(t, got, limit)
		require.Less(t, tried, 30)
		if got > 0 {
			require.GreaterOrEqual(t, float64(got)*(1+precision), float64(min(limit, mostRate/2)))
		} else {
			require.Less(t, limit, 2*leastRate)
		}
	})
	_, err := highest(1000, 0.1, func(int) (bool, error) { return false, errors.New("broken") })
	require.EqualError(t, err, "broken")
}
