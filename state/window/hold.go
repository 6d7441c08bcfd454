package window

import (
	"slices"

	"tocsin/topics"
)

// hold adds a new holding point to the rule's episodes: it extends one, joins two, or opens one.
//
// All counting here leaves out the entry being accepted (k.memory.newest); evaluate adds it once all holding points are
// in.
func (k *Key) hold(r *Rule, s *slot, h, recordTime int64, trace [16]byte, newID func(*Rule, int64) [16]byte) {
	var a, b *Episode // the two earliest opened that h may join; k.episodes is in order of opening
	for _, ep := range k.episodes {
		if ep.Version != r.Version || ep.Rule != r.ID || !ep.near(h) || !ep.fits(h) {
			continue
		}
		if a == nil {
			a = ep
		} else {
			b = ep
			break
		}
	}
	switch {
	case a == nil:
		k.open(r, s, h, recordTime, trace, newID)
	case b != nil && max(a.Last, b.Last, h)-min(a.First, b.First, h) <= a.MaxEpisode:
		k.merge(a, b, s, recordTime)
		k.extend(a, s, h, recordTime)
	default:
		k.extend(a, s, h, recordTime)
	}
}

func (k *Key) open(r *Rule, s *slot, h, recordTime int64, trace [16]byte, newID func(*Rule, int64) [16]byte) {
	ep := &Episode{ // once per alert
		ID: newID(r, h), Rule: r.ID, Version: r.Version, Kind: r.Kind, Threshold: r.Threshold, Window: r.Window,
		Cooldown: r.Cooldown, MaxEpisode: r.MaxEpisode, Opened: k.opened, Crossing: h, First: h, Last: h,
		FirstSeen: h, Trace: trace, matcher: r.Matcher,
	}
	k.opened++
	k.tally(ep, s, h-r.Window, h, 1)
	ep.FirstSeen = k.firstSeen(ep, s)
	ep.grow(recordTime)
	k.episodes = append(k.episodes, ep)
}

func (k *Key) extend(ep *Episode, s *slot, h, recordTime int64) {
	first, last := min(ep.First, h), max(ep.Last, h)
	if first != ep.First {
		k.tally(ep, s, first-ep.Window, ep.First-ep.Window, 1)
		ep.First = first
		ep.FirstSeen = min(ep.FirstSeen, k.firstSeen(ep, s))
		ep.grow(recordTime)
	}
	if last != ep.Last {
		k.tally(ep, s, ep.Last, last, 1)
		ep.Last = last
		ep.grow(recordTime)
	}
}

// merge takes b, the later opened, into a. Their counts may overlap, or leave a gap that the joined span covers.
func (k *Key) merge(a, b *Episode, s *slot, recordTime int64) {
	l, r := a, b // left and right in time
	if b.First < a.First {
		l, r = b, a
	}
	first, last := l.First, max(l.Last, r.Last)
	start := r.First - r.Window // r counts from here
	joined := *a
	for i := range joined.Outcomes {
		joined.Outcomes[i] = l.Outcomes[i] + r.Outcomes[i]
	}
	joined.Count = l.Count + r.Count
	if start < l.Last {
		k.tally(&joined, s, max(start, l.First-l.Window), min(l.Last, r.Last), -1)
	} else {
		k.tally(&joined, s, l.Last, start, 1)
	}
	if b.Revision > 0 { // an episode opened by this very record was never told to anybody
		b.Closed, b.Grown = true, false
		b.Revision++
		k.memory.events = append(k.memory.events,
			Emission{Episode: b, MergedInto: a.ID, Cause: CauseMerged, State: topics.StateMerged})
	}
	a.Count, a.Outcomes = joined.Count, joined.Outcomes
	a.First, a.Last = first, last
	a.FirstSeen = min(a.FirstSeen, b.FirstSeen)
	a.Approximate = a.Approximate || b.Approximate
	a.grow(recordTime)
	k.dropEvidence(b)
	k.episodes = slices.DeleteFunc(k.episodes, func(e *Episode) bool { return e == b })
}

// tally adds (sign 1) or takes off (−1) the matches in (from, to], the entry being accepted left out.
func (k *Key) tally(ep *Episode, s *slot, from, to, sign int64) {
	for _, r := range s.refs[s.after(from):max(s.after(from), s.after(to))] {
		if r.seq == k.memory.newest {
			continue
		}
		ep.Count += sign
		ep.Outcomes[r.outcome] += sign
	}
	s.tallyFolded(ep, from, to, sign)
}

// firstSeen gives the time of the earliest match in (First − Window, First].
func (k *Key) firstSeen(ep *Episode, s *slot) int64 {
	if i := s.after(ep.First - ep.Window); i < len(s.refs) && s.refs[i].time < ep.First {
		return s.refs[i].time
	}
	return ep.First
}
