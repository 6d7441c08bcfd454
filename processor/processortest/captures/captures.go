// Package captures gives tests the recorded CloudTrail sets and the facts about them that were computed independently,
// and checks alerts against those facts. The recordings lie beside the repository; without them a test skips and says
// so.
package captures

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tocsin/processor/processortest/program"
	"tocsin/topics"
)

// Sets are the names of the recordings.
func Sets() []string { return []string{"invictus", "stratus"} }

// Firing is a key that must fire, by the facts.
type Firing struct {
	Key                 string
	Organizations       []string
	FirstCrossing       time.Time `json:"first_crossing"`
	MatchingEvents      int64     `json:"matching_events"`
	EventsInFirstWindow []string  `json:"events_in_first_window"`
}

// Facts are what the tests need of expected/<set>.json.
type Facts struct {
	EventsDelivered int `json:"events_delivered"`
	Rules           struct {
		Denied struct {
			Union struct {
				ByPrincipal struct{ Firing []Firing } `json:"by_principal"`
			}
		}
		Velocity struct {
			ByPrincipal struct{ Firing []Firing } `json:"by_principal"`
		}
	}
}

// Shared gives the folder of shared test data, or skips the test when there is none.
func Shared(t testing.TB) string {
	t.Helper()
	root, err := program.Root()
	require.NoError(t, err)
	shared := filepath.Join(filepath.Dir(root), "shared")
	if _, err := os.Stat(filepath.Join(shared, "data")); err != nil {
		t.Skipf("the recorded captures are not here (%s): they are no part of the repository", filepath.Join(shared, "data"))
	}
	return shared
}

// Folder gives the folder of the raw files of a set.
func Folder(t testing.TB, set string) string {
	t.Helper()
	return filepath.Join(Shared(t), "data", "cloudtrail", set)
}

// Load reads the facts of a set.
func Load(t testing.TB, set string) *Facts {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(Shared(t), "data", "expected", set+".json"))
	require.NoError(t, err)
	f := new(Facts)
	require.NoError(t, json.Unmarshal(b, f))
	return f
}

// Events reads the mapped events of a set in file order, one JSON text each.
func Events(t testing.TB, set string) [][]byte {
	t.Helper()
	file, err := os.Open(filepath.Join(Shared(t), "data", "expected", set+".events.jsonl.gz"))
	require.NoError(t, err)
	defer func() { _ = file.Close() }()
	z, err := gzip.NewReader(file)
	require.NoError(t, err)
	var events [][]byte
	lines := bufio.NewScanner(z)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		events = append(events, append([]byte(nil), lines.Bytes()...))
	}
	require.NoError(t, lines.Err())
	return events
}

// Check holds all revisions of a run in event-time order against the facts: who fires, the first crossings, and their
// evidence.
func (f *Facts) Check(t testing.TB, alerts []topics.Alert) {
	t.Helper()
	f.check(t, alerts, "unauthorized-access", 3, f.Rules.Denied.Union.ByPrincipal.Firing)
	f.check(t, alerts, "data-velocity", 50, f.Rules.Velocity.ByPrincipal.Firing)
	for _, a := range alerts {
		require.NotContains(t, []string{"failed-auth-burst", "bulk-operation", "integrity-violation"}, a.Rule.ID)
	}
}

func (f *Facts) check(t testing.TB, alerts []topics.Alert, rule string, n int, firing []Firing) {
	t.Helper()
	first := map[string]topics.Alert{} // by principal: revision 1 with the earliest crossing
	for _, a := range alerts {
		if a.Rule.ID != rule || a.Revision != 1 {
			continue
		}
		who := a.Group["principal"]
		if before, ok := first[who]; !ok || a.Crossing < before.Crossing {
			first[who] = a
		}
	}
	keys, want := make([]string, 0, len(first)), make([]string, 0, len(firing))
	for who := range first {
		keys = append(keys, who)
	}
	for _, x := range firing {
		want = append(want, x.Key)
		a := first[x.Key]
		require.Equal(t, x.FirstCrossing.UTC(), a.Crossing.Time(), "%s: first crossing of %s", rule, x.Key)
		crossing := 0
		for _, e := range a.Evidence {
			if e.Role != "crossing" {
				continue
			}
			crossing++
			if len(x.EventsInFirstWindow) > 0 {
				require.Contains(t, x.EventsInFirstWindow, e.ID, "%s: evidence of %s", rule, x.Key)
			}
			if crossing == n {
				require.Equal(t, a.Crossing, e.Timestamp, "%s: the last event of the crossing of %s", rule, x.Key)
			}
		}
		require.Equal(t, n, crossing, "%s: events of the crossing of %s", rule, x.Key)
		require.Contains(t, x.Organizations, a.Organization)
	}
	require.ElementsMatch(t, want, keys, "%s: who fires", rule)
}

// Final gives the last revision of every alert that was not merged into another, as text without its id, sorted by the
// caller: what must be the same for every order of arrival.
func Final(alerts []topics.Alert) map[string]int {
	last := map[string]topics.Alert{}
	for _, a := range alerts {
		if l, ok := last[a.ID]; !ok || a.Revision > l.Revision {
			last[a.ID] = a
		}
	}
	final := map[string]int{}
	for _, a := range last {
		if a.State != topics.StateMerged {
			b, _ := json.Marshal([]any{a.Rule.ID, a.Organization, a.Group, a.Span, a.Count, a.State})
			final[string(b)]++
		}
	}
	return final
}
