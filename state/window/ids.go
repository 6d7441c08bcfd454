package window

import "encoding/binary"

// marks are parts of the identities of up to ChunkSize entries, side by side: to look through them costs one line of a
// core's cache, where the entries would cost one each.
type marks [ChunkSize]uint32

// mark takes the end of an identity: an observation's begins with zeros.
func mark(id [16]byte) uint32 { return binary.LittleEndian.Uint32(id[12:]) }

func marksOf(es []Entry) (m marks) {
	for i := range es {
		m[i] = mark(es[i].ID)
	}
	return m
}

// indexFrom is the number of entries from which a key looks identities up in a table instead of going through all of
// their marks: below it the walk is cheaper than the table's memory.
const indexFrom = 16 * ChunkSize

// ids counts the retained entries by the second half of their identity, where an observation has its offset; nil while
// the key is small. A hit is only a hint that it is worth looking.
type ids map[uint64]uint32

func half(id [16]byte) uint64 { return binary.LittleEndian.Uint64(id[8:]) }

// absent tells whether certainly no retained entry has the identity, making the table when the key has grown.
func (k *Key) absent(id [16]byte) bool {
	if k.ids == nil {
		if k.Len() < indexFrom {
			return false
		}
		k.ids = make(ids, 2*k.Len())
		for i := range k.chunks {
			for j := range k.chunks[i].entries {
				k.ids.add(k.chunks[i].entries[j].ID)
			}
		}
		for i := range k.tail {
			k.ids.add(k.tail[i].ID)
		}
	}
	return k.ids[half(id)] == 0
}

func (x ids) add(id [16]byte) {
	if x != nil {
		x[half(id)]++
	}
}

func (x ids) remove(es []Entry) {
	if x == nil {
		return
	}
	for i := range es {
		p := half(es[i].ID)
		if x[p]--; x[p] == 0 {
			delete(x, p)
		}
	}
}
