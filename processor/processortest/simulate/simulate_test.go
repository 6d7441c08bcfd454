package simulate

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// defaultSeeds are run by a plain test.
const defaultSeeds = 200

// TestMain lets garbage lie for longer: worlds are small and come to nothing soon. A panic says which run's it is.
func TestMain(m *testing.M) {
	debug.SetGCPercent(400)
	// Read by the runtime when it is set. It comes first, so that a setting of the caller's wins.
	if err := os.Setenv("GODEBUG", "tracebacklabels=1,"+os.Getenv("GODEBUG")); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// TestSeeds runs a number of seeds (TOCSIN_SEEDS) from a first one on (TOCSIN_SEED), and sees to it that they reach
// every point together, and that everything goes wrong. With TOCSIN_REPEAT it runs the first seed until it fails, at
// most so many times. With TOCSIN_REPORT it writes there what came of it, and holds seeds to their processor time.
func TestSeeds(t *testing.T) {
	few := defaultSeeds
	if testing.Short() {
		few = 20
	}
	first, n := number(t, "TOCSIN_SEED", 0), number(t, "TOCSIN_SEEDS", few)
	if most := number(t, "TOCSIN_REPEAT", 0); most > 0 {
		repeat(t, fmt.Sprintf("seed %d", first), NewPlan(uint64(first)), most, seedAgain(first, most))
		return
	}
	var mu sync.Mutex
	s := newSummary(first, n)
	m := startMeter(t)
	t.Run("seed", func(t *testing.T) {
		for seed := first; seed < first+n; seed++ {
			t.Run(strconv.Itoa(seed), func(t *testing.T) {
				t.Parallel()
				again := seedAgain(seed, 100)
				r := run(t, NewPlan(uint64(seed)), again)
				report(t, r, again)
				mu.Lock()
				defer mu.Unlock()
				s.add(seed, r)
			})
		}
	})
	s.cost = m.stop(t)
	t.Log(s.sentence())
	wants := s.wants()
	if name := os.Getenv("TOCSIN_REPORT"); name != "" {
		wants = append(wants, s.dear()...)
		write(t, name, s.markdown())
	}
	require.Empty(t, wants, "what the seeds have not shown")
}

func seedAgain(seed, most int) string {
	return fmt.Sprintf("make simulate SEED=%d REPEAT=%d", seed, most)
}

// repeat runs a plan until it fails and says how often it had to. What happens is written down at once: the process may
// not live to the end.
func repeat(t *testing.T, what string, p *Plan, most int, again string) {
	t.Helper()
	name := historyName(t, "so-far")
	t.Logf("history so far: %s", name)
	for i := 1; i <= most; i++ {
		require.NoError(t, os.MkdirAll(filepath.Dir(name), 0o755))
		f, err := os.Create(name)
		require.NoError(t, err)
		r := runAs(t, p, again, &History{live: f}, Run)
		require.NoError(t, f.Close())
		if len(r.Violations) > 0 {
			t.Logf("%s failed in run %d of at most %d", what, i, most)
			report(t, r, again)
			return
		}
	}
	t.Logf("%s did not fail in %d runs", what, most)
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

func write(t *testing.T, name, text string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(name), 0o755))
	require.NoError(t, os.WriteFile(name, []byte(text), 0o644))
}
