package simulate

import (
	"context"
	"fmt"
	"runtime"
	"runtime/pprof"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// patience is the number of seconds, of those in which this process was not held up itself, after which a run that
// still goes on is taken for one in which virtual time stands still.
const patience = 120

// run runs a plan in a bubble of its own. Nothing of it may be left in the end.
func run(t *testing.T, p *Plan, again string) *Result {
	t.Helper()
	return runAs(t, p, again, new(History), Run)
}

// runAs does what a plan says in a bubble of its own, and writes into h what happens. That there was no run, and what is
// left of one, are violations too, for whoever runs others after it. Two things end the process: a panic of a goroutine
// that nobody guards, whose trace has the command that repeats the run as a label, and virtual time that stands still.
func runAs(t *testing.T, p *Plan, again string, h *History, do func(*Plan, *History) (*Result, error)) *Result {
	t.Helper()
	defer afterPatience(patience, func() { panic(standstill(t, p, h, again)) })()
	var r *Result
	var err error
	var id string
	var left []string
	var stuck any
	pprof.Do(context.Background(), pprof.Labels("test", t.Name(), "again", again), func(context.Context) {
		stuck = inBubble(t, func() {
			var mine [256]byte // the first line will do
			id = bubbleOf(string(mine[:runtime.Stack(mine[:], false)]))
			r, err = do(p, h)
			synctest.Wait()
			left = others(id)
		})
	})
	if r == nil {
		r = &Result{Plan: p, History: h}
	}
	if err != nil {
		r.Violations = append(r.Violations, fmt.Sprintf("there was no run: %v", err))
	}
	if stuck != nil && len(left) == 0 {
		r.Violations = append(r.Violations, fmt.Sprint(stuck))
		left = others(id)
	}
	if len(left) > 0 {
		r.Violations = append(r.Violations, fmt.Sprintf("%d goroutines are left:\n%s", len(left),
			strings.Join(left[:min(len(left), 20)], "\n\n")))
	}
	return r
}

// inBubble runs do in a bubble. A bubble that does not end is a panic of synctest's, which is the result; the goroutines
// in it stay for ever, and disturb nobody.
func inBubble(t *testing.T, do func()) (stuck any) {
	t.Helper()
	defer func() { stuck = recover() }()
	synctest.Test(t, func(*testing.T) { do() })
	return nil
}

// standstill is what there is to say when virtual time stands still.
func standstill(t *testing.T, p *Plan, h *History, again string) string {
	t.Helper()
	r := &Result{Plan: p, History: h, Violations: []string{
		"virtual time stands still: a goroutine spins, or waits for a lock whose holder sleeps",
	}}
	return failure(t, r, again) + "\n\n" + strings.Join(stacks(), "\n\n")
}

// afterPatience calls do after so many seconds unless it is stopped before. A ticker gives one tick, and not many, for
// the time in which the process was stopped by a signal.
func afterPatience(seconds int, do func()) (stop func()) {
	done := make(chan struct{})
	go func() {
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for range seconds {
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

// stacks are those of all goroutines, the caller's first.
func stacks() []string {
	all := make([]byte, 1<<20)
	n := runtime.Stack(all, true)
	for n == len(all) { // cut off: the other bubbles have many goroutines
		all = make([]byte, 2*n)
		n = runtime.Stack(all, true)
	}
	return strings.Split(string(all[:n]), "\n\n")
}

// bubbleOf is the number of a goroutine's bubble; empty for none.
func bubbleOf(stack string) string {
	state, _, _ := strings.Cut(stack, "\n")
	_, id, _ := strings.Cut(state, "synctest bubble ")
	id, _, _ = strings.Cut(id, " ") // labels come after it
	return strings.TrimSuffix(id, "]:")
}

// others lists the goroutines of a bubble but for the caller.
func others(bubble string) (others []string) {
	for _, s := range stacks()[1:] {
		// The bubble's own two belong to the testing package.
		if bubbleOf(s) == bubble && !strings.Contains(s, "testingSynctestTest(") && !strings.Contains(s, "synctest.Run(") {
			others = append(others, s)
		}
	}
	return others
}
