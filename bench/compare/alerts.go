package compare

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"tocsin/bench/generate"
	"tocsin/processor/detect"
	"tocsin/processor/processortest/oracle"
	"tocsin/topics"
)

// Options say what else is compared.
type Options struct {
	// LastOnly expects the last revision of each alert alone, as a database that keeps the highest one has it.
	LastOnly bool
	// Recent compares the offsets of the recent evidence too. They depend on what is still retained.
	Recent bool
}

// expected is one alert: its revisions in order.
type expected struct {
	id        string
	partition int32
	over      bool // its key is above the cap
	near      bool // its key is near the cap: above it if the alert says so
	revisions []oracle.Revision
}

// Alerts compares alert records, in any order, with an expectation; rules are those of the run.
func Alerts(want *generate.Expectation, got []topics.Alert, rules *detect.RuleSet, opt Options) *Report {
	r := &Report{}
	alerts := index(want, rules, r)
	byID := map[string][]*topics.Alert{}
	for i := range got {
		byID[got[i].ID] = append(byID[got[i].ID], &got[i])
	}
	approximate := map[oracle.Key]bool{}
	for _, id := range slices.Sorted(maps.Keys(alerts)) {
		w, g := alerts[id], byID[id]
		delete(byID, id)
		if len(g) == 0 {
			r.differ("%s: missing", name(w))
			continue
		}
		slices.SortStableFunc(g, func(a, b *topics.Alert) int { return cmp.Compare(a.Revision, b.Revision) })
		if w.over || w.near && slices.ContainsFunc(g, func(a *topics.Alert) bool { return a.Approximate }) {
			aboveCap(r, w, g, approximate)
			continue
		}
		revisions := w.revisions
		if opt.LastOnly {
			revisions = revisions[len(revisions)-1:]
		}
		for i := range max(len(revisions), len(g)) {
			switch {
			case i >= len(g):
				r.differ("%s: revision %d (%s) is missing", name(w), revisions[i].Revision, revisions[i].State)
			case i >= len(revisions):
				r.differ("%s: revision %d (%s, count %d) is one too many", name(w), g[i].Revision, g[i].State, g[i].Count)
			default:
				revision(r, w, &revisions[i], g[i], rules, opt)
			}
		}
	}
	for _, id := range slices.Sorted(maps.Keys(byID)) {
		g := byID[id][0]
		r.differ("%s %s %v crossing %s: unexpected alert %s, %d revisions, count %d", g.Rule.ID, g.Organization, g.Group,
			g.Crossing, id, len(byID[id]), g.Count)
	}
	for key := range want.Over {
		if said, ok := approximate[key]; ok && !said {
			r.differ("%s %q: above the cap, but no alert says approximate", key.Org, key.Value)
		}
	}
	return r
}

// index groups the expected revisions by alert id.
func index(want *generate.Expectation, rules *detect.RuleSet, r *Report) map[string]*expected {
	alerts := map[string]*expected{}
	for p, revisions := range want.Revisions {
		for _, rev := range revisions {
			id := alertID(rules, rev.Rule, rev.Key, int32(p), rev.Crossing)
			w := alerts[id]
			if w == nil {
				w = &expected{id: id, partition: int32(p), over: want.Over[rev.Key], near: want.Near[rev.Key]}
				alerts[id] = w
				r.Alerts++
				if w.over {
					r.AboveCap++
				}
			}
			r.Revisions++
			w.revisions = append(w.revisions, rev)
		}
	}
	return alerts
}

func alertID(rules *detect.RuleSet, ruleID string, key oracle.Key, partition int32, crossing int64) string {
	groupBy, values := "unknown", []string{key.Value}
	switch key.Space {
	case oracle.SpacePrincipal:
		groupBy = "principal"
	case oracle.SpaceIP:
		groupBy = "ip"
	case oracle.SpaceIntegrity:
		kind, source, _ := strings.Cut(key.Value, "\x00")
		groupBy, values = "kind,source,partition", []string{kind, source, strconv.Itoa(int(partition))}
	}
	rule := rules.For([]byte(key.Org)).Find(ruleID)
	if rule == nil {
		return fmt.Sprintf("rule %s is not in the rule set", ruleID)
	}
	return topics.FormatAlertID(topics.AlertID(ruleID, rule.Version, key.Org, groupBy, values, crossing))
}

func name(w *expected) string {
	r := &w.revisions[0]
	return fmt.Sprintf("%s %s %q partition %d crossing %s alert %s", r.Rule, r.Key.Org, r.Key.Value, w.partition,
		topics.Timestamp(r.Crossing), w.id)
}

// aboveCap compares what is exact there: id (by which the alert was found) and crossing, and each revision once.
func aboveCap(r *Report, w *expected, got []*topics.Alert, approximate map[oracle.Key]bool) {
	key := w.revisions[0].Key
	approximate[key] = approximate[key] || false
	for i, g := range got {
		if int64(g.Crossing) != w.revisions[0].Crossing {
			r.differ("%s: crossing %s", name(w), g.Crossing)
		}
		if i > 0 && got[i-1].Revision == g.Revision {
			r.differ("%s: revision %d comes twice", name(w), g.Revision)
		}
		approximate[key] = approximate[key] || g.Approximate
	}
}

// revision compares one revision in full.
func revision(r *Report, w *expected, want *oracle.Revision, got *topics.Alert, rules *detect.RuleSet, opt Options) {
	var d []string
	check := func(what string, want, got any) {
		if want != got {
			d = append(d, fmt.Sprintf("%s %v instead of %v", what, got, want))
		}
	}
	check("revision", want.Revision, got.Revision)
	check("state", want.State, got.State)
	check("organization", want.Key.Org, got.Organization)
	check("crossing", topics.Timestamp(want.Crossing), got.Crossing)
	check("span", topics.Span{First: topics.Timestamp(want.First), Last: topics.Timestamp(want.Last)}, got.Span)
	check("count", want.Count, got.Count)
	check("first_seen", topics.Timestamp(want.FirstSeen), got.FirstSeen)
	check("last_seen", topics.Timestamp(want.LastSeen), got.LastSeen)
	check("approximate", false, got.Approximate)
	into := ""
	if want.State == topics.StateMerged {
		into = alertID(rules, want.Rule, want.Key, w.partition, want.MergedInto)
	}
	check("merged_into", into, got.MergedInto)
	for o, n := range want.Outcomes {
		check(topics.Outcome(o).String(), n, got.Verification[topics.Outcome(o).String()])
	}
	offsets := map[string][]int64{}
	for _, e := range got.Evidence {
		offsets[e.Role] = append(offsets[e.Role], e.Offset)
		check("evidence partition", w.partition, e.Partition)
	}
	check("crossing evidence", fmt.Sprint(want.Evidence), fmt.Sprint(offsets["crossing"]))
	if opt.Recent {
		check("recent evidence", fmt.Sprint(want.Recent), fmt.Sprint(offsets["recent"]))
	}
	if len(d) > 0 {
		r.differ("%s revision %d (record %d): %s", name(w), want.Revision, want.At, strings.Join(d, "; "))
	}
}
