package report

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
)

// linePlot shows medians along an axis, one line for each kind or group, with the range as an upright line at each.
type linePlot struct {
	Title, XTitle                       string
	Width, Height, Left, Right, Base    string
	TickEnd, TickLabel, XTitleY, LabelX string
	XTicks, YTicks                      []tick
	Lines                               []line
}

type line struct {
	Label, Class, LabelY string
	Points               string // of the polyline
	Marks                []mark
}

type mark struct{ X, Y, Low, High, Title string }

// course is a line before it is drawn.
type course struct {
	label, class string
	x            []float64
	y            []Spread
	plain        bool // no marks: there are too many points for that
}

// sweeps are the plots of the metrics that are put in relation along the parameter.
func (r *Result) sweeps() (plots []linePlot) {
	points := r.points()
	if len(points) < 2 {
		return nil
	}
	for _, q := range r.quantities() {
		if q.Better == Neither {
			continue
		}
		var courses []course
		for _, kind := range r.kinds() {
			c := course{label: kind, class: r.class(kind)}
			for _, at := range points {
				if s := SpreadOf(q.of(r, group{kind, at, true})); s.N > 0 {
					c.x, c.y = append(c.x, at), append(c.y, s)
				}
			}
			if len(c.x) > 0 {
				courses = append(courses, c)
			}
		}
		if len(courses) > 0 {
			x := wide(points[0], points[len(points)-1], plotLeft, plotRight-130)
			plots = append(plots, draw(q.Title(), r.Parameter.Title(), x, x.ticks(), courses))
		}
	}
	return plots
}

// percentiles is the plot of the latencies; nil where there are none. Its axis spreads what lies near 100 %: 99 stands
// as far from 90 as 90 from 0, and the longest at the end.
func (r *Result) percentiles() *linePlot {
	percents := r.percents()
	if len(percents) == 0 {
		return nil
	}
	nines := func(percent float64) float64 { return -math.Log10(1 - percent/100) }
	last := 0.0
	for _, p := range percents {
		if p < 100 {
			last = max(last, nines(p))
		}
	}
	place := func(percent float64) float64 {
		if percent == 100 {
			return last + 1
		}
		return nines(percent)
	}
	x := scale{low: 0, high: last + 1, from: plotLeft, to: plotRight - 130}
	var ticks []tick
	for _, p := range percents {
		ticks = append(ticks, tick{pixel(x.at(place(p))), percentName(p)})
	}
	all := r.quantities()
	tails := all[len(all)-len(percents):] // they come last, in the same order
	var courses []course
	for _, g := range r.groups() {
		c := course{label: g.label(), class: r.class(g.kind)}
		for i, q := range tails {
			if s := SpreadOf(q.of(r, g)); s.N > 0 {
				c.x, c.y = append(c.x, place(percents[i])), append(c.y, s)
			}
		}
		if len(c.x) > 0 {
			courses = append(courses, c)
		}
	}
	if len(courses) == 0 {
		return nil
	}
	p := draw(r.Latency.Title(), "percentile", x, ticks, courses)
	return &p
}

// traces is the plot of the traces, a line for each run that has one; nil where none has.
func (r *Result) traces() *linePlot {
	var courses []course
	low, high := math.Inf(1), math.Inf(-1)
	for i := range r.Samples {
		s := &r.Samples[i]
		if len(s.Trace) == 0 {
			continue
		}
		c := course{label: fmt.Sprintf("%s, round %d", groupOf(s).label(), s.Round+1), class: r.class(s.Kind), plain: true}
		for _, p := range s.Trace {
			c.x, c.y = append(c.x, p.X), append(c.y, Spread{1, p.Y, p.Y, p.Y})
			low, high = min(low, p.X), max(high, p.X)
		}
		courses = append(courses, c)
	}
	if len(courses) == 0 {
		return nil
	}
	x := linear(low, high, plotLeft, plotRight-130)
	p := draw(r.Trace.Title+": "+r.Trace.Y.Title(), r.Trace.X.Title(), x, x.ticks(), courses)
	return &p
}

func draw(title, xTitle string, x scale, xTicks []tick, courses []course) linePlot {
	const top, base, height = 10.0, 260.0, 310.0
	low, high := math.Inf(1), math.Inf(-1)
	for _, c := range courses {
		for _, s := range c.y {
			low, high = min(low, s.Low), max(high, s.High)
		}
	}
	y := wide(low, high, base, top)
	p := linePlot{Title: title, XTitle: xTitle, Width: pixel(plotWidth), Height: pixel(height), Left: pixel(plotLeft),
		Right: pixel(x.to), Base: pixel(base), TickEnd: pixel(base + 5), TickLabel: pixel(base + 20),
		XTitleY: pixel(base + 40), LabelX: pixel(x.to + 8), XTicks: xTicks, YTicks: y.ticks()}
	ends := labelPlaces(courses, y)
	for n, c := range courses {
		l := line{Label: c.label, Class: c.class, LabelY: pixel(ends[n])}
		var points []string
		for i, s := range c.y {
			m := mark{X: pixel(x.at(c.x[i])), Y: pixel(y.at(s.Median)), Low: pixel(y.at(s.Low)), High: pixel(y.at(s.High)),
				Title: fmt.Sprintf("%s: %s, n = %d", c.label, s, s.N)}
			points = append(points, m.X+","+m.Y)
			if !c.plain {
				l.Marks = append(l.Marks, m)
			}
		}
		l.Points = strings.Join(points, " ")
		p.Lines = append(p.Lines, l)
	}
	return p
}

// labelPlaces is where the names of the lines stand: at their ends, moved down where two would lie on each other.
func labelPlaces(courses []course, y scale) []float64 {
	const apart = 15
	places, order := make([]float64, len(courses)), make([]int, len(courses))
	for i, c := range courses {
		places[i], order[i] = y.at(c.y[len(c.y)-1].Median), i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(places[a], places[b]) })
	for i := 1; i < len(order); i++ {
		places[order[i]] = max(places[order[i]], places[order[i-1]]+apart)
	}
	return places
}
