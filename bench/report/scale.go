package report

import (
	"math"
	"strconv"
)

// scale puts values on a line of a plot, from pixel from to pixel to.
type scale struct {
	low, high float64
	from, to  float64
	log       bool
}

// least is a difference too small to be drawn: steps between ticks must not become nothing.
const least = 1e-9

// linear begins at zero, so that lengths can be compared by eye, unless there are values below.
func linear(low, high, from, to float64) scale {
	low, high = min(low, 0), max(high, 0)
	if high-low < least {
		high = low + 1
	}
	return scale{low: low, high: high + (high-low)*0.04, from: from, to: to}
}

// wide is logarithmic where the values lie further apart than a line shows, else linear.
func wide(low, high, from, to float64) scale {
	const far = 30
	if low < least || high < far*low {
		return linear(low, high, from, to)
	}
	return scale{low: low / 1.2, high: high * 1.2, from: from, to: to, log: true}
}

func (s scale) at(v float64) float64 {
	part := (v - s.low) / (s.high - s.low)
	if s.log {
		part = math.Log(v/s.low) / math.Log(s.high/s.low)
	}
	return s.from + part*(s.to-s.from)
}

// tick is a mark on an axis.
type tick struct{ At, Label string }

// ticks are round values that lie on the scale: about five of a linear one; of a logarithmic one powers of ten, and 2
// and 5 between them where there are few.
func (s scale) ticks() (ticks []tick) {
	add := func(v float64) {
		if v >= s.low-1e-9*math.Abs(s.low) && v <= s.high {
			ticks = append(ticks, tick{pixel(s.at(v)), number(v)})
		}
	}
	if s.log {
		steps := []float64{1, 2, 5}
		if s.high/s.low > 3000 {
			steps = steps[:1]
		}
		for decade := math.Pow(10, math.Floor(math.Log10(s.low))); decade <= s.high; decade *= 10 {
			for _, step := range steps {
				add(step * decade)
			}
		}
		return ticks
	}
	rough := (s.high - s.low) / 5
	step := math.Pow(10, math.Floor(math.Log10(rough)))
	for _, factor := range []float64{5, 2} {
		if rough >= factor*step {
			step *= factor
			break
		}
	}
	for i := math.Ceil(s.low / step); i*step <= s.high; i++ {
		add(i * step)
	}
	return ticks
}

// pixel is a coordinate as text: tenths are finer than anybody sees.
func pixel(v float64) string { return strconv.FormatFloat(v, 'f', 1, 64) }
