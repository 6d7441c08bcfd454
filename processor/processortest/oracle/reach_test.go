package oracle

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"tocsin/topics"
)

// The histories must reach what they are there for.
func TestHistoriesReach(t *testing.T) {
	seen := map[string]int{}
	check(t, func(t *rapid.T) {
		h := drawHistory(t, true, false)
		naive := NewNaive(h.cfg)
		for _, r := range h.records {
			ruling := naive.Step(r)
			if ruling.Verdict == Duplicate {
				seen["duplicate"]++
			}
			if ruling.Conflict {
				seen["conflict"]++
			}
			seen[ruling.Reason.String()]++
		}
		for _, r := range naive.Revisions {
			seen[r.State]++
			if r.Revision > 2 && r.State == topics.StateOpen {
				seen["third open revision"]++
			}
			if r.First < r.Crossing {
				seen["grown backwards"]++
			}
			if len(r.Recent) > 0 {
				seen["recent"]++
			}
		}
	})
	for _, what := range []string{"duplicate", "conflict", "late", "future", "tampered", topics.StateMerged,
		topics.StateClosed, "third open revision", "grown backwards", "recent"} {
		require.NotZero(t, seen[what], "no history shows %q: %v", what, seen)
	}
	t.Log(seen)
}
