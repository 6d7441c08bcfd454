package window

import (
	"cmp"
	"fmt"
	"math/bits"
	"slices"
)

// countMatches counts the matches of every slot, for a key that was loaded.
func (k *Key) countMatches() error {
	add := func(es []Entry) error {
		for i := range es {
			for m := es[i].Mask; m != 0; m &= m - 1 {
				j := bits.TrailingZeros64(m)
				if j >= len(k.slots) {
					return fmt.Errorf("%w: entry of an unknown slot", errCorrupt)
				}
				k.slots[j].matches++
			}
		}
		return nil
	}
	for i := range k.chunks {
		if err := add(k.chunks[i].entries); err != nil {
			return err
		}
	}
	return add(k.tail)
}

// index sees that the refs of slot i are there.
func (k *Key) index(i int) {
	s := &k.slots[i]
	if s.indexed {
		return
	}
	s.indexed = true
	if cap(s.refs) < s.matches {
		s.refs = make([]ref, 0, s.matches+s.matches/2) // once per slot that has enough matches for a rule
	}
	add := func(es []Entry, seq uint64) {
		for j := range es {
			if es[j].Mask&(1<<i) != 0 {
				s.refs = append(s.refs, ref{time: es[j].Time, seq: seq + uint64(j), outcome: es[j].Outcome})
			}
		}
	}
	for j := range k.chunks {
		add(k.chunks[j].entries, k.chunks[j].number*ChunkSize)
	}
	add(k.tail, k.accepted-uint64(len(k.tail)))
	slices.SortFunc(s.refs, func(a, b ref) int {
		if c := cmp.Compare(a.time, b.time); c != 0 {
			return c
		}
		return cmp.Compare(a.seq, b.seq)
	})
}
