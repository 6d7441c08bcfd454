package simulate

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	// longSeeds make a long run, of which more is wanted: so many commits of unknown outcome, so many zombies.
	longSeeds    = 10_000
	longUnknown  = 1000
	longZombies  = 200
	cpuPerSeed   = 300 * time.Millisecond // at most, on average
	failedListed = 50
)

// summary is what a number of seeds came to.
type summary struct {
	first, n    int
	crashes     int
	restores    int
	hits        map[string]int
	faults      map[Fault]int
	mostSent    int
	mostCrashes int
	failed      []int // seeds
	cost        cost
}

func newSummary(first, n int) *summary {
	return &summary{first: first, n: n, hits: map[string]int{}, faults: map[Fault]int{}}
}

func (s *summary) add(seed int, r *Result) {
	s.crashes, s.restores = s.crashes+r.Crashes, s.restores+r.Restores
	s.mostSent, s.mostCrashes = max(s.mostSent, r.Sent), max(s.mostCrashes, r.Crashes)
	for p, n := range r.Hits {
		s.hits[p] += n
	}
	for f, n := range r.Faults {
		s.faults[f] += n
	}
	if len(r.Violations) > 0 {
		s.failed = append(s.failed, seed)
	}
}

// never are the points that no seed has reached.
func (s *summary) never() []string {
	return slices.DeleteFunc(Points(), func(p string) bool { return s.hits[p] > 0 })
}

// wants says what the seeds have not shown, though there were enough of them: points, ways in which requests go wrong,
// everything else that goes wrong; in a long run every kind of request too.
func (s *summary) wants() (wants []string) {
	if s.n < defaultSeeds {
		return nil
	}
	for _, p := range s.never() {
		wants = append(wants, "point "+p)
	}
	kinds, ways := map[string]int{}, map[string]int{}
	for _, f := range Faults() {
		switch {
		case answers[f.On] != nil:
			kinds[f.On] += s.faults[f]
			ways[f.What] += s.faults[f]
		case s.faults[f] == 0:
			wants = append(wants, f.String())
		}
	}
	for way, n := range ways {
		if n == 0 {
			wants = append(wants, "a request "+way)
		}
	}
	for kind, n := range kinds {
		if n == 0 && s.n >= longSeeds {
			wants = append(wants, "a request that goes wrong: "+kind)
		}
	}
	if s.n >= longSeeds && s.hits[unknownEnd] < longUnknown {
		wants = append(wants, fmt.Sprintf("%d commits of unknown outcome, there were %d", longUnknown, s.hits[unknownEnd]))
	}
	if s.n >= longSeeds && s.faults[zombie] < longZombies {
		wants = append(wants, fmt.Sprintf("%d zombies, there were %d", longZombies, s.faults[zombie]))
	}
	slices.Sort(wants)
	return wants
}

// dear says whether a seed takes more processor time than it may.
func (s *summary) dear() []string {
	if mean := s.cost.each(s.n); mean > cpuPerSeed {
		return []string{fmt.Sprintf("a seed of %s of processor time at most: it was %s on average", cpuPerSeed, mean)}
	}
	return nil
}

func (s *summary) sentence() string {
	return fmt.Sprintf("Seeds %d to %d: %d crashes, %d restores after a crash, %d of %d points reached, %d seeds failed; "+
		"%d commits of unknown outcome, %d zombies, at most %d records and %d crashes in a seed.", s.first, s.first+s.n-1,
		s.crashes, s.restores, len(Points())-len(s.never()), len(Points()), len(s.failed), s.hits[unknownEnd], s.faults[zombie],
		s.mostSent, s.mostCrashes)
}

// markdown is the report.
func (s *summary) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Simulator\n\n%s\n%s; %s of processor time for a seed. `make simulate SEEDS=%d` writes this.\n",
		s.sentence(), s.cost, s.cost.each(s.n), s.n)
	if len(s.failed) > 0 {
		slices.Sort(s.failed)
		fmt.Fprintf(&b, "Failed: %v. `%s` repeats the first.\n", s.failed[:min(len(s.failed), failedListed)],
			seedAgain(s.failed[0], 100))
	}
	b.WriteString("\nRequests that went wrong:\n\n| request |")
	for way := Refused; way <= SeveredAfter; way++ {
		fmt.Fprintf(&b, " %s |", way)
	}
	b.WriteString("\n|---|" + strings.Repeat("---|", int(SeveredAfter)+1))
	on, rest := "", false
	for _, f := range Faults() {
		switch {
		case answers[f.On] == nil && !rest:
			rest = true
			b.WriteString("\n\nWhat else went wrong:\n\n| what | times |\n|---|---|")
			fallthrough
		case rest:
			fmt.Fprintf(&b, "\n| %s | %d |", f, s.faults[f])
		case f.On != on:
			on = f.On
			fmt.Fprintf(&b, "\n| %s |", on)
			fallthrough
		default:
			fmt.Fprintf(&b, " %d |", s.faults[f])
		}
	}
	fmt.Fprintf(&b, "\n| a commit's outcome unknown | %d |\n", s.hits[unknownEnd])
	return b.String()
}

// cost is what a run took, and of what.
type cost struct{ wall, cpu time.Duration }

func (c cost) each(n int) time.Duration {
	return (c.cpu / time.Duration(max(n, 1))).Round(time.Millisecond)
}

// String has the commit too, where the caller has given it (TOCSIN_COMMIT).
func (c cost) String() string {
	commit := os.Getenv("TOCSIN_COMMIT")
	if commit == "" {
		commit = "unknown"
	}
	return fmt.Sprintf("Commit %s, %s; %s of wall time, %s of processor time, %d cores", commit, runtime.Version(),
		c.wall.Round(time.Second), c.cpu.Round(time.Second), runtime.GOMAXPROCS(0))
}

// meter measures from its start.
type meter struct {
	began time.Time
	used  time.Duration
}

func startMeter(t *testing.T) meter {
	t.Helper()
	return meter{time.Now(), processorTime(t)}
}

func (m meter) stop(t *testing.T) cost {
	t.Helper()
	return cost{time.Since(m.began), processorTime(t) - m.used}
}

// processorTime is what this process has used.
func processorTime(t *testing.T) time.Duration {
	t.Helper()
	var used syscall.Rusage
	require.NoError(t, syscall.Getrusage(syscall.RUSAGE_SELF, &used))
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
