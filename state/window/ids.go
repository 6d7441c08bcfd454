package window

import "encoding/binary"

// indexFrom is the number of entries from which a key looks identities up in a table instead of going through all of
// them: below it the walk is cheaper than the table's memory.
const indexFrom = 4 * ChunkSize

// ids counts the retained entries by the first bytes of their identity; nil while the key is small. A hit is only a
// hint that it is worth looking.
type ids map[uint64]uint32

func prefix(id [16]byte) uint64 { return binary.LittleEndian.Uint64(id[:8]) }

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
	return k.ids[prefix(id)] == 0
}

func (x ids) add(id [16]byte) {
	if x != nil {
		x[prefix(id)]++
	}
}

func (x ids) remove(es []Entry) {
	if x == nil {
		return
	}
	for i := range es {
		p := prefix(es[i].ID)
		if x[p]--; x[p] == 0 {
			delete(x, p)
		}
	}
}
