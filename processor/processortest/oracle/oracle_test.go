package oracle

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// check runs a property over some thousand histories.
func check(t *testing.T, property func(*rapid.T)) {
	t.Helper()
	for range 10 {
		rapid.Check(t, property)
	}
}

// runBoth gives the rulings and revisions of both oracles.
func runBoth(t require.TestingT, h history) (*Naive, []Revision) {
	naive := NewNaive(h.cfg)
	var revisions []Revision
	two := NewTwoPointer(h.cfg, func(r Revision) { revisions = append(revisions, r) })
	for i := range h.records {
		want := naive.Step(h.records[i])
		got := two.Step(&h.records[i])
		require.Equal(t, want, got, "ruling on record %d", i)
	}
	return naive, revisions
}

func TestOraclesAgree(t *testing.T) {
	for _, c := range []struct {
		name          string
		cuts, absence bool
	}{{"plain", false, false}, {"cuts", true, false}, {"absence", false, true}, {"both", true, true}} {
		t.Run(c.name, func(t *testing.T) {
			check(t, func(t *rapid.T) {
				h := drawHistory(t, c.cuts, c.absence)
				naive, revisions := runBoth(t, h)
				require.Equal(t, naive.Revisions, revisions)
			})
		})
	}
}

// The spans an arrival order ends with are those of the set of accepted events.
func TestSpansFollowFromTheSet(t *testing.T) {
	check(t, func(t *rapid.T) {
		h := drawHistory(t, false, false)
		naive, revisions := runBoth(t, h)
		want := FinalSpans(h.cfg, naive.Accepted)
		require.Equal(t, want, FastSpans(h.cfg, naive.Accepted))
		got := SpansOf(revisions)
		for k := range got {
			if k.Key.Space == SpaceIntegrity {
				delete(got, k)
			}
		}
		require.Equal(t, want, got)
	})
}
