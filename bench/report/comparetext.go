package report

import (
	"fmt"
	"strings"
)

// Text shows the changes in a table, and what weakens them.
func (c *Comparison) Text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "A  %s\nB  %s\n", c.A.origin(), c.B.origin())
	for _, d := range c.Differences {
		b.WriteString("differs: " + d + "\n")
	}
	b.WriteByte('\n')
	t := table{left: 3, words: 8}
	t.add("metric", "of", "compared", "A", "B", "B/A", "p", "n", "verdict", "")
	last := ""
	judged, unscaled := 0, false
	for i := range c.Changes {
		change := &c.Changes[i]
		name := change.Metric.Title()
		if name == last {
			name = ""
		} else {
			last = name
		}
		compared, measured := "as measured", ""
		if change.Scaled {
			compared = "× " + Bare
			measured = fmt.Sprintf("(as measured %s → %s)", number(change.MeasuredA.Median), number(change.MeasuredB.Median))
		}
		ratio, p := "-", "-"
		if change.Ratio > 0 {
			ratio = fmt.Sprintf("%.2f", change.Ratio)
		}
		if change.A.N > 0 && change.B.N > 0 {
			p = fmt.Sprintf("%.3f", change.P)
		}
		if change.leastP > 0 && change.leastP < noise {
			judged++
		}
		t.add(name, change.Of, compared, change.A.String(), change.B.String(), ratio, p,
			fmt.Sprintf("%d+%d", change.A.N, change.B.N), change.words(), measured)
		unscaled = unscaled || change.MayBeMachine
	}
	t.write(&b)
	c.footnotes(&b, judged, unscaled)
	return b.String()
}

// words are the verdict, and what a reader must not make of it.
func (c *Change) words() string {
	text := string(c.Verdict)
	switch {
	case c.Verdict == TooFew:
		text += fmt.Sprintf(": p can not be below %.2f", c.leastP)
	case c.MayBeMachine && c.P < noise:
		text += ", or the machine is another"
	}
	return text
}

func (c *Comparison) footnotes(b *strings.Builder, judged int, unscaled bool) {
	fmt.Fprintf(b, "\nA and B: median (low–high). p: how often chance alone would divide these runs so unevenly (exact "+
		"rank test, two-sided); below %.2f perhaps a change, below %.2f one.\n", noise, sure)
	if judged > 1 {
		fmt.Fprintf(b, "Of %d figures judged, chance alone would take %.1f below %.2f: believe what repeats.\n", judged,
			noise*float64(judged), noise)
	}
	for i := range c.Changes {
		if c.Changes[i].Scaled {
			fmt.Fprintf(b, "× %s: ratio to the %s loop of the same round. It decodes and verifies with the same code, so that "+
				"a change of that moves both.\n", Bare, Bare)
			break
		}
	}
	if unscaled {
		b.WriteString("As measured: the machine itself may have been faster or slower, and nothing here can tell.\n")
	}
}
