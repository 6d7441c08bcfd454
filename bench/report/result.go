package report

import (
	"fmt"
	"strings"
	"time"
)

// Version is the number of the format that is written, and the only one that is read.
const Version = 1

// Bare is the kind of the runs that others are measured by: the bare loop.
const Bare = "bare"

// Result is what a scenario measured.
type Result struct {
	Version  int       `json:"version"`
	Scenario string    `json:"scenario"` // lower-case letters, digits, hyphens: it begins the names of the files
	Date     time.Time `json:"date"`     // of the start; kept to the second, in UTC
	Commit   string    `json:"commit"`   // hexadecimal, of the checkout; empty: unknown
	Dirty    bool      `json:"dirty"`    // the checkout differed from the commit
	Machine  Machine   `json:"machine"`
	// Settings are what influences the figures. No secrets, and nothing that names the machine or its folders.
	Settings map[string]string `json:"settings,omitempty"`
	Notes    []string          `json:"notes,omitempty"` // what a reader of the figures must know

	Parameter *Axis    `json:"parameter,omitempty"` // what a sweep varies; nil: nothing
	Latency   *Axis    `json:"latency,omitempty"`   // what the percentiles are of; nil: there are none
	Trace     *Trace   `json:"trace,omitempty"`     // what the traces are of; nil: there are none
	Metrics   []Metric `json:"metrics"`             // in the order in which they are shown
	Samples   []Sample `json:"samples"`             // in the order in which they ran
}

// Machine is where it was measured. Zero values are unknown.
type Machine struct {
	Cores       int    `json:"cores"`
	CPU         string `json:"cpu"` // model
	MemoryBytes int64  `json:"memory_bytes"`
	Kernel      string `json:"kernel"`
	Go          string `json:"go"`
}

// Axis is a quantity with its unit.
type Axis struct {
	Name string `json:"name"`
	Unit string `json:"unit,omitempty"`
}

// Better is which way of a metric is the better one.
type Better string

// The ways. A metric that is neither says something about the run and not about what ran: it is shown, but put in no
// relation and not judged.
const (
	Lower   Better = "lower"
	Higher  Better = "higher"
	Neither Better = "neither"
)

// Metric says what the values under a name are.
type Metric struct {
	Name     string `json:"name"`
	Unit     string `json:"unit,omitempty"`
	Better   Better `json:"better"`
	Headline bool   `json:"headline,omitempty"` // what the result is about; at most one metric
	Drifts   bool   `json:"drifts,omitempty"`   // depends on how fast the machine is at the moment
}

// Title is the name with the unit.
func (m Metric) Title() string { return title(m.Name, m.Unit) }

// Title is the name with the unit.
func (a Axis) Title() string { return title(a.Name, a.Unit) }

func title(name, unit string) string {
	if unit == "" {
		return name
	}
	return name + ", " + unit
}

// Sample is one run.
type Sample struct {
	Kind   string             `json:"kind"`                // what ran: job, bare, streams, …
	Round  int                `json:"round"`               // counted from 0
	At     *float64           `json:"at,omitempty"`        // value of the sweep's parameter
	Void   string             `json:"void,omitempty"`      // why the run does not count; empty: it does
	Values map[string]float64 `json:"values"`              // by name of the metric; what was not measured is absent
	Tail   []Percentile       `json:"latencies,omitempty"` // ascending
	Trace  []Point            `json:"trace,omitempty"`     // what was seen in the course of the run; ascending X
}

// Trace says what traces show. They are plotted on the page and nowhere else, and not compared.
type Trace struct {
	Title string `json:"title"`
	X     Axis   `json:"x"`
	Y     Axis   `json:"y"`
}

// Point is one of a trace.
type Point struct {
	X float64 `json:"x"`
	Y float64 `json:"y"`
}

// Percentile says that so many percent of what was timed took no longer than the value. 100 is the longest.
type Percentile struct {
	Percent float64 `json:"percent"`
	Value   float64 `json:"value"`
}

// Name is the result's in the names of files: scenario, date, commit.
func (r *Result) Name() string {
	return fmt.Sprintf("%s-%s-%s", r.Scenario, r.Date.UTC().Format("20060102T150405Z"), r.short())
}

func (r *Result) short() string {
	if r.Commit == "" {
		return "unknown"
	}
	return r.Commit[:min(len(r.Commit), 8)]
}

// origin says what was measured, in a line.
func (r *Result) origin() string {
	state := ""
	if r.Dirty {
		state = ", with changes not committed"
	}
	return fmt.Sprintf("%s, %s, commit %s%s", r.Scenario, r.Date.UTC().Format("2006-01-02 15:04 UTC"), r.short(), state)
}

// String says where it was measured, in a line.
func (m Machine) String() string {
	var parts []string
	if m.Cores > 0 {
		parts = append(parts, fmt.Sprintf("%d cores", m.Cores))
	}
	if m.CPU != "" {
		parts = append(parts, m.CPU)
	}
	if m.MemoryBytes > 0 {
		parts = append(parts, fmt.Sprintf("%.1f GiB", float64(m.MemoryBytes)/(1<<30)))
	}
	if m.Kernel != "" {
		parts = append(parts, "kernel "+m.Kernel)
	}
	if m.Go != "" {
		parts = append(parts, m.Go)
	}
	return strings.Join(parts, ", ")
}
