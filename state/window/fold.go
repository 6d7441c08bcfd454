package window

import (
	"math/bits"
	"slices"

	"tocsin/topics"
)

// bucketsPerSlot bounds the time buckets of a slot: its retention is cut into this many.
const bucketsPerSlot = 128

// bucket counts folded matches of one outcome in [start, start + width).
type bucket struct {
	start   int64
	outcome topics.Outcome
	count   int64
}

// fold turns the oldest chunks (by acceptance) into counters while the key holds more than MaxEntries.
func (k *Key) fold() {
	for k.Len() > MaxEntries && len(k.chunks) > 0 {
		c := &k.chunks[0]
		for i := range c.entries {
			e := &c.entries[i]
			for m := e.Mask; m != 0; m &= m - 1 {
				s := &k.slots[bits.TrailingZeros64(m)]
				s.remove(e.Time, c.number*ChunkSize+uint64(i))
				s.addBucket(e.Time, e.Outcome)
			}
		}
		k.dropChunk(c)
		*c = chunk{}
		k.chunks = k.chunks[1:]
	}
}

func (s *slot) addBucket(t int64, o topics.Outcome) {
	if len(s.buckets) == 0 || s.width == 0 {
		s.width = max(s.keep/bucketsPerSlot, 1)
	}
	b := bucket{start: floorTo(t, s.width), outcome: o, count: 1}
	i, found := slices.BinarySearchFunc(s.buckets, b, func(a, b bucket) int {
		if a.start != b.start {
			if a.start < b.start {
				return -1
			}
			return 1
		}
		return int(a.outcome) - int(b.outcome)
	})
	if found {
		s.buckets[i].count++
		return
	}
	s.buckets = slices.Insert(s.buckets, i, b)
}

func floorTo(t, width int64) int64 {
	q := t / width
	if t%width < 0 {
		q--
	}
	return q * width
}

// folded estimates the folded matches in (from, to]: a bucket counts when its middle lies inside.
func (s *slot) folded(from, to int64) (n int64) {
	for _, b := range s.overlapping(from) {
		if middle := b.start + s.width/2; middle > from && middle <= to {
			n += b.count
		}
	}
	return n
}

func (s *slot) tallyFolded(ep *Episode, from, to, sign int64) {
	for _, b := range s.overlapping(from) {
		if middle := b.start + s.width/2; middle > from && middle <= to {
			ep.Count += sign * b.count
			ep.Outcomes[b.outcome] += sign * b.count
		}
	}
}

// overlapping gives the buckets whose middle lies behind from: mostly none, for what is folded is old.
func (s *slot) overlapping(from int64) []bucket {
	i := len(s.buckets)
	for i > 0 && s.buckets[i-1].start+s.width/2 > from {
		i--
	}
	return s.buckets[i:]
}
