package simulate

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	// defaultSeeds are run by a plain test.
	defaultSeeds = 200
	// patience is the number of seconds, of those in which this process was not held up itself, after which a run that
	// still goes on is taken for one in which virtual time stands still.
	patience = 120
)

// TestMain lets garbage lie for longer: worlds are small and come to nothing soon.
func TestMain(m *testing.M) {
	debug.SetGCPercent(400)
	os.Exit(m.Run())
}

// TestSeeds runs a number of seeds (TOCSIN_SEEDS) from a first one on (TOCSIN_SEED), and sees to it that they reach
// every point together. With TOCSIN_REPEAT it runs the first seed until it fails, at most so many times.
func TestSeeds(t *testing.T) {
	few := defaultSeeds
	if testing.Short() {
		few = 20
	}
	first, n := number(t, "TOCSIN_SEED", 0), number(t, "TOCSIN_SEEDS", few)
	if repeat := number(t, "TOCSIN_REPEAT", 0); repeat > 0 {
		repeatSeed(t, first, repeat)
		return
	}
	var mu sync.Mutex
	hits := map[string]int{}
	var crashes, restores, failed int
	began := time.Now()
	t.Run("seed", func(t *testing.T) {
		for seed := first; seed < first+n; seed++ {
			t.Run(strconv.Itoa(seed), func(t *testing.T) {
				t.Parallel()
				r := run(t, NewPlan(uint64(seed)))
				report(t, r, fmt.Sprintf("make simulate SEED=%d REPEAT=100", seed))
				mu.Lock()
				defer mu.Unlock()
				crashes, restores = crashes+r.Crashes, restores+r.Restores
				if t.Failed() {
					failed++
				}
				for p, n := range r.Hits {
					hits[p] += n
				}
			})
		}
	})
	var never []string
	for _, p := range Points() {
		if hits[p] == 0 {
			never = append(never, p)
		}
	}
	t.Logf("%d seeds, %d crashes, %d restores after a crash; %d of %d points reached", n, crashes, restores,
		len(Points())-len(never), len(Points()))
	if name := os.Getenv("TOCSIN_REPORT"); name != "" {
		require.NoError(t, os.MkdirAll(filepath.Dir(name), 0o755))
		require.NoError(t, os.WriteFile(name, fmt.Appendf(nil, "# Simulator\n\nSeeds %d to %d: %d crashes, %d restores after a "+
			"crash, %d of %d points reached, %d seeds failed.\n%s of wall time, %s of processor time, %d cores, %s.\n",
			first, first+n-1, crashes, restores, len(Points())-len(never), len(Points()), failed,
			time.Since(began).Round(time.Second), processorTime(t).Round(time.Second), runtime.NumCPU(), runtime.Version()), 0o644))
	}
	if n >= defaultSeeds {
		require.Empty(t, never, "points that no seed reached")
	}
}

// processorTime is what this process has used.
func processorTime(t *testing.T) time.Duration {
	t.Helper()
	var used syscall.Rusage
	require.NoError(t, syscall.Getrusage(syscall.RUSAGE_SELF, &used))
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// repeatSeed runs one seed until it fails and says how often it had to.
func repeatSeed(t *testing.T, seed, most int) {
	t.Helper()
	for i := 1; i <= most; i++ {
		r := run(t, NewPlan(uint64(seed)))
		if len(r.Violations) > 0 {
			t.Logf("seed %d failed in run %d", seed, i)
			report(t, r, fmt.Sprintf("make simulate SEED=%d REPEAT=%d", seed, most))
			return
		}
	}
	t.Logf("seed %d did not fail in %d runs", seed, most)
}

func number(t *testing.T, env string, otherwise int) int {
	t.Helper()
	s := os.Getenv(env)
	if s == "" {
		return otherwise
	}
	n, err := strconv.Atoi(s)
	require.NoError(t, err, env)
	return n
}

// run runs a plan in a bubble of its own. Nothing of it may be left in the end.
func run(t *testing.T, p *Plan) *Result {
	t.Helper()
	h := new(History)
	defer afterPatience(func() {
		var stacks [4 << 20]byte
		name, err := store(t, p, h)
		panic(fmt.Sprintf("virtual time stands still: a goroutine spins, or waits for a lock whose holder sleeps\n%s"+
			"history: %s %v\n%s", p, name, err, stacks[:runtime.Stack(stacks[:], true)]))
	})()
	var r *Result
	var err error
	synctest.Test(t, func(*testing.T) {
		r, err = Run(p, h)
		synctest.Wait()
		if left := bubble(); len(left) > 0 && r != nil {
			r.Violations = append(r.Violations, fmt.Sprintf("%d goroutines are left: %s", len(left), left[0]))
		}
	})
	require.NoError(t, err, "%s", p)
	return r
}

// afterPatience calls do unless it is stopped before. A ticker gives one tick, and not many, for the time in which the
// process was stopped by a signal.
func afterPatience(do func()) (stop func()) {
	done := make(chan struct{})
	go func() {
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for range patience {
			select {
			case <-done:
				return
			case <-tick.C:
			}
		}
		do()
	}()
	return func() { close(done) }
}

// bubble lists the other goroutines of the caller's bubble.
func bubble() (others []string) {
	stacks := make([]byte, 1<<20)
	n := runtime.Stack(stacks, true)
	for n == len(stacks) { // cut off: the other bubbles have many goroutines
		stacks = make([]byte, 2*n)
		n = runtime.Stack(stacks, true)
	}
	all := strings.Split(string(stacks[:n]), "\n\n")
	_, mine, ok := strings.Cut(strings.SplitN(all[0], "]", 2)[0], "synctest bubble ")
	for _, s := range all[1:] {
		_, theirs, in := strings.Cut(strings.SplitN(s, "]", 2)[0], "synctest bubble ")
		// The bubble's own two belong to the testing package.
		if ok && in && mine == theirs && !strings.Contains(s, "testingSynctestTest") && !strings.Contains(s, "synctest.Run") {
			others = append(others, s)
		}
	}
	return others
}

// report fails the test for what was violated, stores what happened, and says how to see it again.
func report(t *testing.T, r *Result, again string) {
	t.Helper()
	if len(r.Violations) == 0 {
		return
	}
	name, err := store(t, r.Plan, r.History)
	require.NoError(t, err)
	shown := slices.Clone(r.Violations[:min(len(r.Violations), 10)])
	t.Errorf("%s\n%s\nhistory: %s\nagain: %s", r.Plan, strings.Join(shown, "\n"), name, again)
}

// store writes down what happened, and says where.
func store(t *testing.T, p *Plan, h *History) (name string, err error) {
	t.Helper()
	dir := filepath.Join(os.TempDir(), "tocsin-simulate")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	name = filepath.Join(dir, strings.NewReplacer("/", "-", " ", "-").Replace(t.Name())+".txt")
	f, err := os.Create(name)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if _, err := fmt.Fprint(f, p); err != nil {
		return name, err
	}
	_, err = h.WriteTo(f)
	return name, err
}
