package main

import (
	"fmt"
	"slices"
	"strings"
)

// report shows each run and, of each kind, medians with the lowest and highest value; and the same of the ratios of the
// two kinds within each round, for a shared machine is another one a minute later.
func report(samples []sample) string {
	var b strings.Builder
	width := 4
	for i := range samples {
		width = max(width, len(samples[i].Kind))
	}
	b.WriteString(strings.Repeat(" ", width-4) + " run   events  seconds  to first commit  events/s  steady/s" +
		"  CPU s/million  broker CPU  peak RSS MB  other cores  stolen\n")
	for i := range samples {
		s := &samples[i]
		fmt.Fprintf(&b, "%*s %8d %8.2f %16.2f %9.0f %9.0f %14.3f %11.3f %12.0f %12.2f %7.2f\n", width, s.Kind, s.Events,
			s.Total.Seconds(), s.First.Seconds(), s.rate(), s.steady(), s.cpuPerMillion(), s.brokerPerMillion(),
			s.megabytes(), s.disturbed(), s.stolen())
	}
	b.WriteByte('\n')
	of := func(kind string, value func(*sample) float64) (v []float64) {
		for i := range samples {
			if samples[i].Kind == kind {
				v = append(v, value(&samples[i]))
			}
		}
		return v
	}
	for _, row := range []struct {
		name, format string
		value        func(*sample) float64
	}{
		{"events/s", "%.0f", (*sample).rate},
		{"steady events/s", "%.0f", (*sample).steady},
		{"CPU s/million", "%.3f", (*sample).cpuPerMillion},
		{"broker CPU", "%.3f", (*sample).brokerPerMillion},
		{"peak RSS MB", "%.0f", (*sample).megabytes},
	} {
		all := func(kind string) []float64 { return of(kind, row.value) }
		fmt.Fprintf(&b, "%-16s job %s  bare %s  job/bare %s", row.name, spreadOf(all("job")).text(row.format),
			spreadOf(all("bare")).text(row.format), ratios(all("job"), all("bare")).text("%.2f"))
		if other := all(kindOther); len(other) > 0 {
			fmt.Fprintf(&b, "  other %s  job/other %s", spreadOf(slices.Clone(other)).text(row.format),
				ratios(all("job"), other).text("%.2f"))
		}
		b.WriteByte('\n')
	}
	b.WriteString(peerReport(samples))
	return b.String()
}

// ratios are those of the two kinds within each round.
func ratios(a, b []float64) spread {
	var v []float64
	for i := range min(len(a), len(b)) {
		v = append(v, a[i]/b[i])
	}
	return spreadOf(v)
}

// spread is a median with the lowest and highest value.
type spread struct {
	n                int
	median, low, top float64
}

func spreadOf(v []float64) spread {
	if len(v) == 0 {
		return spread{}
	}
	slices.Sort(v)
	n := len(v)
	return spread{n: n, median: (v[(n-1)/2] + v[n/2]) / 2, low: v[0], top: v[n-1]}
}

func (s spread) text(format string) string {
	if s.n == 0 {
		return "-"
	}
	return fmt.Sprintf(format+" ("+format+"–"+format+")", s.median, s.low, s.top)
}
