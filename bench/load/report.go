package main

import (
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
)

// report prints each run and, of each kind, medians with the lowest and highest value, and their ratio.
func report(w io.Writer, samples []sample) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "run\tevents\tseconds\tfirst commit s\tevents/s\tsteady/s\tCPU s/million\tpeak RSS MB\t")
	for _, s := range samples {
		fmt.Fprintf(t, "%s\t%d\t%.2f\t%.2f\t%.0f\t%.0f\t%.3f\t%.0f\t\n", s.Kind, s.Events, s.Total.Seconds(),
			s.First.Seconds(), s.rate(), s.steady(), s.cpuPerMillion(), float64(s.PeakRSS)/(1<<20))
	}
	_ = t.Flush() // to a terminal or a buffer
	fmt.Fprintln(w)
	of := func(kind string, value func(*sample) float64) spread {
		var v []float64
		for i := range samples {
			if samples[i].Kind == kind {
				v = append(v, value(&samples[i]))
			}
		}
		return spreadOf(v)
	}
	for _, row := range []struct {
		name, format string
		value        func(*sample) float64
	}{
		{"events/s", "%.0f", (*sample).rate},
		{"steady events/s", "%.0f", (*sample).steady},
		{"CPU s/million", "%.3f", (*sample).cpuPerMillion},
		{"peak RSS MB", "%.0f", func(s *sample) float64 { return float64(s.PeakRSS) / (1 << 20) }},
	} {
		job, bare := of("job", row.value), of("bare", row.value)
		fmt.Fprintf(w, "%-16s job %s  bare %s", row.name, job.text(row.format), bare.text(row.format))
		if job.n > 0 && bare.n > 0 {
			fmt.Fprintf(w, "  job/bare %.2f", job.median/bare.median)
		}
		fmt.Fprintln(w)
	}
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
