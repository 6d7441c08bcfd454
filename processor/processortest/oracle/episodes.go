package oracle

import (
	"cmp"
	"slices"
	"sort"

	"tocsin/topics"
)

// match is one counted event of a rule.
type match struct {
	time, offset int64
	outcome      topics.Outcome
}

// series holds the matches of one rule and key, by time and order of acceptance, and the episodes still kept.
type series struct {
	matches  []match
	dropped  int // matches forgotten since the slice was last copied
	episodes []*episode
}

// episode is a kept episode; tally covers exactly the matches in (first − W, last].
type episode struct {
	rule        int
	key         *keyState
	crossing    int64
	first, last int64
	sequence    int
	tally       tally
	growth      int64
	unshown     bool // has grown since the last revision
	closed      bool
	into        *episode // survivor, when merged
	revision    int
	threshold   int64 // count of the next doubling
	evidence    []int64
	queued      int64 // due time under which the heap holds it; 0 not at all
}

type tally struct {
	count    int64
	earliest int64
	outcomes [topics.NumOutcomes]int64
}

// upper is the number of matches with time ≤ t.
func (s *series) upper(t int64) int {
	n := len(s.matches)
	if n == 0 || s.matches[n-1].time <= t {
		return n
	}
	return sort.Search(n, func(i int) bool { return s.matches[i].time > t })
}

// add counts the matches in (after, upTo] with the given sign.
func (t *tally) add(s *series, after, upTo, sign int64) {
	if upTo <= after {
		return
	}
	from, to := s.upper(after), s.upper(upTo)
	if from < to && sign > 0 && (t.count == 0 || s.matches[from].time < t.earliest) {
		t.earliest = s.matches[from].time
	}
	for _, m := range s.matches[from:to] {
		t.count += sign
		t.outcomes[m.outcome] += sign
	}
}

// count inserts a match and brings the episodes of the rule up to date.
func (p *TwoPointer) count(k *keyState, i int, m match) {
	k.written = p.now
	rule := k.rules[i]
	s := k.series[i]
	if s == nil {
		s = &series{}
		k.series[i] = s
	}
	p.forget(k, rule, s)
	at := s.upper(m.time)
	known := at > 0 && s.matches[at-1].time == m.time
	s.matches = slices.Insert(s.matches, at, m)

	var touched []*episode
	for _, e := range s.episodes {
		if e.first-rule.W < m.time && m.time <= e.last {
			e.tally.count++
			e.tally.outcomes[m.outcome]++
			e.tally.earliest = min(e.tally.earliest, m.time)
			touched = append(touched, e)
		}
	}
	// Every window that holds m counts one more than before, so a known time is new as a holding point exactly when its
	// window now holds N.
	begin := s.upper(m.time - rule.W)
	if c := at - begin + 1; c == rule.N || c > rule.N && !known {
		touched = p.hold(k, i, s, m.time, touched)
	}
	for end := at + 1; end < len(s.matches) && s.matches[end].time < m.time+rule.W; end++ {
		u := s.matches[end].time
		if end+1 < len(s.matches) && s.matches[end+1].time == u {
			continue
		}
		for s.matches[begin].time <= u-rule.W {
			begin++
		}
		if end-begin+1 == rule.N {
			touched = p.hold(k, i, s, u, touched)
		}
	}
	p.settle(s, touched)
}

// hold gives the holding point h to an episode and returns touched with that episode and one merged away.
func (p *TwoPointer) hold(k *keyState, i int, s *series, h int64, touched []*episode) []*episode {
	rule := k.rules[i]
	var a, b *episode // the two earliest opened that h may join
	for _, e := range s.episodes {
		if e.into != nil || h < e.first-rule.Cooldown || h > e.last+rule.Cooldown ||
			max(h, e.last)-min(h, e.first) > p.cfg.MaxEpisode {
			continue
		}
		switch {
		case a == nil || e.sequence < a.sequence:
			a, b = e, a
		case b == nil || e.sequence < b.sequence:
			b = e
		}
	}
	if a == nil {
		k.opened++
		e := &episode{rule: i, key: k, crossing: h, first: h, last: h, sequence: k.opened}
		e.tally.add(s, h-rule.W, h, 1)
		for j := s.upper(h - rule.W); j < s.upper(h) && len(e.evidence) < maxEvidence; j++ {
			e.evidence = append(e.evidence, s.matches[j].offset)
		}
		s.episodes = append(s.episodes, e)
		return touch(touched, e)
	}
	if b != nil && max(a.last, b.last, h)-min(a.first, b.first, h) <= p.cfg.MaxEpisode {
		a.absorb(s, b, rule.W)
		touched = touch(touched, b)
	}
	a.extend(s, h, rule.W)
	return touch(touched, a)
}

