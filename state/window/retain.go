package window

import (
	"math"
	"math/bits"
	"slices"
)

// recentKept is how many of an episode's last matches outlive their retention, so that its later revisions can
// still show them.
const recentKept = 10

// retain forgets what no accepted event can reach any more: closed episodes, folded counters, and chunks all of whose
// entries are past their retention, unless an episode still shows them.
func (k *Key) retain(grace int64) {
	if len(k.episodes) > 0 {
		k.episodes = slices.DeleteFunc(k.episodes, func(e *Episode) bool {
			gone := e.Closed && e.Last+e.Window+grace+e.Cooldown < k.clock
			if gone {
				k.dropEvidence(e)
			}
			return gone
		})
	}
	for i := range k.slots {
		s := &k.slots[i]
		gone := 0 // they ascend by start
		for gone < len(s.buckets) && s.buckets[gone].start+s.width+s.keep < k.clock {
			gone++
		}
		if gone > 0 {
			s.buckets = slices.Delete(s.buckets, 0, gone)
		}
	}
	if k.clock <= k.sweep {
		return
	}
	for _, ep := range k.episodes { // shown looks at these, while the chunks are being moved
		for i := range k.slots {
			if k.slots[i].matcher == ep.matcher {
				k.index(i)
			}
		}
	}
	k.sweep = k.clock + math.MaxInt64/4
	live := k.chunks[:0]
	for i := range k.chunks {
		c := &k.chunks[i]
		last := c.max + k.keep(c.mask)
		if last >= k.clock || k.shown(c) {
			live = append(live, *c)
			k.sweep = min(k.sweep, last)
			continue
		}
		for i := range c.entries {
			for m := c.entries[i].Mask; m != 0; m &= m - 1 {
				k.slots[bits.TrailingZeros64(m)].remove(c.entries[i].Time, c.number*ChunkSize+uint64(i))
			}
		}
		k.dropChunk(c)
	}
	clear(k.chunks[len(live):])
	k.chunks = live
}

// shown tells whether the chunk holds one of the last matches of an episode, whose slots must be indexed.
func (k *Key) shown(c *chunk) bool {
	for _, ep := range k.episodes {
		for i := range k.slots {
			s := &k.slots[i]
			if s.matcher != ep.matcher {
				continue
			}
			hi := s.after(ep.Last)
			for _, r := range s.refs[max(0, hi-recentKept):hi] {
				if r.seq/ChunkSize == c.number {
					return true
				}
			}
		}
	}
	return false
}
