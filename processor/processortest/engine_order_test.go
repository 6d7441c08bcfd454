package processortest_test

import (
	"fmt"
	"sort"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"tocsin/processor/engine"
	"tocsin/processor/processortest/oracle"
	"tocsin/topics"
)

// TestEngineOrderInvariance: for any two arrival orders in which nothing is late or future, the same rules fire for the
// same keys, and in the end with the same spans and counts; these are the order-free ones of the set of events.
func TestEngineOrderInvariance(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		h := draw(t, 86400) // no cuts
		if h.cfg.Grace == 0 {
			t.Skip("nothing may arrive out of order")
		}
		// Draw a second set of events, all within grace of each other, and put them in two orders.
		h.records, h.oracle = nil, nil
		for i := range rapid.IntRange(1, 40).Draw(t, "events") {
			h.addWithin(t, int64(i))
		}
		other := rapid.Permutation(h.records).Draw(t, "order")
		a, b := newRun(h.engine), newRun(h.engine)
		var pr engine.Prepared
		for i := range h.records {
			x, y := h.records[i], other[i]
			x.Offset, y.Offset = int64(i), int64(i)
			x.Timestamp = base + 200*second + rapid.Int64Range(0, int64(i)).Draw(t, "x")*second
			y.Timestamp = base + 200*second + rapid.Int64Range(0, int64(i)).Draw(t, "y")*second
			a.step(t, &x, &pr)
			b.step(t, &y, &pr)
		}
		h.tick(int64(len(h.records)), base+3600*second)
		last := h.records[len(h.records)-1]
		a.step(t, &last, &pr)
		b.step(t, &last, &pr)
		require.Empty(t, a.letters)
		require.Empty(t, b.letters)
		want := spanLines(oracle.FinalSpans(h.cfg, distinct(h.oracle)))
		require.Equal(t, want, finalLines(a.alerts))
		require.Equal(t, want, finalLines(b.alerts))
	})
}

// addWithin adds an event whose time lies in the grace before base + 100 s.
func (h *history) addWithin(t *rapid.T, offset int64) {
	before := len(h.records)
	for len(h.records) == before || h.oracle[before].Tick || h.oracle[before].Reason != topics.ReasonNone {
		h.records, h.oracle = h.records[:before], h.oracle[:before]
		et := base + 100*second - rapid.Int64Range(0, h.cfg.Grace/second).Draw(t, "age")*second
		h.add(t, offset, et)
		if o := &h.oracle[before]; o.Time > base+100*second || o.Time < base+100*second-h.cfg.Grace {
			o.Tick = true // not within: draw again
		}
	}
}

// distinct leaves out the second deliveries.
func distinct(records []oracle.Record) (out []oracle.Record) {
	type event struct {
		key oracle.Key
		id  [16]byte
		h   [32]byte
	}
	seen := map[event]bool{}
	for _, r := range records {
		e := event{r.Key, r.Identity, r.Hash}
		if r.Matched != 0 && !seen[e] {
			seen[e] = true
			out = append(out, r)
		}
	}
	return out
}

func spanLines(spans map[oracle.RuleKey][]oracle.Span) []string {
	lines := []string{}
	for k, ss := range spans {
		for _, s := range ss {
			lines = append(lines, fmt.Sprintf("%s %q/%q [%s %s] n=%d", k.Rule, k.Key.Org, k.Key.Value,
				topics.Timestamp(s.First), topics.Timestamp(s.Last), s.Count))
		}
	}
	sort.Strings(lines)
	return lines
}

// finalLines are the last revisions of the alerts that were not merged into another.
func finalLines(alerts []topics.Alert) []string {
	last := map[string]topics.Alert{}
	for _, a := range alerts {
		if a.Rule.ID != "integrity-violation" {
			last[a.ID] = a
		}
	}
	lines := []string{}
	for _, a := range last {
		if a.State != topics.StateMerged {
			lines = append(lines, fmt.Sprintf("%s %q/%q [%s %s] n=%d", a.Rule.ID, a.Organization, a.Group["principal"], a.Span.First, a.Span.Last, a.Count))
		}
	}
	sort.Strings(lines)
	return lines
}
