package oracle

import (
	"cmp"
	"slices"

	"tocsin/topics"
)

// Naive judges one partition in arrival order, recomputing everything from all it has ever accepted. Its work grows
// with the square of the history; keep histories to some hundreds of records.
type Naive struct {
	Revisions []Revision // in order of emission
	Accepted  []Record   // counted by at least one rule, in arrival order; integrity observations left out

	cfg        Config
	recordTime int64
	keys       map[Key]*naiveKey
}

type naiveKey struct {
	key       Key
	accepted  []Record
	clock     int64
	lastWrite int64
	opened    int
	episodes  [][]*naiveEpisode // by rule; every one that ever was
}

type naiveEpisode struct {
	crossing, first, last int64
	sequence              int
	count                 int64
	growth                int64 // record time
	grown                 bool  // since the last revision
	closed, merged        bool
	mergedInto            int64
	revision              int
	firstCount, doubling  int64
	evidence              []int64
}

// NewNaive starts at the beginning of a partition.
func NewNaive(cfg Config) *Naive { return &Naive{cfg: cfg, keys: map[Key]*naiveKey{}} }

// Step judges the next record.
func (n *Naive) Step(r Record) Ruling {
	n.recordTime = max(n.recordTime, r.Timestamp)
	n.fireTimers(r.Offset)
	if r.Tick {
		return Ruling{Verdict: Tick}
	}
	ruling := n.judge(r)
	observed := r.Integrity
	if ruling.Conflict {
		observed = append(slices.Clone(observed), Integrity{"id_conflict", r.Key.Org, r.Source})
	}
	for _, o := range observed {
		if n.cfg.Integrity >= 0 {
			i := Record{Offset: r.Offset, Time: n.recordTime, Outcome: r.Outcome, Matched: 1 << n.cfg.Integrity}
			n.accept(n.load(o.key()), i)
		}
	}
	return ruling
}

func (n *Naive) judge(r Record) Ruling {
	if r.Reason != topics.ReasonNone {
		return Ruling{Verdict: SetAside, Reason: r.Reason}
	}
	if r.Time > n.recordTime+n.cfg.Future {
		return Ruling{Verdict: SetAside, Reason: topics.ReasonFuture}
	}
	if r.Matched == 0 {
		return Ruling{Verdict: Judged, Exempted: r.Exempted != 0}
	}
	k := n.load(r.Key)
	if len(k.accepted) > 0 && r.Time < k.clock-n.cfg.Grace {
		return Ruling{Verdict: SetAside, Reason: topics.ReasonLate}
	}
	sameID := false
	for _, e := range k.accepted {
		if n.retained(k, e) && e.Identity == r.Identity {
			if e.Hash == r.Hash {
				return Ruling{Verdict: Duplicate}
			}
			sameID = true
		}
	}
	n.Accepted = append(n.Accepted, r)
	n.accept(k, r)
	return Ruling{Verdict: Judged, Conflict: sameID, Exempted: r.Exempted != 0}
}

// load gives the key's state, empty when the key was not written for too long.
func (n *Naive) load(key Key) *naiveKey {
	k := n.keys[key]
	if k == nil || n.cfg.TTL > 0 && n.recordTime > k.lastWrite+n.cfg.TTL {
		k = &naiveKey{key: key, episodes: make([][]*naiveEpisode, len(n.cfg.Rules))}
		n.keys[key] = k
	}
	return k
}

// retained is the definition of retention, at the key's clock as it stands.
func (n *Naive) retained(k *naiveKey, e Record) bool {
	var keep int64
	for i, rule := range n.cfg.rules(k.key.Org) {
		if e.Matched&(1<<i) != 0 {
			keep = max(keep, rule.W+rule.Cooldown)
		}
	}
	return e.Time+keep+n.cfg.Grace >= k.clock
}

func (n *Naive) accept(k *naiveKey, r Record) {
	if len(k.accepted) == 0 {
		k.clock = r.Time
	}
	k.clock = max(k.clock, r.Time)
	k.lastWrite = n.recordTime
	before := k.accepted
	k.accepted = append(k.accepted, r)
	for i, rule := range n.cfg.rules(k.key.Org) {
		if r.Matched&(1<<i) != 0 {
			n.evaluate(k, i, rule, before, r.Offset)
		}
	}
}

// fireTimers makes the revisions that are due before a record with this record time is judged, the earliest first.
func (n *Naive) fireTimers(at int64) {
	type timer struct {
		due     int64
		key     *naiveKey
		rule    int
		episode *naiveEpisode
		closes  bool
	}
	for {
		var all []timer
		for _, k := range n.keys {
			for i, rule := range n.cfg.rules(k.key.Org) {
				for _, e := range k.episodes[i] {
					if e.merged || e.closed {
						continue
					}
					all = append(all, timer{e.growth + rule.Cooldown + n.cfg.Grace, k, i, e, true})
					if e.grown {
						all = append(all, timer{e.growth + n.cfg.Refresh, k, i, e, false})
					}
				}
			}
		}
		all = slices.DeleteFunc(all, func(t timer) bool { return t.due >= n.recordTime })
		if len(all) == 0 {
			return
		}
		next := slices.MinFunc(all, func(a, b timer) int {
			closeFirst := 0
			if a.closes && !b.closes {
				closeFirst = -1
			} else if b.closes && !a.closes {
				closeFirst = 1
			}
			return cmp.Or(cmp.Compare(a.due, b.due), cmp.Compare(a.key.key.bytes(), b.key.key.bytes()),
				cmp.Compare(a.rule, b.rule), cmp.Compare(a.episode.crossing, b.episode.crossing), closeFirst)
		})
		next.episode.closed = next.closes
		next.key.lastWrite = n.recordTime
		n.emit(next.key, next.rule, next.episode, at)
	}
}
