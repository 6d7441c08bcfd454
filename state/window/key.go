package window

import (
	"errors"
	"math"

	"tocsin/topics"
)

// ChunkSize is the number of entries in a chunk. It is part of the format.
const ChunkSize = 16

// MaxEntries is the number of entries of a key up to which counts and de-duplication are exact. Beyond it the oldest
// chunk is folded into counters per time bucket, and the key's growing episodes say that they are approximate.
const MaxEntries = 10_000

// MaxSlots is the most matchers a key can hold entries of: the bits of an entry's mask.
const MaxSlots = 64

// errSlots is returned by Accept: a key saw more different matchers than an entry's mask has bits.
var errSlots = errors.New("window: more than 64 matchers hold entries of one key")

// Key is the state of one group key. The zero value is a key that was never seen.
type Key struct {
	clock     int64 // maximum event time of the counted events; noClock: none yet
	lastWrite int64 // record time of the last change
	accepted  uint64
	opened    uint64 // episodes opened so far: the next one's number
	counter   int64  // free for the caller, see Counter
	slots     []slot
	chunks    []chunk // sealed ones, ascending number
	tail      []Entry // the open end: fewer than ChunkSize entries, numbers accepted-len(tail) …
	marks     marks   // of tail
	episodes  []*Episode
	live      bool // has state: false for the zero Key
	memory    *Memory

	dirty   bool
	saved   saved  // head as last written or loaded
	dropped []part // parts written before that no longer exist
	ids     ids
	sweep   int64 // no chunk is past its retention while the clock is not beyond this: saves looking
}

type chunk struct {
	number   uint64
	min, max int64  // event time, rounded out to whole seconds: 625 chunks must fit a head of 8 kB
	mask     uint64 // union
	entries  []Entry
	marks    marks // of entries
	saved    bool
	hash     [32]byte
}

// saved remembers a part as the changelog has it, so that a change can say what it replaces.
type saved struct {
	ok    bool
	hash  [32]byte
	index Index
}

type part struct {
	suffix []byte
	hash   [32]byte
}

// coarse is the unit of a chunk's time range.
const coarse = int64(1e9)

const noClock = math.MinInt64

// Live tells whether the key has any state.
func (k *Key) Live() bool { return k.live }

// Clock gives the key's clock; ok is false while nothing was counted.
func (k *Key) Clock() (t int64, ok bool) { return k.clock, k.live && k.clock != noClock }

// LastWrite gives the record time of the key's last change.
func (k *Key) LastWrite() int64 { return k.lastWrite }

// Len gives the number of retained entries.
func (k *Key) Len() int { return len(k.chunks)*ChunkSize + len(k.tail) }

// Late tells whether an event of time t is more than grace behind the key's clock.
func (k *Key) Late(t, grace int64) bool {
	return k.live && k.clock != noClock && t < k.clock-grace
}

// Find looks for an event of the same identity among the retained entries. duplicate: its canonical hash is the same
// too, so it is a second delivery; conflict: there is one with the same identity and other content, and no duplicate.
func (k *Key) Find(id [16]byte, hash [32]byte) (duplicate, conflict bool) {
	if k.absent(id) {
		return false, false
	}
	m := mark(id)
	look := func(es []Entry, ms *marks) bool {
		for i := range es {
			if ms[i] != m || es[i].ID != id {
				continue
			}
			if es[i].Hash == hash {
				return true
			}
			if k.retained(es[i].Time, es[i].Mask) {
				conflict = true
			}
		}
		return false
	}
	if look(k.tail, &k.marks) {
		return true, false
	}
	for i := len(k.chunks) - 1; i >= 0; i-- {
		if look(k.chunks[i].entries, &k.chunks[i].marks) {
			return true, false
		}
	}
	return false, conflict
}

func (k *Key) retained(t int64, mask uint64) bool { return t+k.keep(mask) >= k.clock }

// keep gives the longest retention of the slots in mask.
func (k *Key) keep(mask uint64) int64 {
	var longest int64
	for i := range k.slots {
		if mask&(1<<i) != 0 && k.slots[i].keep > longest {
			longest = k.slots[i].keep
		}
	}
	return longest
}

