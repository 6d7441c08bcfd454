package simulate

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// cell is one point with one loss.
type cell struct {
	runs, crashes, failed int
}

// TestMatrix crashes at every point with every loss: TOCSIN_CELLS seeds each, one by default. With TOCSIN_MATRIX it
// writes the table there.
func TestMatrix(t *testing.T) {
	if testing.Short() {
		t.Skip("the matrix takes a minute or two")
	}
	seeds := number(t, "TOCSIN_CELLS", 1)
	began := time.Now()
	var mu sync.Mutex
	table := map[string]*[3]cell{}
	t.Run("cell", func(t *testing.T) {
		for _, point := range rows() {
			table[point] = &[3]cell{}
			for _, loss := range []Loss{Kept, Lost, Torn} {
				for seed := range seeds {
					t.Run(fmt.Sprintf("%s/%s/%d", point, loss, seed), func(t *testing.T) {
						t.Parallel()
						plan := NewTour(uint64(seed), point, loss)
						if scenario, ok := scenarios[point]; ok {
							plan = scenario(uint64(seed), loss)
						}
						r := run(t, plan)
						report(t, r, fmt.Sprintf("go test -count 100 -failfast -run '^%s$' ./processor/processortest/simulate", t.Name()))
						mu.Lock()
						defer mu.Unlock()
						c := &table[point][loss]
						c.runs++
						if r.Crashed[plan.Crashes[0].Point] {
							c.crashes++
						}
						if t.Failed() {
							c.failed++
						}
					})
				}
			}
		}
	})
	var never []string
	for point, cells := range table {
		for loss, c := range cells {
			if c.crashes == 0 {
				never = append(never, fmt.Sprintf("%s, %s", point, Loss(loss)))
			}
		}
	}
	slices.Sort(never)
	if name := os.Getenv("TOCSIN_MATRIX"); name != "" {
		require.NoError(t, os.MkdirAll(filepath.Dir(name), 0o755))
		require.NoError(t, os.WriteFile(name, []byte(matrix(table, seeds, time.Since(began))), 0o644))
	}
	require.Empty(t, never, "cells in which nothing crashed")
}

// rows are the points and the scenarios.
func rows() []string { return append(Points(), slices.Sorted(maps.Keys(scenarios))...) }

// matrix writes the table.
func matrix(table map[string]*[3]cell, seeds int, took time.Duration) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Crash-point matrix\n\nEvery named point with every loss, %d seeds a cell; %s. A cell says in how many of its "+
		"runs the process\nwas killed at the point, and how many runs failed a check. `make simulate CELLS=%d` writes it.\n\n",
		seeds, took.Round(time.Second), seeds)
	fmt.Fprintf(&b, "| point | %s | %s | %s |\n|---|---|---|---|\n", Kept, Lost, Torn)
	for _, point := range rows() {
		fmt.Fprintf(&b, "| %s |", point)
		for _, c := range table[point] {
			fmt.Fprintf(&b, " %d of %d, %d failed |", c.crashes, c.runs, c.failed)
		}
		b.WriteByte('\n')
	}
	return b.String()
}
