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
	medians := s.table(r.Parameter)
	medians.write(&b)
	for _, line := range s.void {
		b.WriteString(line + "\n")
	}
	return b.String()
}

// table has a row for each metric and, in a sweep, value of the parameter, and a column for each kind and pair of
// kinds.
func (s *summary) table(parameter *Axis) table {
	t := table{left: 1}
	head := []string{"median (low–high)"}
	if parameter != nil {
		head = append(head, parameter.Name)
	}
	labels := len(head)
	for _, m := range s.metrics {
		for _, f := range m.kinds {
			if !slices.Contains(head[labels:], f.of) {
				head = append(head, f.of)
			}
		}
	}
	for _, m := range s.metrics {
		for _, f := range m.pairs {
			if !slices.Contains(head[labels:], f.of) {
				head = append(head, f.of)
			}
		}
	}
	t.add(head...)
	for _, m := range s.metrics {
		rows := map[group]int{} // by value of the parameter alone
		for _, f := range slices.Concat(m.kinds, m.pairs) {
			point := group{at: f.where.at, in: f.where.in}
			i, ok := rows[point]
			if !ok {
				row := slices.Repeat([]string{"-"}, len(head))
				row[0] = ""
				if len(rows) == 0 {
					row[0] = m.Title() // once is enough
				}
				if parameter != nil && point.in {
					row[1] = number(point.at)
				}
				i = len(t.rows)
				rows[point] = i
				t.add(row...)
			}
			t.rows[i][labels+slices.Index(head[labels:], f.of)] = f.spread.String()
		}
	}
	return t
}
