package report

import (
	"slices"
	"strconv"
)

// group is the runs that are alike: a kind and, in a sweep, a value of the parameter.
type group struct {
	kind string
	at   float64
	in   bool // in a sweep: at holds
}

func groupOf(s *Sample) group {
	if s.At == nil {
		return group{kind: s.Kind}
	}
	return group{s.Kind, *s.At, true}
}

// label names the group for readers.
func (g group) label() string {
	if !g.in {
		return g.kind
	}
	return g.kind + " at " + number(g.at)
}

// kinds are those of the samples, in order of appearance.
func (r *Result) kinds() (kinds []string) {
	for i := range r.Samples {
		if k := r.Samples[i].Kind; !slices.Contains(kinds, k) {
			kinds = append(kinds, k)
		}
	}
	return kinds
}

// points are the values of the parameter, ascending.
func (r *Result) points() (points []float64) {
	for i := range r.Samples {
		if at := r.Samples[i].At; at != nil {
			points = append(points, *at)
		}
	}
	slices.Sort(points)
	return slices.Compact(points)
}

// groups are those of the samples: by kind in order of appearance, each by value of the parameter.
func (r *Result) groups() (groups []group) {
	there := map[group]bool{}
	for i := range r.Samples {
		there[groupOf(&r.Samples[i])] = true
	}
	points := r.points()
	for _, kind := range r.kinds() {
		if g := (group{kind: kind}); there[g] {
			groups = append(groups, g)
		}
		for _, at := range points {
			if g := (group{kind, at, true}); there[g] {
				groups = append(groups, g)
			}
		}
	}
	return groups
}

// quantity is a metric, or a percentile as one.
type quantity struct {
	Metric
	value func(*Sample) (v float64, measured bool)
}

// quantities are the metrics and then the percentiles that any run has.
func (r *Result) quantities() (q []quantity) {
	for _, m := range r.Metrics {
		q = append(q, quantity{m, func(s *Sample) (float64, bool) {
			v, ok := s.Values[m.Name]
			return v, ok
		}})
	}
	for _, percent := range r.percents() {
		m := Metric{Name: r.Latency.Name + " " + percentName(percent), Unit: r.Latency.Unit, Better: Lower, Drifts: true}
		q = append(q, quantity{m, func(s *Sample) (float64, bool) {
			i := slices.IndexFunc(s.Tail, func(p Percentile) bool { return p.Percent == percent })
			if i < 0 {
				return 0, false
			}
			return s.Tail[i].Value, true
		}})
	}
	return q
}

// percents are those of all samples, ascending.
func (r *Result) percents() (percents []float64) {
	for i := range r.Samples {
		for _, p := range r.Samples[i].Tail {
			percents = append(percents, p.Percent)
		}
	}
	slices.Sort(percents)
	return slices.Compact(percents)
}

func percentName(percent float64) string {
	if percent == 100 {
		return "max"
	}
	return "p" + strconv.FormatFloat(percent, 'g', -1, 64)
}

// of are the group's values of the runs that count.
func (q quantity) of(r *Result, g group) (values []float64) {
	for i := range r.Samples {
		s := &r.Samples[i]
		if v, ok := q.value(s); ok && s.Void == "" && groupOf(s) == g {
			values = append(values, v)
		}
	}
	return values
}

// ratios are those of two groups within each round where both have runs that count: of the medians, should a round have
// several.
func (q quantity) ratios(r *Result, a, b group) (ratios []float64) {
	rounds := map[int]bool{}
	for i := range r.Samples {
		rounds[r.Samples[i].Round] = true
	}
	for round := range rounds {
		one := q.within(round)
		above, below := SpreadOf(one.of(r, a)), SpreadOf(one.of(r, b))
		if above.N > 0 && below.N > 0 && below.Median != 0 {
			ratios = append(ratios, above.Median/below.Median)
		}
	}
	slices.Sort(ratios) // the rounds come in any order
	return ratios
}

// within is the quantity as measured in one round.
func (q quantity) within(round int) quantity {
	return quantity{q.Metric, func(s *Sample) (float64, bool) {
		v, ok := q.value(s)
		return v, ok && s.Round == round
	}}
}
