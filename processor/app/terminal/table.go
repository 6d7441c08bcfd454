package terminal

import "strings"

// Column of a [Page.Table].
type Column struct {
	Name string
	// Keep says that the column is never left out and never cut. Others give way from the right when the table is too
	// wide for the page: the last that stays is cut, those behind it are left out.
	Keep bool
	// Most is the most characters that the column may take; 0: any number.
	Most int
}

// Table writes rows under their heads. Columns in which every cell is empty are left out.
func (p *Page) Table(indent int, columns []Column, rows [][]string) {
	widths := make([]int, len(columns))
	cells := make([][]string, len(rows))
	for r, row := range rows {
		cells[r] = make([]string, len(columns))
		for c := range columns {
			text := Cut(Escape(row[c], false), columns[c].Most)
			cells[r][c] = text
			widths[c] = max(widths[c], length(text))
		}
	}
	for c := range columns {
		if widths[c] > 0 {
			widths[c] = max(widths[c], length(columns[c].Name))
		}
	}
	fit(columns, widths, p.width-indent)
	heads := make([]string, len(columns))
	for c := range columns {
		heads[c] = columns[c].Name
	}
	p.b.WriteString(strings.Repeat(" ", indent) + p.paint(Faint, row(heads, widths)) + "\n")
	for _, r := range cells {
		p.b.WriteString(strings.Repeat(" ", indent) + row(r, widths) + "\n")
	}
}

// tableGap is between two columns.
const tableGap = 2

// fit makes widths fit into room: 0 is a column that is left out.
func fit(columns []Column, widths []int, room int) {
	const least = 8 // a column narrower than this says nothing
	over := -tableGap - room
	for _, w := range widths {
		if w > 0 {
			over += w + tableGap
		}
	}
	for c := len(columns) - 1; c >= 0 && over > 0; c-- {
		switch w := widths[c]; {
		case columns[c].Keep || w == 0:
		case w-over >= least:
			widths[c] -= over
			over = 0
		default:
			over -= w + tableGap
			widths[c] = 0
		}
	}
}

func row(cells []string, widths []int) string {
	var b strings.Builder
	for c, text := range cells {
		if widths[c] == 0 {
			continue
		}
		text = Cut(text, widths[c])
		b.WriteString(text + strings.Repeat(" ", widths[c]-length(text)+tableGap))
	}
	return strings.TrimRight(b.String(), " ")
}
