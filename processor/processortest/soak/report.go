package soak

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"tocsin/bench/compare"
)

// Report is what happened in a run.
type Report struct {
	Seed      uint64    `json:"seed"`
	Began     time.Time `json:"began"`
	Seconds   int       `json:"seconds"`
	Machine   string    `json:"machine"`
	Events    int       `json:"events"`
	Processes int       `json:"processes"`
	Lives     int       `json:"lives"` // starts of processes

	Faults  map[Kind]int   `json:"faults"`
	Killed  int            `json:"killed"`
	Kills   []KillRecord   `json:"kills"`
	Aborts  map[string]int `json:"aborts"`  // transactions, by reason
	Unknown int            `json:"clients"` // clients given up and replaced
	PeakMB  int64          `json:"peak_mb"`
	// Standstill is the longest time, in seconds, in which nothing was committed although there was something to do;
	// looked at twice a second.
	Standstill float64 `json:"standstill"`

	Restores  Restores `json:"restores"`
	Verdicts  int64    `json:"verdicts"` // records with a verdict, ticks included
	Alerts    int      `json:"alerts"`
	Revisions int      `json:"revisions"`
	AboveCap  int      `json:"above_cap"` // alerts of which only id and crossing can be compared
	// MissedDuplicates are second deliveries judged as first ones, which can happen for keys above the cap.
	MissedDuplicates int64    `json:"missed_duplicates"`
	DeadLetters      int      `json:"dead_letters"`
	Differences      int      `json:"differences"` // to the oracle: lost, too many or other
	Twice            int      `json:"twice"`       // revisions or dead letters that are there twice
	Failures         []string `json:"failures"`
}

// KillRecord is one fault that killed.
type KillRecord struct {
	Second      float64  `json:"second"`
	Processes   []string `json:"processes"`
	Offered     int64    `json:"offered"`     // events so far
	Outstanding int64    `json:"outstanding"` // offsets not committed at that moment
	Open        int      `json:"open"`        // changelog partitions in an open transaction
	DownMS      int64    `json:"down_ms"`
}

func newReport(cfg *Config) *Report {
	return &Report{Seed: cfg.Seed, Began: time.Now().UTC().Truncate(time.Second), Events: cfg.Events, Processes: members,
		Machine: fmt.Sprintf("%d CPUs, %s, %s", runtime.NumCPU(), runtime.GOOS, runtime.Version()),
		Faults:  map[Kind]int{}, Aborts: map[string]int{}}
}

func (r *Report) elapsed() float64 {
	return float64(time.Since(r.Began).Round(10*time.Millisecond).Milliseconds()) / 1000
}

// most failures that are kept in words.
const shown = 50

func (r *Report) fail(format string, args ...any) {
	if len(r.Failures) < shown {
		r.Failures = append(r.Failures, fmt.Sprintf(format, args...))
	}
}

func (r *Report) differences(what string, found *compare.Report) {
	r.Differences += found.Total
	if err := found.Err(); err != nil {
		r.fail("%s: %v", what, err)
	}
}

// OK says whether everything held.
func (r *Report) OK() bool {
	return len(r.Failures) == 0 && r.Differences == 0 && r.Twice == 0 && r.Restores.Wipes == 0
}

// Write writes a report as JSON.
func Write(path string, report any) error {
	b, err := json.MarshalIndent(report, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(b, '\n'), 0o644)
}

// Table writes reports side by side, with their sum when there are several.
func Table(out io.Writer, reports ...*Report) error {
	t := tabwriter.NewWriter(out, 0, 8, 2, ' ', tabwriter.AlignRight)
	row := func(name string, cell func(*Report) (text string, n int64)) {
		line := []string{name}
		sum := int64(0)
		for _, r := range reports {
			text, n := cell(r)
			if text == "" {
				text = fmt.Sprint(n)
			}
			sum += n
			line = append(line, text)
		}
		if len(reports) > 1 {
			line = append(line, fmt.Sprint(sum))
		}
		fmt.Fprintln(t, strings.Join(line, "\t")+"\t") //nolint:errcheck // Flush tells
	}
	number := func(name string, value func(*Report) int64) {
		row(name, func(r *Report) (string, int64) { return "", value(r) })
	}
	head := []string{"seed"}
	for _, r := range reports {
		head = append(head, fmt.Sprint(r.Seed))
	}
	if len(reports) > 1 {
		head = append(head, "sum")
	}
	fmt.Fprintln(t, strings.Join(head, "\t")+"\t") //nolint:errcheck // Flush tells
	number("seconds", func(r *Report) int64 { return int64(r.Seconds) })
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
	for _, kind := range []Kind{Pause, Stop, Leave, Join, Broker, Database} {
		number(string(kind), func(r *Report) int64 { return int64(r.Faults[kind]) })
	}
	number("starts of processes", func(r *Report) int64 { return int64(r.Lives) })
	number("alerts", func(r *Report) int64 { return int64(r.Alerts) })
	number("revisions", func(r *Report) int64 { return int64(r.Revisions) })
	number("dead letters", func(r *Report) int64 { return int64(r.DeadLetters) })
	number("lost, or otherwise than the oracle says", func(r *Report) int64 { return int64(r.Differences) })
	number("twice", func(r *Report) int64 { return int64(r.Twice) })
	number("restores of a partition never held", func(r *Report) int64 { return int64(r.Restores.First) })
	number("restores of the tail, nobody else since", func(r *Report) int64 { return int64(r.Restores.Tail) })
	number("restores of the tail, after others", func(r *Report) int64 { return int64(r.Restores.TailOthers) })
	number("compared with the position on disk", func(r *Report) int64 { return int64(r.Restores.Compared) })
	number("restores that went on where another was cut off", func(r *Report) int64 { return int64(r.Restores.Resumed) })
	row("most own transactions in a tail", func(r *Report) (string, int64) { return fmt.Sprint(r.Restores.MaxTail), 0 })
	number("wipes", func(r *Report) int64 { return int64(r.Restores.Wipes) })
	number("clients given up and replaced", func(r *Report) int64 { return int64(r.Unknown) })
	row("longest without a commit, seconds", func(r *Report) (string, int64) {
		return fmt.Sprintf("%.1f", r.Standstill), 0
	})
	row("peak memory, MB", func(r *Report) (string, int64) { return fmt.Sprint(r.PeakMB), 0 })
	number("failures", func(r *Report) int64 { return int64(len(r.Failures)) })
	return t.Flush()
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
