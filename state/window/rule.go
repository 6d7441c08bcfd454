package window

// Rule is what a window needs to know of a rule. Durations in nanoseconds.
type Rule struct {
	ID         string
	Version    [8]byte // of the effective rule, see detect
	Kind       string
	Matcher    uint64 // id of the rule's matcher: rules that match the same events share their entries
	Threshold  int64
	Window     int64
	Cooldown   int64
	MaxEpisode int64
}

// slot is a matcher's place in a key: bit i of an entry's mask, the sorted matches, and what was folded away.
//
// Most keys never have enough matches for any rule, so refs are made when somebody wants to look at them (see index)
// and kept from then on.
type slot struct {
	matcher uint64
	keep    int64 // an entry of this slot is retained while time + keep ≥ clock
	matches int   // retained entries of this slot
	indexed bool  // refs has them all; else it is empty
	refs    []ref
	buckets []bucket // ascending (start, outcome)
	width   int64    // of a bucket, ns
}

// after gives the number of refs with time ≤ t: the index of the first later one.
func (s *slot) after(t int64) int {
	// Most lookups are near the end: events come nearly in order.
	n := len(s.refs)
	if n == 0 || s.refs[n-1].time <= t {
		return n
	}
	step := 1
	hi := n - 1 // refs[hi].time > t
	lo := hi
	for lo > 0 && s.refs[lo].time > t {
		hi = lo
		lo -= step
		step *= 2
	}
	if lo < 0 {
		lo = 0
	}
	if s.refs[lo].time > t {
		return lo
	}
	for lo+1 < hi { // refs[lo].time ≤ t < refs[hi].time
		mid := int(uint(lo+hi) / 2)
		if s.refs[mid].time > t {
			hi = mid
		} else {
			lo = mid
		}
	}
	return hi
}

// reach gives the index of the first ref from i on with time ≥ t. It looks near i first.
func (s *slot) reach(i int, t int64) int {
	step := 1
	hi := i
	for hi < len(s.refs) && s.refs[hi].time < t {
		i = hi + 1
		hi += step
		step *= 2
	}
	hi = min(hi, len(s.refs))
	for i < hi { // refs before i are too early, refs from hi on are not
		mid := int(uint(i+hi) / 2)
		if s.refs[mid].time < t {
			i = mid + 1
		} else {
			hi = mid
		}
	}
	return hi
}

// insert counts the match r.
func (s *slot) insert(r ref) {
	s.matches++
	if !s.indexed {
		return
	}
	i := s.after(r.time) // seq grows, so r goes behind its equals
	s.refs = append(s.refs, ref{})
	copy(s.refs[i+1:], s.refs[i:])
	s.refs[i] = r
}

// remove takes out the match with this time and number. The shorter side is moved: most go from the front.
func (s *slot) remove(time int64, seq uint64) {
	s.matches--
	for i := s.after(time) - 1; i >= 0 && s.refs[i].time == time; i-- {
		if s.refs[i].seq != seq {
			continue
		}
		if i < len(s.refs)/2 {
			copy(s.refs[1:i+1], s.refs[:i])
			s.refs = s.refs[1:]
		} else {
			s.refs = append(s.refs[:i], s.refs[i+1:]...)
		}
		return
	}
}
