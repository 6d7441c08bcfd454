//go:build tocsin_next_format

package window

import "encoding/binary"

// Format 2 is for the test of an upgrade alone. No release writes it, and what it changes is worth nothing in itself:
//
//   - a head begins with the time of its last write; when it is due and its clock are differences to that
//   - the number of entries is a big-endian uint32
const nextFormat = 2

func appendTimes(dst []byte, format byte, x Index, clock int64) []byte {
	if format != nextFormat {
		return appendTimes1(dst, x, clock)
	}
	// Differences wrap around, and back again when they are read.
	dst = binary.AppendVarint(dst, x.LastWrite)
	dst = binary.AppendVarint(dst, x.Due-x.LastWrite)
	return binary.AppendVarint(dst, clock-x.LastWrite)
}

func (r *reader) times() (x Index, clock int64) {
	if r.format != nextFormat {
		return r.times1()
	}
	x.LastWrite = r.varint()
	x.Due, clock = x.LastWrite+r.varint(), x.LastWrite+r.varint()
	return x, clock
}

// appendLen and length are of the number of entries.
func appendLen(dst []byte, format byte, n int) []byte {
	if format != nextFormat {
		return binary.AppendUvarint(dst, uint64(n))
	}
	return binary.BigEndian.AppendUint32(dst, uint32(n))
}

func (r *reader) length(size int) int {
	if r.format != nextFormat {
		return r.count(size)
	}
	b := r.take(4)
	if b == nil {
		return 0
	}
	n := binary.BigEndian.Uint32(b)
	if uint64(n) > uint64(len(r.b)/size) {
		r.fail("impossible length")
		return 0
	}
	return int(n)
}
