package report

import "fmt"

// Sizes of all plots, in the units of their view boxes.
const (
	plotWidth = 900.0
	plotLeft  = 150.0 // where the plotted area begins: labels stand before it
	plotRight = 880.0
)

// stripPlot shows each run as a dot, with a row for each group and a line at its median.
type stripPlot struct {
	Title                            string
	Width, Height, Left, Right, Base string
	TickLabel                        string // where the labels of the ticks stand
	Ticks                            []tick
	Rows                             []stripRow
}

type stripRow struct {
	Label, Class, Y, Low, High string // the line from Low to High is the row's range
	Median, Top, Bottom        string // the mark of the median, from Top to Bottom; empty: no run counts
	Dots                       []dot
}

type dot struct{ X, Y, Class, Title string }

// strips are the plots of the metrics that are put in relation: one each.
func (r *Result) strips() (plots []stripPlot) {
	for _, q := range r.quantities() {
		if q.Better == Neither {
			continue
		}
		if p, ok := r.strip(q); ok {
			plots = append(plots, p)
		}
	}
	return plots
}

func (r *Result) strip(q quantity) (stripPlot, bool) {
	const rowHeight, above, below = 30.0, 8.0, 26.0
	var values []float64
	for i := range r.Samples {
		if v, ok := q.value(&r.Samples[i]); ok {
			values = append(values, v)
		}
	}
	if len(values) == 0 {
		return stripPlot{}, false
	}
	all := SpreadOf(values)
	x := linear(all.Low, all.High, plotLeft, plotRight)
	p := stripPlot{Title: q.Title(), Width: pixel(plotWidth), Left: pixel(plotLeft), Right: pixel(plotRight),
		Ticks: x.ticks()}
	y := above + rowHeight/2
	for _, g := range r.groups() {
		row := stripRow{Label: g.label(), Class: r.class(g.kind), Y: pixel(y), Low: pixel(plotLeft), High: pixel(plotLeft)}
		for i := range r.Samples {
			s := &r.Samples[i]
			v, ok := q.value(s)
			if !ok || groupOf(s) != g {
				continue
			}
			d := dot{pixel(x.at(v)), pixel(y + float64(s.Round%3-1)*5), row.Class, r.dotTitle(s, v, q.Unit)}
			if s.Void != "" {
				d.Class += " void"
			}
			row.Dots = append(row.Dots, d)
		}
		if len(row.Dots) == 0 {
			continue
		}
		if spread := SpreadOf(q.of(r, g)); spread.N > 0 {
			row.Low, row.High = pixel(x.at(spread.Low)), pixel(x.at(spread.High))
			row.Median, row.Top, row.Bottom = pixel(x.at(spread.Median)), pixel(y-11), pixel(y+11)
		}
		p.Rows = append(p.Rows, row)
		y += rowHeight
	}
	base := y - rowHeight/2 + 2
	p.Base, p.TickLabel, p.Height = pixel(base), pixel(base+16), pixel(base+below)
	return p, true
}

// dotTitle is what a reader sees who points at a dot.
func (r *Result) dotTitle(s *Sample, v float64, unit string) string {
	text := fmt.Sprintf("%s, round %d: %s %s", groupOf(s).label(), s.Round+1, number(v), unit)
	if s.Void != "" {
		text += ", void: " + s.Void
	}
	return text
}

// class is the style of a kind: its colour.
func (r *Result) class(kind string) string {
	const colours = 6
	for i, k := range r.kinds() {
		if k == kind {
			return fmt.Sprintf("k%d", i%colours)
		}
	}
	return "k0"
}