func touch(touched []*episode, e *episode) []*episode {
	if slices.Contains(touched, e) {
		return touched
	}
	return append(touched, e)
}

// extend stretches the span to h and counts what comes in.
func (e *episode) extend(s *series, h, w int64) {
	if h > e.last {
		e.tally.add(s, e.last, h, 1)
		e.last = h
	}
	if h < e.first {
		e.tally.add(s, h-w, e.first-w, 1)
		e.first = h
	}
}

// absorb joins b into e by inclusion and exclusion: matches counted by both are taken off once, matches in the gap
// between the two ranges come in.
func (e *episode) absorb(s *series, b *episode, w int64) {
	b.into = e
	e.tally.count += b.tally.count
	e.tally.earliest = min(e.tally.earliest, b.tally.earliest)
	for o, n := range b.tally.outcomes {
		e.tally.outcomes[o] += n
	}
	lo, hi := max(e.first, b.first)-w, min(e.last, b.last)
	e.tally.add(s, lo, hi, -1)
	e.tally.add(s, hi, lo, 1)
	e.first, e.last = min(e.first, b.first), max(e.last, b.last)
}

// settle ends a record for one rule: growth, revisions, timers.
func (p *TwoPointer) settle(s *series, touched []*episode) {
	slices.SortFunc(touched, func(a, b *episode) int {
		if (a.into != nil) != (b.into != nil) {
			if a.into != nil {
				return -1
			}
			return 1
		}
		return cmp.Compare(a.crossing, b.crossing)
	})
	for _, e := range touched {
		e.growth, e.unshown, e.closed = p.now, true, false
		born := e.into != nil && e.revision == 0 // opened and merged by one record: nobody was ever told of it
		if !born && (e.into != nil || e.revision == 0 || e.tally.count >= e.threshold) {
			p.show(s, e)
		}
		if e.into == nil {
			p.arm(e)
		}
	}
	s.episodes = slices.DeleteFunc(s.episodes, func(e *episode) bool { return e.into != nil })
}

// show makes the next revision.
func (p *TwoPointer) show(s *series, e *episode) {
	rule := e.key.rules[e.rule]
	e.revision++
	e.unshown = false
	n := e.tally.count
	if e.revision == 1 {
		e.threshold = 2 * n
	}
	for n >= e.threshold {
		e.threshold *= 2
	}
	r := Revision{
		Rule: rule.ID, Key: e.key.key, Crossing: e.crossing, Revision: e.revision, State: topics.StateOpen,
		First: e.first, Last: e.last, Count: n, FirstSeen: e.tally.earliest, LastSeen: e.last,
		Outcomes: e.tally.outcomes, Evidence: e.evidence, At: p.offset,
	}
	if e.closed {
		r.State = topics.StateClosed
	}
	if e.into != nil {
		r.State, r.MergedInto = topics.StateMerged, e.into.crossing
	}
	end := s.upper(e.last)
	for j := end - 1; j >= max(0, end-maxRecent) && s.matches[j].time > e.first-rule.W; j-- {
		if !slices.Contains(e.evidence, s.matches[j].offset) {
			r.Recent = append(r.Recent, s.matches[j].offset)
		}
	}
	slices.Reverse(r.Recent)
	p.Emit(r)
}

// forget drops what the key's clock has left behind.
func (p *TwoPointer) forget(k *keyState, rule Rule, s *series) {
	past := k.clock - p.cfg.Grace - rule.Cooldown - rule.W
	s.episodes = slices.DeleteFunc(s.episodes, func(e *episode) bool { return e.closed && e.last < past })
	// The last matches of an episode outlive their retention, so that its later revisions can show them.
	n := s.upper(past - 1)
	for _, e := range s.episodes {
		n = min(n, max(0, s.upper(e.last)-maxRecent))
	}
	if s.dropped += n; s.dropped > len(s.matches) {
		s.matches = slices.Clone(s.matches[n:])
		s.dropped = 0
	} else {
		s.matches = s.matches[n:]
	}
}
