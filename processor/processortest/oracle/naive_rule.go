package oracle

import (
	"cmp"
	"slices"

	"tocsin/topics"
)

// matchesOf are the records that rule i counts, by event time and then order of acceptance.
func matchesOf(accepted []Record, i int) []Record {
	var m []Record
	for _, r := range accepted {
		if r.Matched&(1<<i) != 0 {
			m = append(m, r)
		}
	}
	slices.SortStableFunc(m, func(a, b Record) int { return cmp.Compare(a.Time, b.Time) })
	return m
}

// within are the matches with after < time ≤ upTo.
func within(matches []Record, after, upTo int64) []Record {
	var in []Record
	for _, m := range matches {
		if after < m.Time && m.Time <= upTo {
			in = append(in, m)
		}
	}
	return in
}

// holdingPoints are the match times whose window holds at least N matches, ascending.
func holdingPoints(matches []Record, rule Rule) []int64 {
	var h []int64
	for _, m := range matches {
		if len(within(matches, m.Time-rule.W, m.Time)) >= rule.N {
			h = append(h, m.Time)
		}
	}
	return slices.Compact(h)
}

// evaluate brings the episodes of rule i up to date after a match was accepted; before is the set without it.
func (n *Naive) evaluate(k *naiveKey, i int, rule Rule, before []Record, at int64) {
	matches := matchesOf(k.accepted, i)
	old := holdingPoints(matchesOf(before, i), rule)
	snapshot := map[*naiveEpisode]naiveEpisode{}
	for _, e := range k.episodes[i] {
		snapshot[e] = *e
	}
	for _, h := range holdingPoints(matches, rule) {
		if !slices.Contains(old, h) {
			n.place(k, i, rule, h, matches)
		}
	}
	var changed []*naiveEpisode
	for _, e := range k.episodes[i] {
		was, existed := snapshot[e]
		if was.merged {
			continue
		}
		e.count = int64(len(within(matches, e.first-rule.W, e.last)))
		grew := !existed || e.first != was.first || e.last != was.last || e.count != was.count
		if grew {
			e.growth, e.grown, e.closed = n.recordTime, true, false
		}
		if e.merged || !existed || grew && e.count >= e.doubling {
			changed = append(changed, e)
		}
	}
	slices.SortFunc(changed, func(a, b *naiveEpisode) int {
		if a.merged != b.merged {
			if a.merged {
				return -1
			}
			return 1
		}
		return cmp.Compare(a.crossing, b.crossing)
	})
	for _, e := range changed {
		if e.merged && e.revision == 0 {
			continue // opened and merged by one record: nobody was ever told of it
		}
		n.emit(k, i, e, at)
	}
}

// place gives a new holding point to the episodes it touches.
func (n *Naive) place(k *naiveKey, i int, rule Rule, h int64, matches []Record) {
	var near []*naiveEpisode // in the order in which they were opened
	for _, e := range k.episodes[i] {
		fits := max(e.last, h)-min(e.first, h) <= n.cfg.MaxEpisode
		if !e.merged && e.first-rule.Cooldown <= h && h <= e.last+rule.Cooldown && fits {
			near = append(near, e)
		}
	}
	if len(near) == 0 {
		k.opened++
		e := &naiveEpisode{crossing: h, first: h, last: h, sequence: k.opened}
		for _, m := range within(matches, h-rule.W, h) {
			if len(e.evidence) < maxEvidence {
				e.evidence = append(e.evidence, m.Offset)
			}
		}
		k.episodes[i] = append(k.episodes[i], e)
		return
	}
	e := near[0]
	first, last := min(e.first, h), max(e.last, h)
	if len(near) > 1 {
		other := near[1]
		f, l := min(first, other.first), max(last, other.last)
		if l-f <= n.cfg.MaxEpisode {
			other.merged, other.mergedInto = true, e.crossing
			first, last = f, l
		}
	}
	e.first, e.last = first, last
}

// emit makes the next revision of an episode from its present state.
func (n *Naive) emit(k *naiveKey, i int, e *naiveEpisode, at int64) {
	rule := n.cfg.rules(k.key.Org)[i]
	counted := within(matchesOf(k.accepted, i), e.first-rule.W, e.last)
	e.revision++
	e.grown = false
	if e.revision == 1 {
		e.firstCount, e.doubling = e.count, e.count
	}
	for e.doubling <= e.count {
		e.doubling *= 2
	}
	rev := Revision{
		Rule: rule.ID, Key: k.key, Crossing: e.crossing, Revision: e.revision, State: topics.StateOpen,
		First: e.first, Last: e.last, Count: e.count, Evidence: e.evidence, At: at,
		FirstSeen: counted[0].Time, LastSeen: counted[len(counted)-1].Time,
	}
	switch {
	case e.merged:
		rev.State, rev.MergedInto = topics.StateMerged, e.mergedInto
	case e.closed:
		rev.State = topics.StateClosed
	}
	for _, m := range counted {
		rev.Outcomes[m.Outcome]++
	}
	for _, m := range counted[max(0, len(counted)-maxRecent):] {
		if !slices.Contains(e.evidence, m.Offset) {
			rev.Recent = append(rev.Recent, m.Offset)
		}
	}
	n.Revisions = append(n.Revisions, rev)
}
