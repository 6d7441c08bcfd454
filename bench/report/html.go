package report

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
)

//go:embed page.gohtml
var page string

// HTML writes a page that shows the result in tables and plots. It needs no script and no other file.
func HTML(w io.Writer, r *Result) error {
	t, err := template.New("page").Parse(page)
	if err != nil {
		return fmt.Errorf("page: %w", err)
	}
	s := r.summarize()
	data := pageData{Title: r.origin(), Result: r, Settings: r.settingList(), Names: s.runs[0], Units: s.runs[1],
		Runs: s.runs[2:], Void: s.void, Percentiles: r.percentiles(), Sweeps: r.sweeps(), Trace: r.traces(),
		Strips: r.strips()}
	for _, m := range s.metrics {
		shown := pageMetric{Title: m.Title(), Kinds: figures(m.kinds), Pairs: figures(m.pairs)}
		if m.Better != Neither {
			shown.Better = string(m.Better) + " is better"
		}
		data.Metrics = append(data.Metrics, shown)
		if m.Headline {
			data.Headline = &data.Metrics[0] // it comes first
		}
	}
	if err := t.Execute(w, data); err != nil {
		return fmt.Errorf("page: %w", err)
	}
	return nil
}

// pageData is what the page is made of.
type pageData struct {
	Title        string
	Result       *Result
	Settings     []setting
	Headline     *pageMetric
	Metrics      []pageMetric
	Names, Units []string
	Runs         [][]string
	Void         []string
	Percentiles  *linePlot
	Sweeps       []linePlot
	Trace        *linePlot
	Strips       []stripPlot
}

type pageMetric struct {
	Title, Better string
	Kinds, Pairs  []pageFigure
}

type pageFigure struct{ Label, Median, Low, High, N string }

func figures(list []figure) (out []pageFigure) {
	for _, f := range list {
		s := f.spread
		out = append(out, pageFigure{f.label(), number(s.Median), number(s.Low), number(s.High), fmt.Sprint(s.N)})
	}
	return out
}
