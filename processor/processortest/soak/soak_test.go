package soak

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestSoak is one run: TOCSIN_KILLS kills among TOCSIN_EVENTS events by TOCSIN_SEED, at most TOCSIN_RATE a second. Its
// report goes to TOCSIN_REPORT/soak-<seed>.json, and the table shows all reports of that folder. With TOCSIN_KEEP its
// logs and data are kept although all is well.
func TestSoak(t *testing.T) {
	onlyWhenAsked(t)
	// Not the test's own folder: PostgreSQL's user must reach it, and after a failure it is kept.
	dir, err := os.MkdirTemp("", "tocsin-soak-run-") //nolint:usetesting // see above
	require.NoError(t, err)
	require.NoError(t, os.Chmod(dir, 0o711)) // see above
	began := time.Now()
	t.Log("logs and data are in", dir)
	cfg := Config{
		Program: built, Dir: dir, Seed: uint64(number(t, "TOCSIN_SEED", 1)), Kills: number(t, "TOCSIN_KILLS", 20),
		Events: number(t, "TOCSIN_EVENTS", 100_000), Rate: number(t, "TOCSIN_RATE", 2000),
		Say: func(format string, args ...any) {
			fmt.Printf("%7.2f "+format+"\n", append([]any{time.Since(began).Seconds()}, args...)...)
		},
	}
	r, err := Run(t.Context(), cfg)
	require.NotNil(t, r, "%v", err)
	reports := []*Report{r}
	if folder := os.Getenv("TOCSIN_REPORT"); folder != "" {
		require.NoError(t, Write(filepath.Join(folder, fmt.Sprintf("soak-%d.json", cfg.Seed)), r))
		reports = readReports(t, folder)
	}
	require.NoError(t, Table(os.Stdout, reports...))
	if err != nil || !r.OK() {
		for _, f := range r.Failures {
			t.Error(f)
		}
		t.Fatalf("%v\neverything is kept in %s", err, dir)
	}
	if os.Getenv("TOCSIN_KEEP") == "" {
		require.NoError(t, os.RemoveAll(dir))
	}
}

func readReports(t *testing.T, folder string) (reports []*Report) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(folder, "soak-*.json"))
	require.NoError(t, err)
	for _, path := range paths {
		b, err := os.ReadFile(path)
		require.NoError(t, err)
		var r Report
		require.NoError(t, json.Unmarshal(b, &r), path)
		reports = append(reports, &r)
	}
	return reports
}

// TestPlan: a plan has what was asked for, and the same seed gives the same plan.
func TestPlan(t *testing.T) {
	plan := NewPlan(7, 150)
	require.Equal(t, plan, NewPlan(7, 150))
	require.NotEqual(t, plan, NewPlan(8, 150))
	kills, kinds := 0, map[Kind]int{}
	for _, f := range plan {
		kinds[f.Kind]++
		if f.Kind == Kill {
			kills += f.Hits
		}
	}
	require.Equal(t, 150, kills)
	delete(kinds, Kill)
	require.Equal(t, map[Kind]int{Pause: 15, Stop: 15, Leave: 10, Join: 7, Broker: 7, Database: 7}, kinds)
}
