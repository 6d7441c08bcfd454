package window

import "tocsin/topics"

// maxEvidence is how many events of a crossing are kept as its evidence.
const maxEvidence = 100

// Accept counts the event for the rules, which it matches all, and returns the revisions to be emitted, in order: by
// rule, a merged episode before its survivor, then by crossing. The slice is valid until the next call for a key of
// the same memory. recordTime is the partition's, grace in ns. newID names an episode by its rule and crossing; trace
// is the event's trace id.
//
// Afterwards entries and episodes that no accepted event can reach any more are forgotten, and the oldest chunk is
// folded when the key holds more than MaxEntries.
func (k *Key) Accept(e *Entry, rules []*Rule, recordTime, grace int64, trace [16]byte,
	newID func(r *Rule, crossing int64) [16]byte) ([]Emission, error) {
	if !k.live {
		k.begin()
	}
	if k.memory == nil {
		k.memory = new(Memory)
	}
	k.memory.events = k.memory.events[:0]
	e.Mask = 0
	for _, r := range rules {
		i, err := k.slotOf(r.Matcher, e.Mask)
		if err != nil {
			return nil, err
		}
		e.Mask |= 1 << i
		if keep := r.Window + r.Cooldown + grace; keep > k.slots[i].keep {
			k.slots[i].keep = keep
		}
	}
	k.memory.newest = k.accepted
	for i := range k.slots {
		if e.Mask&(1<<i) != 0 {
			k.slots[i].insert(ref{time: e.Time, seq: k.memory.newest, outcome: e.Outcome})
		}
	}
	k.append(e)
	k.clock = max(k.clock, e.Time)
	k.dirty, k.lastWrite = true, recordTime
	for _, r := range rules {
		i, _ := k.slotOf(r.Matcher, e.Mask) // it is there
		k.evaluate(r, i, e, recordTime, trace, newID)
	}
	k.retain(grace)
	k.fold()
	return k.memory.events, nil
}

// evaluate finds the holding points that e, which is in already, made in slot i, and lets the rule's episodes grow with
// them.
func (k *Key) evaluate(r *Rule, i int, e *Entry, recordTime int64, trace [16]byte,
	newID func(*Rule, int64) [16]byte) {
	s := &k.slots[i]
	if int64(s.matches) < r.Threshold && len(k.episodes) == 0 && len(s.buckets) == 0 {
		return // most keys: there are not enough matches for any window, and no episode that could grow
	}
	before := len(k.memory.events)
	t := e.Time
	k.index(i)
	end := s.after(t)
	first := end < 2 || s.refs[end-2].time != t // e is the last of those at its time: is it the only one?
	lo := s.after(t - r.Window)                 // first match inside the window that ends at u
	// Where nothing is folded, windows that hold more than N can be passed over: each holds more than N until the match
	// that is N+1 from its end has left it. A burst of a busy key is passed in a few steps that way.
	exact := len(s.overlapping(t-r.Window)) == 0
	for u := t; ; {
		n := int64(end-lo) + s.folded(u-r.Window, u)
		// The event is in every window that ends in [t, t + W): one that reaches the threshold only now has just N.
		if n == r.Threshold || (n > r.Threshold && u == t && first) {
			k.hold(r, s, u, recordTime, trace, newID)
		}
		if n > r.Threshold && exact {
			end = s.reach(end, s.refs[int64(end)-1-r.Threshold].time+r.Window)
		}
		if end == len(s.refs) || s.refs[end].time-t >= r.Window {
			break
		}
		u = s.refs[end].time
		for end < len(s.refs) && s.refs[end].time == u {
			end++
		}
		lo = s.reach(lo, u-r.Window+1)
	}
	// The new event was left out of the counts so far: add it wherever it lies inside.
	approximate := len(s.buckets) > 0
	for i := range k.memory.events[before:] { // episodes merged away by this event: their last count is exact too
		if ep := k.memory.events[before+i].Episode; t > ep.First-ep.Window && t <= ep.Last {
			ep.Count++
			ep.Outcomes[e.Outcome]++
			ep.FirstSeen = min(ep.FirstSeen, t)
		}
	}
	for _, ep := range k.episodes {
		if ep.Version != r.Version || ep.Rule != r.ID {
			continue
		}
		if t > ep.First-ep.Window && t <= ep.Last {
			ep.Count++
			ep.Outcomes[e.Outcome]++
			ep.FirstSeen = min(ep.FirstSeen, t)
			ep.grow(recordTime)
		}
		if !ep.touched {
			continue
		}
		ep.touched = false
		ep.Approximate = ep.Approximate || approximate
		k.announce(ep, s)
	}
	sortEvents(k.memory.events[before:])
}

// announce emits the revision that is due at once: the first, or one because the count has doubled.
func (k *Key) announce(ep *Episode, s *slot) {
	switch {
	case ep.Revision == 0:
		ep.evidence = k.crossing(ep, s)
		ep.Double = 2 * ep.Count
		k.emit(ep, CauseOpened)
	case ep.Count >= ep.Double:
		for ep.Double <= ep.Count {
			ep.Double *= 2
		}
		k.emit(ep, CauseDoubled)
	}
}

func (k *Key) emit(ep *Episode, c Cause) {
	ep.Revision++
	ep.Grown = false
	state := topics.StateOpen
	if ep.Closed {
		state = topics.StateClosed
	}
	k.memory.events = append(k.memory.events, Emission{Episode: ep, State: state, Cause: c})
}

// sortEvents orders the revisions of one rule in one record: merged ones first, then by crossing.
func sortEvents(evs []Emission) {
	for i := 1; i < len(evs); i++ {
		for j := i; j > 0 && eventBefore(&evs[j], &evs[j-1]); j-- {
			evs[j], evs[j-1] = evs[j-1], evs[j]
		}
	}
}

func eventBefore(a, b *Emission) bool {
	if am, bm := a.Cause == CauseMerged, b.Cause == CauseMerged; am != bm {
		return am
	}
	return a.Episode.Crossing < b.Episode.Crossing
}

// crossing gathers the events of the window that ends at the episode's crossing.
func (k *Key) crossing(ep *Episode, s *slot) []Entry {
	lo, hi := s.after(ep.Crossing-ep.Window), s.after(ep.Crossing)
	hi = min(hi, lo+maxEvidence)
	es := make([]Entry, 0, hi-lo) // once per alert
	for _, r := range s.refs[lo:hi] {
		es = append(es, *k.entry(r.seq))
	}
	return es
}

// Recent appends the last n matches of the episode up to its span's end, oldest first.
func (k *Key) Recent(dst []Entry, ep *Episode, n int) []Entry {
	for i := range k.slots {
		if s := &k.slots[i]; s.matcher == ep.matcher {
			k.index(i)
			hi := s.after(ep.Last)
			lo := max(s.after(ep.First-ep.Window), hi-n)
			for _, r := range s.refs[min(lo, hi):hi] {
				dst = append(dst, *k.entry(r.seq))
			}
		}
	}
	return dst
}
