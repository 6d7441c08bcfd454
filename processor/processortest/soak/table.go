package soak

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
)

// Table writes reports side by side, with their sum when there are several.
func Table(out io.Writer, reports ...*Report) error {
	t := tabwriter.NewWriter(out, 0, 8, 2, ' ', tabwriter.AlignRight)
	for _, line := range rows(reports) {
		fmt.Fprintln(t, strings.Join(line, "\t")+"\t") //nolint:errcheck // Flush tells
	}
	return t.Flush()
}

// WriteMarkdown writes the table to a file, with what was run and where.
func WriteMarkdown(path, title string, reports ...*Report) error {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n\n", title)
	var kills, events, seconds, cpu, failed int
	unmeasured := ""
	for _, r := range reports {
		kills, events, seconds, cpu = kills+r.Killed, events+r.Events, seconds+r.Seconds, cpu+r.CPUSeconds
		if r.CPUSeconds == 0 {
			unmeasured = ", not measured in all of them"
		}
		if !r.OK() {
			failed++
		}
	}
	fmt.Fprintf(&b, "%d runs, %d of them failed; %d kills, %d events, %.1f hours, %.1f hours of CPU time%s.\n\n",
		len(reports), failed, kills, events, float64(seconds)/3600, float64(cpu)/3600, unmeasured)
	for i, line := range rows(reports) {
		b.WriteString("| " + strings.Join(line, " | ") + " |\n")
		if i == 0 {
			b.WriteString("| --- |" + strings.Repeat(" ---: |", len(line)-1) + "\n")
		}
	}
	b.WriteString("\n")
	for _, r := range reports {
		fmt.Fprintf(&b, "- Seed %d: began %s, commit %s, %s.\n", r.Seed, r.Began.Format("2006-01-02 15:04 MST"),
			cmp.Or(r.Commit, "not recorded"), r.Machine)
		for _, f := range r.Failures {
			fmt.Fprintf(&b, "  - %s\n", strings.ReplaceAll(f, "\n", " "))
		}
	}
	return os.WriteFile(path, []byte(b.String()), 0o644)
}

// Sum reads the reports of all runs in a folder and writes them side by side into soak.md there, in order of seeds.
func Sum(folder string) ([]*Report, error) {
	paths, err := filepath.Glob(filepath.Join(folder, "soak-*.json"))
	if err != nil {
		return nil, err
	}
	var reports []*Report
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		r := &Report{}
		if err := json.Unmarshal(b, r); err != nil {
			return nil, fmt.Errorf("read %s: %w", path, err)
		}
		reports = append(reports, r)
	}
	if len(reports) == 0 {
		return nil, fmt.Errorf("no soak-*.json in %s", folder)
	}
	slices.SortFunc(reports, func(a, b *Report) int { return cmp.Compare(a.Seed, b.Seed) })
	return reports, WriteMarkdown(filepath.Join(folder, "soak.md"), "All runs of the soak", reports...)
}

// rows are the lines of the table, the first one its head.
func rows(reports []*Report) (lines [][]string) {
	row := func(name string, cell func(*Report) (text string, n int64)) {
		line, sum, summed := []string{name}, int64(0), true
		for _, r := range reports {
			text, n := cell(r)
			if text == "" {
				text = fmt.Sprint(n)
			} else if n == 0 {
				summed = false
			}
			sum += n
			line = append(line, text)
		}
		if len(reports) > 1 {
			total := "" // of what does not add up
			if summed {
				total = fmt.Sprint(sum)
			}
			line = append(line, total)
		}
		lines = append(lines, line)
	}
	number := func(name string, value func(*Report) int64) {
		row(name, func(r *Report) (string, int64) { return "", value(r) })
	}
	known := func(n int) string {
		if n == 0 {
			return "-"
		}
		return fmt.Sprint(n)
	}
	head := []string{"seed"}
	for _, r := range reports {
		head = append(head, fmt.Sprint(r.Seed))
	}
	if len(reports) > 1 {
		head = append(head, "sum")
	}
	lines = append(lines, head)
	number("seconds", func(r *Report) int64 { return int64(r.Seconds) })
	row("seconds of CPU time", func(r *Report) (string, int64) { return known(r.CPUSeconds), int64(r.CPUSeconds) })
	number("events", func(r *Report) int64 { return int64(r.Events) })
	number("verdicts (with ticks)", func(r *Report) int64 { return r.Verdicts })
	number("kill -9", func(r *Report) int64 { return int64(r.Killed) })
	row("outstanding at a kill, least/median/most", func(r *Report) (string, int64) { return r.outstanding(), 0 })
	number("kills within an open transaction", func(r *Report) (n int64) {
		for _, k := range r.Kills {
			if k.Open > 0 {
				n++
			}
		}
		return n
	})
	number("kills with nothing outstanding", func(r *Report) (n int64) {
		for _, k := range r.Kills {
			if k.Outstanding == 0 {
				n++
			}
		}
		return n
	})
	for _, kind := range []Kind{Pause, Stop, Leave, Join, Broker, Database} {
		number(string(kind), func(r *Report) int64 { return int64(r.Faults[kind]) })
	}
	number("starts of processes", func(r *Report) int64 { return int64(r.Lives) })
	number("alerts", func(r *Report) int64 { return int64(r.Alerts) })
	number("revisions", func(r *Report) int64 { return int64(r.Revisions) })
	number("dead letters", func(r *Report) int64 { return int64(r.DeadLetters) })
	number("lost, or otherwise than the oracle says", func(r *Report) int64 { return int64(r.Differences) })
	number("second deliveries missed, above the cap", func(r *Report) int64 { return r.MissedDuplicates })
	number("twice", func(r *Report) int64 { return int64(r.Twice) })
	number("restores of a partition never held", func(r *Report) int64 { return int64(r.Restores.First) })
	number("restores of the tail, nobody else since", func(r *Report) int64 { return int64(r.Restores.Tail) })
	number("restores of the tail, after others", func(r *Report) int64 { return int64(r.Restores.TailOthers) })
	number("compared with the position on disk", func(r *Report) int64 { return int64(r.Restores.Compared) })
	number("restores that went on where another was cut off", func(r *Report) int64 { return int64(r.Restores.Resumed) })
	row("most own transactions in a tail", func(r *Report) (string, int64) { return fmt.Sprint(r.Restores.MaxTail), 0 })
	row("partitions with the digest of a replay", func(r *Report) (string, int64) { return known(r.Digests), 0 })
	number("wipes", func(r *Report) int64 { return int64(r.Restores.Wipes) })
	number("clients given up and replaced", func(r *Report) int64 { return int64(r.Unknown) })
	row("longest without a commit, seconds", func(r *Report) (string, int64) {
		return fmt.Sprintf("%.1f", r.Standstill), 0
	})
	row("peak memory, MB", func(r *Report) (string, int64) { return fmt.Sprint(r.PeakMB), 0 })
	number("failures", func(r *Report) int64 { return int64(len(r.Failures)) })
	return lines
}

func (r *Report) outstanding() string {
	if len(r.Kills) == 0 {
		return "-"
	}
	n := make([]int64, len(r.Kills))
	for i, k := range r.Kills {
		n[i] = k.Outstanding
	}
	slices.Sort(n)
	return fmt.Sprintf("%d/%d/%d", n[0], n[len(n)/2], n[len(n)-1])
}