// slotOf gives the slot of a matcher, making one when there is none: a free one that is not in taken, else a new one.
func (k *Key) slotOf(matcher, taken uint64) (int, error) {
	free := -1
	for i := range k.slots {
		s := &k.slots[i]
		if s.matcher == matcher {
			return i, nil
		}
		if free < 0 && taken&(1<<i) == 0 && s.matches == 0 && len(s.buckets) == 0 && !k.slotInUse(i) {
			free = i
		}
	}
	switch {
	case free >= 0:
		k.slots[free] = slot{matcher: matcher, refs: k.slots[free].refs[:0]}
		return free, nil
	case len(k.slots) == MaxSlots:
		return 0, errSlots
	}
	k.slots = append(k.slots, slot{matcher: matcher})
	return len(k.slots) - 1, nil
}

func (k *Key) slotInUse(i int) bool {
	for _, e := range k.episodes {
		if e.matcher == k.slots[i].matcher {
			return true
		}
	}
	return false
}

// entry gives the retained entry of that number.
func (k *Key) entry(seq uint64) *Entry {
	if first := k.accepted - uint64(len(k.tail)); seq >= first {
		return &k.tail[seq-first]
	}
	lo, hi := 0, len(k.chunks)
	for lo < hi {
		mid := int(uint(lo+hi) / 2)
		if k.chunks[mid].number < seq/ChunkSize {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return &k.chunks[lo].entries[seq%ChunkSize]
}

// append adds the entry to the tail and seals the tail when it is full.
func (k *Key) append(e *Entry) {
	if len(k.tail) == cap(k.tail) {
		old := k.tail
		k.tail = append(k.memory.get(len(old)+1), old...)
		k.memory.put(old)
	}
	k.marks[len(k.tail)] = mark(e.ID)
	k.tail = append(k.tail, *e)
	k.ids.add(e.ID)
	k.accepted++
	if len(k.tail) < ChunkSize {
		return
	}
	c := chunk{number: (k.accepted - 1) / ChunkSize, entries: k.tail, marks: k.marks, min: math.MaxInt64,
		max: math.MinInt64}
	for i := range c.entries {
		c.min, c.max = min(c.min, c.entries[i].Time), max(c.max, c.entries[i].Time)
		c.mask |= c.entries[i].Mask
	}
	c.min, c.max = floorTo(c.min, coarse), -floorTo(-c.max, coarse)
	k.chunks = append(k.chunks, c)
	k.sweep = min(k.sweep, c.max+k.keep(c.mask))
	k.tail = nil
}

// Clear forgets everything, as for a key that is logically absent; what was written before becomes tombstones.
func (k *Key) Clear() {
	for i := range k.chunks {
		k.dropChunk(&k.chunks[i])
	}
	for _, e := range k.episodes {
		k.dropEvidence(e)
	}
	k.memory.put(k.tail)
	*k = Key{saved: k.saved, dropped: k.dropped, dirty: k.saved.ok || len(k.dropped) > 0, memory: k.memory}
}

// dropChunk lets go of a chunk that the key no longer holds.
func (k *Key) dropChunk(c *chunk) {
	k.ids.remove(c.entries)
	k.memory.put(c.entries)
	if c.saved {
		k.dropped = append(k.dropped, part{suffix: topics.AppendChunk(nil, uint32(c.number)), hash: c.hash})
	}
}

func (k *Key) dropEvidence(e *Episode) {
	if e.evidenceSaved.ok {
		k.dropped = append(k.dropped, part{suffix: topics.AppendEvidence(nil, e.ID), hash: e.evidenceSaved.hash})
	}
}

// Counter gives the key's free counter, and SetCounter sets it in a record of this record time: a key may hold a plain
// number instead of events.
func (k *Key) Counter() int64 { return k.counter }

// SetCounter sets the counter. It neither needs nor moves the key's clock.
func (k *Key) SetCounter(n, recordTime int64) {
	if !k.live {
		k.begin()
	}
	k.counter, k.dirty, k.lastWrite = n, true, recordTime
}

func (k *Key) begin() { k.live, k.clock, k.sweep = true, noClock, math.MinInt64 }

// Size estimates the memory the key uses, in bytes.
func (k *Key) Size() int {
	const entrySize, refSize, episodeSize = 128, 24, 320
	n := (cap(k.tail) + len(k.chunks)*ChunkSize) * entrySize
	for i := range k.slots {
		n += cap(k.slots[i].refs)*refSize + cap(k.slots[i].buckets)*refSize
	}
	for _, e := range k.episodes {
		n += episodeSize + len(e.evidence)*entrySize
	}
	return n + len(k.chunks)*160 + len(k.ids)*24
}
