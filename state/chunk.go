package state

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"slices"
)

// chunk collects records in memory until they are sorted. Of records with one key the last wins.
type chunk struct {
	buf  []byte
	recs []chunkRecord
}

// chunkRecord points into the chunk's buffer: key, then value.
type chunkRecord struct {
	at      int
	key     int32 // length
	value   int32 // length
	deleted bool
	word    uint64 // eight bytes of the key, at the depth that is being sorted
}

func (c *chunk) key(r *chunkRecord) []byte { return c.buf[r.at : r.at+int(r.key)] }

// value is nil for a tombstone.
func (c *chunk) value(r *chunkRecord) []byte {
	if r.deleted {
		return nil
	}
	at := r.at + int(r.key)
	return c.buf[at : at+int(r.value)]
}

// grow gets the memory for size bytes at once when an eighth of that is used: small partitions need little, and large
// ones do not copy what they have over and over.
func (c *chunk) grow(size int) {
	if n := len(c.buf); n >= size/8 && cap(c.buf) < size {
		c.buf = slices.Grow(c.buf, size+size/16-n)
		c.recs = slices.Grow(c.recs, 7*len(c.recs))
	}
}

// add appends a record. The key is not empty; a nil value is a tombstone.
func (c *chunk) add(key, value []byte) {
	c.recs = append(c.recs, chunkRecord{
		at: len(c.buf), key: int32(len(key)), value: int32(len(value)), deleted: value == nil,
	})
	c.buf = append(append(c.buf, key...), value...)
}

// size is about what the chunk holds in memory.
func (c *chunk) size() int { return len(c.buf) + 32*len(c.recs) }

func (c *chunk) reset() { c.buf, c.recs = c.buf[:0], c.recs[:0] }

// sort orders the records by key and leaves the last of each key.
func (c *chunk) sort() {
	c.load(c.recs, 0)
	c.sortFrom(c.recs, 0, 2*bits.Len(uint(len(c.recs))))
	c.recs = slices.CompactFunc(c.recs, func(a, b chunkRecord) bool { return bytes.Equal(c.key(&a), c.key(&b)) })
}

// sortFrom is a quicksort of strings (Bentley and Sedgewick, 1997) that takes eight bytes at a time and keeps them
// beside the record: keys share long beginnings, and going back to each of them for every comparison would miss the
// cache. All keys agree before depth, and have their word loaded from there. limit bounds the partitions that may go
// wrong.
func (c *chunk) sortFrom(recs []chunkRecord, depth, limit int) {
	for len(recs) > 24 && limit > 0 {
		limit--
		n := len(recs)
		pivot := median(recs[n/4].word, recs[n/2].word, recs[3*n/4].word)
		lower, upper := 0, n // [0, lower) is less, [upper, n) is greater
		for i := 0; i < upper; {
			switch w := recs[i].word; {
			case w < pivot:
				recs[i], recs[lower] = recs[lower], recs[i]
				lower++
				i++
			case w > pivot:
				upper--
				recs[i], recs[upper] = recs[upper], recs[i]
			default:
				i++
			}
		}
		c.sortFrom(recs[:lower], depth, limit)
		c.sortFrom(recs[upper:], depth, limit)
		recs = recs[lower:upper]
		if c.load(recs, depth+8) {
			break // words are filled up with zeros: only the keys can tell
		}
		depth += 8
		limit = 2 * bits.Len(uint(len(recs)))
	}
	slices.SortFunc(recs, func(a, b chunkRecord) int {
		if n := bytes.Compare(c.key(&a), c.key(&b)); n != 0 {
			return n
		}
		return b.at - a.at // the last one added comes first, and is the one that stays
	})
}

// load fills the words; ended says that a key has nothing at depth any more.
func (c *chunk) load(recs []chunkRecord, depth int) (ended bool) {
	for i := range recs {
		key := c.key(&recs[i])
		if len(key) <= depth {
			return true
		}
		if key = key[depth:]; len(key) >= 8 {
			recs[i].word = binary.BigEndian.Uint64(key)
			continue
		}
		var word [8]byte
		copy(word[:], key)
		recs[i].word = binary.BigEndian.Uint64(word[:])
	}
	return false
}

func median(a, b, c uint64) uint64 { return max(min(a, b), min(max(a, b), c)) }
