package simulate

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// cell is one point with one loss.
type cell struct {
	runs, crashes, failed int
}

// tries bounds how often a scenario is run until it has come about: workers that are ready at the same instant may meet
// otherwise than it wants.
const tries = 5

// TestMatrix crashes at every point with every loss: TOCSIN_CELLS seeds each, one by default. With TOCSIN_CELL it runs
// the cells alone whose names begin so, and with TOCSIN_REPEAT the one that is named, point, loss and seed, until it
// fails. With TOCSIN_MATRIX it writes the table there.
func TestMatrix(t *testing.T) {
	only := os.Getenv("TOCSIN_CELL")
	if most := number(t, "TOCSIN_REPEAT", 0); most > 0 && only != "" {
		p, err := namedPlan(only)
		require.NoError(t, err)
		repeat(t, only, p, most, cellAgain(only, most))
		return
	}
	if testing.Short() {
		t.Skip("the matrix takes a minute or two")
	}
	seeds := number(t, "TOCSIN_CELLS", 1)
	m := startMeter(t)
	var mu sync.Mutex
	table := newTable()
	t.Run("cell", func(t *testing.T) {
		for _, point := range rows() {
			for _, loss := range []Loss{Kept, Lost, Torn} {
				for seed := range seeds {
					name := cellName(point, loss) + "/" + strconv.Itoa(seed)
					if !strings.HasPrefix(name, only) {
						continue
					}
					t.Run(name, func(t *testing.T) {
						t.Parallel()
						r, hit := runCell(t, point, loss, uint64(seed), cellAgain(name, 100))
						mu.Lock()
						defer mu.Unlock()
						table[point][loss].add(r, hit)
					})
				}
			}
		}
	})
	took := m.stop(t)
	if name := os.Getenv("TOCSIN_MATRIX"); name != "" {
		write(t, name, matrix(table, seeds, took))
	}
	t.Logf("%d cells run", ran(table))
	require.NotZero(t, ran(table), "no cell was run: there is none named %q", only)
	require.Empty(t, never(table), "cells in which nothing crashed, or not as their names say")
}

// runCell runs a cell once; a scenario until it has come about. hit: the process was killed at the point, and the
// scenario's name is what happened.
func runCell(t *testing.T, point string, loss Loss, seed uint64, again string) (r *Result, hit bool) {
	t.Helper()
	plan := cellPlan(point, loss, seed)
	for range tries {
		r = run(t, plan, again)
		report(t, r, again)
		hit = r.Crashed[plan.Crashes[0].Point]
		s, ok := scenarios[point]
		if !ok {
			break
		}
		var history bytes.Buffer
		_, err := r.History.WriteTo(&history)
		require.NoError(t, err)
		if hit = hit && s.met(history.String()); hit || t.Failed() {
			break
		}
	}
	return r, hit
}

func (c *cell) add(r *Result, hit bool) {
	c.runs++
	if hit {
		c.crashes++
	}
	if len(r.Violations) > 0 {
		c.failed++
	}
}

func cellAgain(name string, most int) string {
	return fmt.Sprintf("make simulate CELL='%s' REPEAT=%d", name, most)
}

// cellName is a cell's name as tests have it.
func cellName(point string, loss Loss) string {
	return strings.ReplaceAll(point+"/"+loss.String(), " ", "_")
}

func cellPlan(point string, loss Loss, seed uint64) *Plan {
	if s, ok := scenarios[point]; ok {
		return s.plan(seed, loss)
	}
	return NewTour(seed, point, loss)
}

// namedPlan is the plan of a cell, or of a run that once found something.
func namedPlan(name string) (*Plan, error) {
	name = strings.ReplaceAll(name, " ", "_")
	cut := strings.LastIndexByte(name, '/')
	seed, err := strconv.ParseUint(name[cut+1:], 10, 64)
	if cut < 0 || err != nil {
		return nil, fmt.Errorf("cell %q: want point/loss/seed", name)
	}
	for _, point := range rows() {
		for _, loss := range []Loss{Kept, Lost, Torn} {
			if cellName(point, loss) == name[:cut] {
				return cellPlan(point, loss, seed), nil
			}
		}
	}
	if name[:cut] == leftTheOffset {
		return commitThatLeftTheOffset(int(seed)), nil
	}
	return nil, fmt.Errorf("cell %q: no such point and loss", name)
}

// rows are the points and the scenarios.
func rows() []string { return append(Points(), slices.Sorted(maps.Keys(scenarios))...) }

func newTable() map[string]*[3]cell {
	table := map[string]*[3]cell{}
	for _, point := range rows() {
		table[point] = new([3]cell)
	}
	return table
}

// ran counts the cells' runs.
func ran(table map[string]*[3]cell) (n int) {
	for _, cells := range table {
		for _, c := range cells {
			n += c.runs
		}
	}
	return n
}

// never are the cells that were run and did not crash as they should.
func never(table map[string]*[3]cell) (names []string) {
	for point, cells := range table {
		for loss, c := range cells {
			if c.runs > 0 && c.crashes == 0 {
				names = append(names, cellName(point, Loss(loss)))
			}
		}
	}
	slices.Sort(names)
	return names
}

// matrix writes the table.
func matrix(table map[string]*[3]cell, seeds int, took cost) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Crash-point matrix\n\nEvery named point with every loss, %d seeds a cell, %d runs. A cell says in how many "+
		"of its runs the process\nwas killed at the point, and how many runs failed a check. `make simulate CELLS=%d` "+
		"writes it.\n%s.\n\n", seeds, ran(table), seeds, took)
	fmt.Fprintf(&b, "| point | %s | %s | %s |\n|---|---|---|---|\n", Kept, Lost, Torn)
	for _, point := range rows() {
		fmt.Fprintf(&b, "| %s |", point)
		for _, c := range table[point] {
			if c.runs == 0 {
				b.WriteString(" not run |")
				continue
			}
			fmt.Fprintf(&b, " %d of %d, %d failed |", c.crashes, c.runs, c.failed)
		}
		b.WriteByte('\n')
	}
	return b.String()
}
