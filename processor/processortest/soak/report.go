package soak

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"time"

	"tocsin/bench/compare"
)

// Report is what happened in a run. Fields that came later are empty in older files.
type Report struct {
	Commit  string    `json:"commit,omitempty"` // that was tested; empty: not said
	Seed    uint64    `json:"seed"`
	Began   time.Time `json:"began"`
	Seconds int       `json:"seconds"`
	// CPUSeconds are those of the processes, the broker and the database where they are the run's own, and the test. 0:
	// not measured.
	CPUSeconds int    `json:"cpu_seconds,omitempty"`
	Machine    string `json:"machine"`
	Events     int    `json:"events"`
	Processes  int    `json:"processes"`
	Lives      int    `json:"lives"` // starts of processes

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
	Digests   int      `json:"digests,omitempty"` // partitions whose state has the digest of a replay; 0: not compared
	Verdicts  int64    `json:"verdicts"`          // records with a verdict, ticks included
	Alerts    int      `json:"alerts"`
	Revisions int      `json:"revisions"`
	AboveCap  int      `json:"above_cap"` // alerts of which only id and crossing can be compared
	// MissedDuplicates are second deliveries judged as first ones, which can happen for keys above the cap, and no oftener
	// than these have second deliveries.
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
	return &Report{Commit: cfg.Commit, Seed: cfg.Seed, Began: time.Now().UTC().Truncate(time.Second), Events: cfg.Events,
		Processes: members,
		Machine:   fmt.Sprintf("%d CPUs, %s, %s", runtime.NumCPU(), runtime.GOOS, runtime.Version()),
		Faults:    map[Kind]int{}, Aborts: map[string]int{}}
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
