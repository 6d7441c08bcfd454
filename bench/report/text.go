package report

import (
	"fmt"
	"slices"
	"strings"
)

// Text shows each run, then of each metric the medians with the lowest and the highest, and the ratios of the kinds
// within rounds, the headline first.
func Text(r *Result) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n%s\n", r.origin(), r.Machine)
	if list := r.settingList(); len(list) > 0 {
		b.WriteString("settings:")
		for _, s := range list {
			fmt.Fprintf(&b, " %s=%s", s.Name, s.Value)
		}
		b.WriteByte('\n')
	}
	for _, note := range r.Notes {
		b.WriteString(note + "\n")
	}
	s := r.summarize()
	b.WriteByte('\n')
	runs := table{left: 2, rows: s.runs}
	runs.write(&b)
	b.WriteByte('\n')
	medians := table{left: 2}
	medians.add("metric", "of", "median", "low", "high", "n")
	for _, m := range s.metrics {
		name := m.Title()
		for _, f := range append(slices.Clone(m.kinds), m.pairs...) {
			v := f.spread
			medians.add(name, f.label, number(v.Median), number(v.Low), number(v.High), fmt.Sprint(v.N))
			name = "" // once is enough
		}
	}
	medians.write(&b)
	for _, line := range s.void {
		b.WriteString(line + "\n")
	}
	return b.String()
}
