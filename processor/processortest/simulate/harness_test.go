package simulate

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A run that leaves a goroutine behind, or does not end, fails with its history and its command, and the next is run.
func TestLeftBehind(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	for name, c := range map[string]struct {
		leave func()
		want  string
	}{
		"one that waits":   {func() { go func() { select {} }() }, "1 goroutines are left:\ngoroutine "},
		"one that sleeps":  {func() { go time.Sleep(24 * time.Hour) }, "1 goroutines are left:\ngoroutine "},
		"one that is back": {func() { go func() {}() }, ""},
		"all are stuck":    {func() { select {} }, "all goroutines in bubble are blocked"},
	} {
		t.Run(name, func(t *testing.T) {
			p := cellPlan("loop/polled", Kept, 0)
			r := runAs(t, p, "this command", new(History), func(p *Plan, h *History) (*Result, error) {
				h.addf("world", "something happened")
				c.leave()
				return &Result{Plan: p, History: h}, nil
			})
			if c.want == "" {
				require.Empty(t, r.Violations)
				return
			}
			require.Contains(t, strings.Join(r.Violations, "\n"), c.want)
			require.Contains(t, strings.Join(r.Violations, "\n"), "harness_test.go", "the stack of what is left")
			requireRepeatable(t, failure(t, r, "this command"))
		})
	}
}

// A run that cannot begin fails like any other.
func TestNoRun(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	r := runAs(t, new(Plan), "this command", new(History), func(*Plan, *History) (*Result, error) {
		return nil, os.ErrInvalid
	})
	require.Equal(t, []string{"there was no run: invalid argument"}, r.Violations)
	s := newSummary(7, 1)
	s.add(7, r)
	require.Equal(t, []int{7}, s.failed)
}

// When virtual time stands still, the process ends, and says all that a failure says.
func TestStandstill(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	called := make(chan string)
	h := new(History)
	h.addf("world", "something happened")
	defer afterPatience(1, func() { called <- standstill(t, new(Plan), h, "this command") })()
	said := <-called
	require.Contains(t, said, "virtual time stands still")
	require.Contains(t, said, "TestStandstill", "the stacks")
	requireRepeatable(t, said)
}

func requireRepeatable(t *testing.T, said string) {
	t.Helper()
	require.Contains(t, said, "again: this command")
	_, name, found := strings.Cut(said, "history: ")
	require.True(t, found)
	name, _, _ = strings.Cut(name, "\n")
	history, err := os.ReadFile(name)
	require.NoError(t, err)
	require.Contains(t, string(history), "something happened")
}

// dies makes TestDies, in a process of its own, panic in a goroutine that nobody guards.
const dies = "TOCSIN_SIMULATE_DIES"

// A panic of a goroutine that nobody guards ends the process. Its trace has the command as a label, and whoever repeats
// it has the history up to that moment.
func TestDies(t *testing.T) {
	if file := os.Getenv(dies); file != "" {
		f, err := os.Create(file)
		require.NoError(t, err)
		runAs(t, new(Plan), "this command", &History{live: f}, func(_ *Plan, h *History) (*Result, error) {
			h.addf("world", "something happened")
			go panic("on purpose")
			select {}
		})
		return
	}
	file := filepath.Join(t.TempDir(), "history")
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.Command(self, "-test.run=^TestDies$")
	cmd.Env = append(os.Environ(), dies+"="+file)
	said, err := cmd.CombinedOutput()
	require.Error(t, err)
	require.Contains(t, string(said), "panic: on purpose")
	require.Contains(t, string(said), `"again": "this command"`)
	history, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Contains(t, string(history), "something happened")
}

// A cell that failed has a name, and the name has the plan.
func TestNamedPlan(t *testing.T) {
	for _, point := range rows() {
		for _, loss := range []Loss{Kept, Lost, Torn} {
			p, err := namedPlan(cellName(point, loss) + "/7")
			require.NoError(t, err)
			require.Equal(t, cellPlan(point, loss, 7), p)
		}
	}
	p, err := namedPlan(leftTheOffset + "/3")
	require.NoError(t, err)
	require.Equal(t, commitThatLeftTheOffset(3), p)
	for _, name := range []string{"", "loop/polled", "loop/polled/7", "loop/nowhere/torn_tail/7"} {
		_, err := namedPlan(name)
		require.ErrorContains(t, err, "cell "+fmt.Sprintf("%q", name))
	}
}

// Cells that were not asked for are not missed; those that were run are.
func TestMatrixNever(t *testing.T) {
	table := newTable()
	require.Zero(t, ran(table))
	require.Empty(t, never(table))
	table["loop/polled"][Kept].add(new(Result), true)
	table["loop/polled"][Torn].add(&Result{Violations: []string{"v"}}, false)
	require.Equal(t, 2, ran(table))
	require.Equal(t, []string{"loop/polled/torn_tail"}, never(table))
	require.Contains(t, matrix(table, 1, cost{}), "| loop/polled | 1 of 1, 0 failed | not run | 0 of 1, 1 failed |")
}

