package soak

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tocsin/bench/compare"
	"tocsin/bench/generate"
	"tocsin/processor/processortest/oracle"
	"tocsin/topics"
)

// TestSoak is one run: TOCSIN_KILLS kills among TOCSIN_EVENTS events by TOCSIN_SEED, at most TOCSIN_RATE a second. Its
// report goes to TOCSIN_REPORT/soak-<seed>.json and .md, and all reports of that folder are summed up in soak.md. With
// TOCSIN_KEEP its logs and data are kept although all is well.
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
		Commit: os.Getenv("TOCSIN_COMMIT"),
		Say: func(format string, args ...any) {
			fmt.Printf("%7.2f "+format+"\n", append([]any{time.Since(began).Seconds()}, args...)...)
		},
	}
	r, err := Run(t.Context(), cfg)
	require.NotNil(t, r, "%v", err)
	reports := []*Report{r}
	if folder := os.Getenv("TOCSIN_REPORT"); folder != "" {
		name := filepath.Join(folder, fmt.Sprintf("soak-%d", cfg.Seed))
		require.NoError(t, Write(name+".json", r))
		require.NoError(t, WriteMarkdown(name+".md", "One run of the soak", r))
		var failed error
		reports, failed = Sum(folder)
		require.NoError(t, failed)
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

// TestSum adds up the reports in TOCSIN_SUM without running anything.
func TestSum(t *testing.T) {
	folder := os.Getenv("TOCSIN_SUM")
	if folder == "" {
		t.Skip("`make soak SUM=1` runs it")
	}
	reports, err := Sum(folder)
	require.NoError(t, err)
	require.NoError(t, Table(os.Stdout, reports...))
}

// A report of before there were commits, CPU time and digests is summed up with one of today, and what it does not say
// is not made up.
func TestSumOfOldReports(t *testing.T) {
	folder := t.TempDir()
	b, err := os.ReadFile("testdata/soak-old.json")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(folder, "soak-11.json"), b, 0o600))
	now := newReport(&Config{Seed: 2, Events: 1_000_000, Commit: "abc"})
	now.Killed, now.Seconds, now.CPUSeconds, now.Digests = 20, 3600, 5400, partitions
	require.NoError(t, Write(filepath.Join(folder, "soak-2.json"), now))
	reports, err := Sum(folder)
	require.NoError(t, err)
	require.Len(t, reports, 2)
	require.True(t, reports[0].OK())
	require.True(t, reports[1].OK())
	got, err := os.ReadFile(filepath.Join(folder, "soak.md"))
	require.NoError(t, err)
	require.Contains(t, string(got), "2 runs, 0 of them failed; 170 kills, 6000000 events, 1.3 hours, 1.5 hours of CPU time, "+
		"not measured in all of them.")
	for _, line := range []string{
		"| seed | 2 | 11 | sum |",
		"| --- | ---: | ---: | ---: |",
		"| seconds of CPU time | 5400 | - |  |",
		"| kill -9 | 20 | 150 | 170 |",
		"| partitions with the digest of a replay | 16 | - |  |",
		"| restores of the tail, nobody else since | 0 | 638 | 638 |",
		"- Seed 11: began 2026-11-22 22:09 UTC, commit not recorded, 2 CPUs, linux, go1.26.8.",
	} {
		require.Contains(t, string(got), line+"\n")
	}
	require.Contains(t, string(got), "commit abc")
	require.NoError(t, os.WriteFile(filepath.Join(folder, "soak-3.json"), []byte("{"), 0o600))
	_, err = Sum(folder)
	require.ErrorContains(t, err, "soak-3.json")
	_, err = Sum(t.TempDir())
	require.ErrorContains(t, err, "no soak-*.json")
}

// What may be missed above the cap is bounded, and nothing else is forgiven.
func TestAllow(t *testing.T) {
	want := &generate.Expectation{
		Counts:  oracle.Counts{Judged: 100, Duplicates: 20, Exempted: 5, Conflicts: 4},
		Blurred: oracle.Counts{Duplicates: 3, Conflicts: 2},
	}
	for _, c := range []struct {
		name   string
		got    topics.Counts
		missed int64
		same   bool
	}{
		{"exact", topics.Counts{Judged: 100, Duplicates: 20, Exempted: 5, IDConflicts: 4}, 0, true},
		{"missed", topics.Counts{Judged: 103, Duplicates: 17, Exempted: 6, IDConflicts: 2}, 3, true},
		{"missed, and in conflict", topics.Counts{Judged: 101, Duplicates: 19, Exempted: 5, IDConflicts: 5}, 1, true},
		{"too many missed", topics.Counts{Judged: 104, Duplicates: 16, Exempted: 5, IDConflicts: 4}, 3, false},
		{"too many noticed", topics.Counts{Judged: 99, Duplicates: 21, Exempted: 5, IDConflicts: 4}, 0, false},
		{"lost", topics.Counts{Judged: 99, Duplicates: 20, Exempted: 5, IDConflicts: 4}, 0, false},
		{"too few conflicts", topics.Counts{Judged: 100, Duplicates: 20, Exempted: 5, IDConflicts: 1}, 0, false},
		{"too many conflicts", topics.Counts{Judged: 101, Duplicates: 19, Exempted: 5, IDConflicts: 6}, 1, false},
		{"an exemption lost", topics.Counts{Judged: 101, Duplicates: 19, Exempted: 4, IDConflicts: 4}, 1, false},
		{"too many exemptions", topics.Counts{Judged: 101, Duplicates: 19, Exempted: 7, IDConflicts: 4}, 1, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, missed := allow(want, c.got)
			require.Equal(t, c.missed, missed)
			require.Equal(t, c.same, compare.Counts(want.Counts, got).Err() == nil)
		})
	}
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
