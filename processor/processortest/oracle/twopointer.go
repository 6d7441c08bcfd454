package oracle

import (
	"encoding/binary"

	"tocsin/topics"
)

// TwoPointer judges one partition in arrival order with memory and work that follow what is retained: sorted matches
// per rule and key, windows evaluated by two pointers, a heap of timers. Emit receives each revision in order; the
// slices in it are shared and must not be changed.
type TwoPointer struct {
	Emit func(Revision)

	cfg    Config
	now    int64 // record time
	offset int64 // of the record being judged
	keys   map[Key]*keyState
	timers timerHeap
}

// keyState is what is remembered of one group key.
type keyState struct {
	key     Key
	order   string // for timers due at the same time
	rules   []Rule
	clock   int64
	any     bool // an event was counted
	written int64
	opened  int
	ids     map[[16]byte]seen
	sweepAt int // size of ids at which forgotten entries are looked for
	peak    int
	series  []*series // by rule, nil until it matches
}

// seen is a retained entry; other entries under the same id hang on it.
type seen struct {
	hash  uint64 // first bytes of the canonical hash
	until int64  // retained while the key's clock is not past this
	more  *seen
}

// NewTwoPointer starts at the beginning of a partition.
func NewTwoPointer(cfg Config, emit func(Revision)) *TwoPointer {
	if cfg.Cap == 0 {
		cfg.Cap = 10_000
	}
	return &TwoPointer{Emit: emit, cfg: cfg, keys: map[Key]*keyState{}}
}

// Step judges the next record.
func (p *TwoPointer) Step(r *Record) Ruling {
	p.now = max(p.now, r.Timestamp)
	p.offset = r.Offset
	p.advance()
	if r.Tick {
		return Ruling{Verdict: Tick}
	}
	ruling := p.decide(r)
	for i := range r.Integrity {
		p.observe(r.Integrity[i], r.Outcome)
	}
	if ruling.Conflict {
		p.observe(Integrity{"id_conflict", r.Key.Org, r.Source}, r.Outcome)
	}
	return ruling
}

// decide runs the checks in their order and counts the event when all are passed.
func (p *TwoPointer) decide(r *Record) Ruling {
	switch {
	case r.Reason != topics.ReasonNone:
		return Ruling{Verdict: SetAside, Reason: r.Reason}
	case r.Time-p.now > p.cfg.Future:
		return Ruling{Verdict: SetAside, Reason: topics.ReasonFuture}
	case r.Matched == 0:
		return Ruling{Exempted: r.Exempted != 0}
	}
	k := p.open(r.Key)
	if k.any && k.clock-r.Time > p.cfg.Grace {
		return Ruling{Verdict: SetAside, Reason: topics.ReasonLate}
	}
	hash := binary.BigEndian.Uint64(r.Hash[:])
	head, conflict := k.ids[r.Identity], false
	for s := &head; s != nil; s = s.more {
		if s.until == 0 || s.until < k.clock {
			continue
		}
		if s.hash == hash {
			return Ruling{Verdict: Duplicate}
		}
		conflict = true
	}
	if !k.any || r.Time > k.clock {
		k.clock, k.any = r.Time, true
	}
	until := r.Time + k.keep(r.Matched) + p.cfg.Grace
	entry := seen{hash: hash, until: until}
	if head.until != 0 {
		old := head
		entry.more = &old
	}
	k.remember(r.Identity, entry, p.cfg.Cap)
	for i := range k.rules {
		if r.Matched>>i&1 == 1 {
			p.count(k, i, match{r.Time, r.Offset, r.Outcome})
		}
	}
	return Ruling{Conflict: conflict, Exempted: r.Exempted != 0}
}

// observe counts an integrity observation at record time.
func (p *TwoPointer) observe(o Integrity, outcome topics.Outcome) {
	i := p.cfg.Integrity
	if i < 0 {
		return
	}
	k := p.open(o.key())
	k.clock, k.any = p.now, true
	p.count(k, i, match{p.now, p.offset, outcome})
}

// open gives the state of a key, to which a record is about to be counted or compared.
func (p *TwoPointer) open(key Key) *keyState {
	k := p.keys[key]
	if k != nil && (p.cfg.TTL == 0 || p.now-k.written <= p.cfg.TTL) {
		return k
	}
	fresh := &keyState{key: key, order: key.bytes(), rules: p.cfg.rules(key.Org), written: p.now}
	if k != nil {
		fresh.peak = k.peak
	}
	fresh.ids = map[[16]byte]seen{}
	fresh.series = make([]*series, len(fresh.rules))
	p.keys[key] = fresh
	return fresh
}

// keep is how long behind the clock an entry with these rules is retained, grace apart.
func (k *keyState) keep(matched uint32) int64 {
	longest := int64(0)
	for i, r := range k.rules {
		if matched>>i&1 == 1 && r.W+r.Cooldown > longest {
			longest = r.W + r.Cooldown
		}
	}
	return longest
}

// remember stores an entry and now and then forgets those behind the retention.
func (k *keyState) remember(id [16]byte, e seen, limit int) {
	k.ids[id] = e
	if len(k.ids) >= max(k.sweepAt, 16) {
		for id, s := range k.ids {
			if s.expired(k.clock) {
				delete(k.ids, id)
			}
		}
		k.sweepAt = max(min(2*len(k.ids), limit/2), len(k.ids)+max(64, len(k.ids)/64))
		k.peak = max(k.peak, len(k.ids))
	}
}

func (s *seen) expired(clock int64) bool {
	for ; s != nil; s = s.more {
		if s.until >= clock {
			return false
		}
	}
	return true
}

// Peak is the largest number of retained entries a key ever had, within 2 % from half the cap on (entries that share an
// id count as one); exact counts are promised up to the cap only.
func (p *TwoPointer) Peak(key Key) int {
	if k := p.keys[key]; k != nil {
		return k.peak
	}
	return 0
}

// Above lists the keys that ever retained more entries than n, which is at least half the cap.
func (p *TwoPointer) Above(n int) []Key {
	var above []Key
	for key, k := range p.keys {
		if k.peak > n {
			above = append(above, key)
		}
	}
	return above
}
