package processortest_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sort"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"tocsin/processor/engine"
	"tocsin/processor/processortest/oracle"
	"tocsin/topics"
)

// permutations are the orders in which each history is judged: with the 100 histories of a run 5,000.
const permutations = 50

// TestEngineOrderInvariance: for any two arrival orders in which nothing is late or future, the same rules fire for the
// same keys, and in the end with the same spans and counts; these are the order-free ones of the set of events. Ids are
// the same wherever the first revision has the same crossing.
func TestEngineOrderInvariance(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		h := draw(t, 86400) // no cuts
		if h.cfg.Grace == 0 {
			t.Skip("nothing may arrive out of order")
		}
		// Draw a second set of events, all within grace of each other, and put them in many orders.
		h.records, h.oracle = nil, nil
		for i := range rapid.IntRange(1, 40).Draw(t, "events") {
			h.addWithin(t, int64(i))
		}
		want := spanLines(oracle.FinalSpans(h.cfg, distinct(h.oracle)))
		events := slices.Clone(h.records)
		h.tick(int64(len(events)), base+3600*second)
		end := h.records[len(events)]
		order := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "orders"), 0))
		ids := map[string]string{}
		var fired []string // rule and key
		for n := range permutations {
			for i := range events {
				events[i].Offset, events[i].Timestamp = int64(i), base+200*second+order.Int64N(int64(i)+1)*second
			}
			last := lastRevisions(t, h.engine, append(events, end))
			require.Equal(t, want, finalLines(last), "order %d", n)
			now := firedBy(t, last, ids)
			if n == 0 {
				fired = now
			}
			require.Equal(t, fired, now, "order %d", n)
			order.Shuffle(len(events), func(i, j int) { events[i], events[j] = events[j], events[i] })
		}
	})
}

// lastRevisions judges records, none of which may be set aside, and gives the last revision of every alert.
func lastRevisions(t *rapid.T, e *engine.Engine, records []engine.Record) []topics.Alert {
	part := e.NewPartition(engine.PartitionConfig{Partition: 3, Partitions: 8, Loader: memory{}})
	var fx engine.Effects
	var scratch engine.Scratch
	var pr engine.Prepared
	for i := range records {
		e.Prepare(&records[i], &scratch, &pr)
		done, err := part.Advance(records[i].Timestamp, 1<<30, &fx)
		require.NoError(t, err)
		require.True(t, done)
		require.NoError(t, part.Step(&pr, &fx))
	}
	require.Empty(t, fx.DeadLetters)
	last := map[string]int{}
	for i, a := range fx.Alerts {
		last[a.ID] = i
	}
	alerts := make([]topics.Alert, 0, len(last))
	for _, i := range last {
		var a topics.Alert
		require.NoError(t, json.Unmarshal(fx.Alerts[i].Value, &a))
		alerts = append(alerts, a)
	}
	return alerts
}

// firedBy lists which rules fired for which keys, and checks that the id of an alert is a function of these and the
// crossing: ids collects what has been seen.
func firedBy(t *rapid.T, alerts []topics.Alert, ids map[string]string) []string {
	fired := map[string]bool{}
	for _, a := range alerts {
		by := fmt.Sprintf("%s %q %v", a.Rule.ID, a.Organization, a.Group)
		fired[by] = true
		crossing := by + " " + a.Crossing.String()
		if id, ok := ids[crossing]; ok {
			require.Equal(t, id, a.ID, crossing)
		}
		ids[crossing] = a.ID
	}
	return slices.Sorted(maps.Keys(fired))
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