// What a number of seeds must have shown is missed where they have not.
func TestSummaryWants(t *testing.T) {
	t.Setenv("TOCSIN_COMMIT", "v1-2-gabc-dirty")
	full := func(n int) *summary {
		s := newSummary(0, n)
		for _, p := range Points() {
			s.hits[p] = longUnknown
		}
		for _, f := range Faults() {
			s.faults[f] = longZombies
		}
		return s
	}
	spare := func(kind string) func(*summary) {
		return func(s *summary) {
			for way := Refused; way <= SeveredAfter; way++ {
				delete(s.faults, Fault{kind, way.String()})
			}
		}
	}
	require.Empty(t, full(defaultSeeds).wants())
	require.Empty(t, full(longSeeds).wants())
	require.Empty(t, newSummary(0, defaultSeeds-1).wants())
	for name, c := range map[string]struct {
		n     int
		spoil func(*summary)
		want  []string
	}{
		"a point": {defaultSeeds, func(s *summary) { delete(s.hits, "loop/polled") }, []string{"point loop/polled"}},
		"a move": {defaultSeeds, func(s *summary) { delete(s.faults, Fault{"move", "clock jumps"}) },
			[]string{"move: clock jumps"}},
		"zombies":           {defaultSeeds, func(s *summary) { delete(s.faults, zombie) }, []string{zombie.String()}},
		"one request":       {defaultSeeds, spare("Abort"), nil},
		"one request, long": {longSeeds, spare("Abort"), []string{"a request that goes wrong: Abort"}},
		"all requests in one way": {defaultSeeds, func(s *summary) {
			for kind := range answers {
				delete(s.faults, Fault{kind, Unanswered.String()})
			}
		}, []string{"a request done and not answered"}},
		"unknown outcomes, long": {longSeeds, func(s *summary) { s.hits[unknownEnd]-- },
			[]string{"1000 commits of unknown outcome, there were 999"}},
		"zombies, long": {longSeeds, func(s *summary) { s.faults[zombie]-- }, []string{"200 zombies, there were 199"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := full(c.n)
			c.spoil(s)
			require.Equal(t, c.want, s.wants())
		})
	}
	s := full(100)
	s.cost = cost{time.Minute, 30 * time.Second}
	require.Empty(t, s.dear())
	s.cost.cpu += 40 * time.Millisecond
	require.Empty(t, s.dear(), "it is the mean, in milliseconds")
	s.cost.cpu += 60 * time.Millisecond
	require.Len(t, s.dear(), 1)
	require.Contains(t, s.markdown(), "Commit v1-2-gabc-dirty, ")
	require.Contains(t, s.markdown(), "1m0s of wall time, 30s of processor time")
	require.Contains(t, s.markdown(), "| Database | 200 | 200 | 200 | 200 | 200 |")
}

// A scenario's name is what happened, or the cell does not count.
func TestScenariosAreMet(t *testing.T) {
	for name, c := range map[string]struct {
		met     func(string) bool
		history []string
		want    bool
	}{
		"re-assigned": {wasReassigned, []string{"HELD UP at loop/committed for 9s", "loop/restoring 1", "CRASH at state/apply;"}, true},
		"the lease was free": {
			wasReassigned, []string{"HELD UP at loop/committed for 9s", "loop/restoring 1", "loop/leased 1", "CRASH at state/apply;"}, false,
		},
		"no new owner":        {wasReassigned, []string{"HELD UP at loop/committed for 9s", "CRASH at state/apply;"}, false},
		"after the crash":     {wasReassigned, []string{"HELD UP at loop/committed for 9s", "CRASH at state/apply;", "loop/restoring 1"}, false},
		"not held up":         {wasReassigned, []string{"loop/restoring 1", "CRASH at state/apply;"}, false},
		"no crash":            {wasReassigned, []string{"HELD UP at loop/committed for 9s", "loop/restoring 1"}, false},
		"effective":           {wasEffective, []string{"FAULT: Commit: done and answered with an error", "CRASH at loop/unknown;"}, true},
		"unknown, no fault":   {wasEffective, []string{"CRASH at loop/unknown;"}, false},
		"something else, too": {wasEffective, []string{"FAULT: Commit: done and answered with an error", "FAULT: Produce: refused", "CRASH at loop/unknown;"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			var b bytes.Buffer
			for _, line := range c.history {
				fmt.Fprintf(&b, "     1.000000s  p0.1     %s\n", line)
			}
			require.Equal(t, c.want, c.met(b.String()))
		})
	}
}
