package oracle

import (
	"cmp"
	"slices"

	"tocsin/topics"
)

// RuleKey names a rule and a group key.
type RuleKey struct {
	Rule string
	Key  Key
}

// Span is what must stand of an episode in the end.
type Span struct{ First, Last, Count int64 }

// FinalSpans says which spans and counts must stand in the end for these accepted events in whatever order they came:
// holding points, clustered over gaps of at most the cooldown, with the distinct matches of (first − W, last]. It knows
// no cuts at the largest episode. Quadratic.
func FinalSpans(cfg Config, accepted []Record) map[RuleKey][]Span {
	byKey := map[Key][]Record{}
	for _, r := range accepted {
		byKey[r.Key] = append(byKey[r.Key], r)
	}
	spans := map[RuleKey][]Span{}
	for key, records := range byKey {
		for i, rule := range cfg.rules(key.Org) {
			matches := matchesOf(records, i)
			var found []Span
			for _, h := range holdingPoints(matches, rule) {
				if n := len(found); n > 0 && h-found[n-1].Last <= rule.Cooldown {
					found[n-1].Last = h
				} else {
					found = append(found, Span{First: h, Last: h})
				}
			}
			for j, s := range found {
				found[j].Count = int64(len(within(matches, s.First-rule.W, s.Last)))
			}
			if len(found) > 0 {
				spans[RuleKey{rule.ID, key}] = found
			}
		}
	}
	return spans
}

// FastSpans is FinalSpans in O(n log n): one sort and two pointers per rule and key.
func FastSpans(cfg Config, accepted []Record) map[RuleKey][]Span {
	type stream struct {
		key  Key
		rule int
	}
	times := map[stream][]int64{}
	for _, r := range accepted {
		for i := range cfg.Rules {
			if r.Matched>>i&1 == 1 {
				s := stream{r.Key, i}
				times[s] = append(times[s], r.Time)
			}
		}
	}
	spans := map[RuleKey][]Span{}
	for s, t := range times {
		rule := cfg.rules(s.key.Org)[s.rule]
		if found := sweep(t, rule); len(found) > 0 {
			spans[RuleKey{rule.ID, s.key}] = found
		}
	}
	return spans
}

// sweep sorts the times of one stream and walks over them once.
func sweep(t []int64, rule Rule) []Span {
	slices.Sort(t)
	var found []Span
	begin, start := 0, 0 // first match of the window, first match of the current span's count
	for end, now := range t {
		if end+1 < len(t) && t[end+1] == now {
			continue // the last of equal times sees them all
		}
		for t[begin] <= now-rule.W {
			begin++
		}
		if end-begin+1 < rule.N {
			continue
		}
		last := len(found) - 1
		if last < 0 || now-found[last].Last > rule.Cooldown {
			found = append(found, Span{First: now})
			last++
			start = begin
		}
		found[last].Last = now
		found[last].Count = int64(end - start + 1)
	}
	return found
}

// SpansOf reads the final spans from revisions: the last revision of each alert that was not merged away.
func SpansOf(revisions []Revision) map[RuleKey][]Span {
	type alert struct {
		RuleKey
		crossing int64
	}
	last := map[alert]Revision{}
	for _, r := range revisions {
		id := alert{RuleKey{r.Rule, r.Key}, r.Crossing}
		if old, ok := last[id]; !ok || r.Revision > old.Revision {
			last[id] = r
		}
	}
	spans := map[RuleKey][]Span{}
	for id, r := range last {
		if r.State != topics.StateMerged {
			spans[id.RuleKey] = append(spans[id.RuleKey], Span{r.First, r.Last, r.Count})
		}
	}
	for _, s := range spans {
		slices.SortFunc(s, func(a, b Span) int { return cmp.Compare(a.First, b.First) })
	}
	return spans
}
