package report

import (
	"fmt"
	"maps"
	"slices"
)

// summary is what text and page show alike, in words and figures.
type summary struct {
	runs    [][]string      // what each run measured; the first two rows are names and units
	metrics []metricSummary // the headline first
	void    []string        // which kinds have runs that do not count
}

type metricSummary struct {
	Metric
	kinds []figure // medians of each group
	pairs []figure // ratios of two groups within rounds; none of a metric that is neither way better
}

type figure struct {
	of     string // a kind, or two: a/b
	where  group  // its parameter says at which value
	spread Spread
}

func (f figure) label() string { return group{f.of, f.where.at, f.where.in}.label() }

func (r *Result) summarize() summary {
	var s summary
	quantities, groups := r.quantities(), r.groups()
	s.runs = r.runs(quantities)
	for _, q := range quantities {
		m := metricSummary{Metric: q.Metric}
		for i, g := range groups {
			values := q.of(r, g)
			if len(values) == 0 {
				continue
			}
			m.kinds = append(m.kinds, figure{g.kind, g, SpreadOf(values)})
			if q.Better == Neither {
				continue
			}
			for _, below := range groups[i+1:] {
				if below.in != g.in || below.at != g.at {
					continue
				}
				if ratios := q.ratios(r, g, below); len(ratios) > 0 {
					m.pairs = append(m.pairs, figure{g.kind + "/" + below.kind, g, SpreadOf(ratios)})
				}
			}
		}
		switch {
		case len(m.kinds) == 0:
		case m.Headline:
			s.metrics = slices.Insert(s.metrics, 0, m)
		default:
			s.metrics = append(s.metrics, m)
		}
	}
	for _, kind := range r.kinds() {
		all, void := 0, 0
		for i := range r.Samples {
			if r.Samples[i].Kind == kind {
				all++
				if r.Samples[i].Void != "" {
					void++
				}
			}
		}
		if void > 0 {
			s.void = append(s.void, fmt.Sprintf("%d of %d runs of %s count", all-void, all, kind))
		}
	}
	return s
}

// runs has a row for each sample. Columns that no run fills are left out.
func (r *Result) runs(quantities []quantity) [][]string {
	names, units := []string{"round", "run"}, []string{"", ""}
	if r.Parameter != nil {
		names, units = append(names, r.Parameter.Name), append(units, r.Parameter.Unit)
	}
	quantities = slices.DeleteFunc(slices.Clone(quantities), func(q quantity) bool {
		return !slices.ContainsFunc(r.Samples, func(s Sample) bool {
			_, ok := q.value(&s)
			return ok
		})
	})
	for _, q := range quantities {
		names, units = append(names, q.Name), append(units, q.Unit)
	}
	rows := [][]string{names, units}
	for i := range r.Samples {
		s := &r.Samples[i]
		row := []string{fmt.Sprint(s.Round + 1), s.Kind}
		if r.Parameter != nil {
			row = append(row, optional(s.At))
		}
		for _, q := range quantities {
			if v, ok := q.value(s); ok {
				row = append(row, number(v))
			} else {
				row = append(row, "-")
			}
		}
		if s.Void != "" {
			row = append(row, "void: "+s.Void)
		}
		rows = append(rows, row)
	}
	return rows
}

func optional(v *float64) string {
	if v == nil {
		return "-"
	}
	return number(*v)
}

type setting struct{ Name, Value string }

// settingList has the settings by name.
func (r *Result) settingList() (list []setting) {
	for _, name := range slices.Sorted(maps.Keys(r.Settings)) {
		list = append(list, setting{name, r.Settings[name]})
	}
	return list
}
