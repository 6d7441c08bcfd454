package soak

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tocsin/processor/processortest/program"
)

// TestUpgrade upgrades three processes twice while TOCSIN_UPGRADE events come, at most TOCSIN_RATE a second. Its report
// goes to TOCSIN_REPORT/upgrade-<seed>.json and .md.
func TestUpgrade(t *testing.T) {
	onlyWhenAsked(t)
	next, err := program.Build(t.Context(), t.TempDir(), program.NextFormat)
	require.NoError(t, err)
	dir, err := os.MkdirTemp("", "tocsin-upgrade-") //nolint:usetesting // PostgreSQL's user must reach it, and a failure keeps it
	require.NoError(t, err)
	require.NoError(t, os.Chmod(dir, 0o711)) // see above
	began := time.Now()
	t.Log("logs and data are in", dir)
	cfg := Config{
		Program: built, Dir: dir, Seed: uint64(number(t, "TOCSIN_SEED", 1)), Events: number(t, "TOCSIN_UPGRADE", 40_000),
		Rate: number(t, "TOCSIN_RATE", 2000), Commit: os.Getenv("TOCSIN_COMMIT"),
		Say: func(format string, args ...any) {
			fmt.Printf("%7.2f "+format+"\n", append([]any{time.Since(began).Seconds()}, args...)...)
		},
	}
	r, err := Upgrade(t.Context(), cfg, next)
	require.NotNil(t, r, "%v", err)
	if folder := os.Getenv("TOCSIN_REPORT"); folder != "" {
		name := filepath.Join(folder, fmt.Sprintf("upgrade-%d", cfg.Seed))
		require.NoError(t, Write(name+".json", r))
		require.NoError(t, WriteMarkdown(name+".md", fmt.Sprintf("A rolling upgrade under load (values in the end by format: %v)",
			r.Values), r.Report))
	}
	require.NoError(t, Table(os.Stdout, r.Report))
	fmt.Printf("values in the end by format: %v; partitions with the digest of a replay: %d\n", r.Values, r.Digests)
	if err != nil || !r.OK() {
		for _, f := range r.Failures {
			t.Error(f)
		}
		t.Fatalf("%v\neverything is kept in %s", err, dir)
	}
	require.NoError(t, os.RemoveAll(dir))
}
