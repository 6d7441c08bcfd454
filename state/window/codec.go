package window

import (
	"encoding/binary"
	"errors"
	"fmt"

	"tocsin/topics"
)

// Heads, chunks and evidence parts begin with the number of their format (topics.OldestValueFormat and those after it).
// What is common to all formats is here, what differs in format_*.go.

// errCorrupt is wrapped by every decoding error.
var errCorrupt = errors.New("window: corrupt state")

// appendPart encodes a chunk or an evidence part.
func appendPart(dst []byte, format byte, es []Entry) []byte {
	return appendEntries(append(dst, format), format, es)
}

// appendEntries encodes entries; times and offsets as differences to the entry before.
func appendEntries(dst []byte, format byte, es []Entry) []byte {
	dst = appendLen(dst, format, len(es))
	var t, o int64
	for i := range es {
		e := &es[i]
		dst = binary.AppendVarint(dst, e.Time-t)
		dst = binary.AppendVarint(dst, e.Offset-o)
		t, o = e.Time, e.Offset
		dst = append(dst, e.ID[:]...)
		dst = append(dst, e.Hash[:]...)
		dst = binary.AppendUvarint(dst, e.Mask)
		dst = append(dst, byte(e.Outcome), e.idLen)
		dst = append(dst, e.id[:e.idLen&^idHashed]...)
	}
	return dst
}

// HeadIndex reads the index out of an encoded head without decoding the rest.
func HeadIndex(head []byte) (Index, error) {
	r := reader{b: head}
	r.version()
	x, _ := r.times()
	return x, r.err
}

// times begin a head.
func appendTimes1(dst []byte, x Index, clock int64) []byte {
	dst = binary.AppendVarint(dst, x.Due)
	dst = binary.AppendVarint(dst, x.LastWrite)
	return binary.AppendVarint(dst, clock)
}

func (r *reader) times1() (x Index, clock int64) {
	x.Due, x.LastWrite, clock = r.varint(), r.varint(), r.varint()
	return x, clock
}

// appendHead encodes the head: everything but the sealed chunks and the evidence.
func (k *Key) appendHead(dst []byte, format byte, x Index) []byte {
	dst = appendTimes(append(dst, format), format, x, k.clock)
	dst = binary.AppendUvarint(dst, k.accepted)
	dst = binary.AppendUvarint(dst, k.opened)
	dst = binary.AppendVarint(dst, k.counter)
	dst = binary.AppendUvarint(dst, uint64(len(k.slots)))
	for i := range k.slots {
		dst = k.slots[i].append(dst)
	}
	dst = binary.AppendUvarint(dst, uint64(len(k.chunks)))
	var number uint64
	var t int64
	for i := range k.chunks {
		c := &k.chunks[i]
		dst = binary.AppendUvarint(dst, c.number-number)
		dst = binary.AppendVarint(dst, (c.min-t)/coarse)
		dst = binary.AppendUvarint(dst, uint64((c.max-c.min)/coarse))
		dst = binary.AppendUvarint(dst, c.mask)
		number, t = c.number, c.min
	}
	dst = appendEntries(dst, format, k.tail)
	dst = binary.AppendUvarint(dst, uint64(len(k.episodes)))
	for _, e := range k.episodes {
		dst = e.append(dst)
	}
	return dst
}

func (s *slot) append(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint64(dst, s.matcher)
	dst = binary.AppendVarint(dst, s.keep)
	dst = binary.AppendVarint(dst, s.width)
	dst = binary.AppendUvarint(dst, uint64(len(s.buckets)))
	var start int64
	for _, b := range s.buckets {
		dst = binary.AppendVarint(dst, (b.start-start)/s.width)
		dst = append(dst, byte(b.outcome))
		dst = binary.AppendVarint(dst, b.count)
		start = b.start
	}
	return dst
}

const (
	flagClosed = 1 << iota
	flagGrown
	flagApproximate
	flagTrace
)

func (e *Episode) append(dst []byte) []byte {
	var flags byte
	for _, f := range []struct {
		on  bool
		bit byte
	}{{e.Closed, flagClosed}, {e.Grown, flagGrown}, {e.Approximate, flagApproximate}, {e.Trace != [16]byte{}, flagTrace}} {
		if f.on {
			flags |= f.bit
		}
	}
	dst = append(dst, flags)
	dst = append(dst, e.ID[:]...)
	dst = appendString(dst, e.Rule)
	dst = append(dst, e.Version[:]...)
	dst = appendString(dst, e.Kind)
	dst = binary.BigEndian.AppendUint64(dst, e.matcher)
	for _, v := range [...]int64{e.Threshold, e.Window, e.Cooldown, e.MaxEpisode, int64(e.Opened), e.Crossing,
		e.First - e.Crossing, e.Last - e.Crossing, e.FirstSeen - e.Crossing, e.Count, e.Revision, e.Double, e.Growth} {
		dst = binary.AppendVarint(dst, v)
	}
	for _, n := range e.Outcomes {
		dst = binary.AppendVarint(dst, n)
	}
	if flags&flagTrace != 0 {
		dst = append(dst, e.Trace[:]...)
	}
	return dst
}

func appendString(dst []byte, s string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(s))), s...)
}

// reader decodes; after an error it gives zeros, so that the caller checks once.
type reader struct {
	b      []byte
	format byte
	err    error
}

func (r *reader) fail(what string) { r.failed(fmt.Errorf("%w: %s", errCorrupt, what)) }

func (r *reader) failed(err error) {
	if r.err == nil {
		r.err = err
	}
	r.b = nil
}

// version reads the number of the format, which a value begins with.
func (r *reader) version() {
	r.format = r.byte()
	if r.err != nil {
		return
	}
	if err := topics.CheckValueFormat(r.format); err != nil {
		r.failed(err)
	}
}

func (r *reader) byte() byte {
	if len(r.b) == 0 {
		r.fail("truncated")
		return 0
	}
	v := r.b[0]
	r.b = r.b[1:]
	return v
}

func (r *reader) take(n int) []byte {
	if n > len(r.b) {
		r.fail("truncated")
		return nil
	}
	v := r.b[:n]
	r.b = r.b[n:]
	return v
}

func (r *reader) varint() int64 {
	v, n := binary.Varint(r.b)
	if n <= 0 {
		r.fail("bad number")
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.fail("bad number")
		return 0
	}
	r.b = r.b[n:]
	return v
}

// count reads a length and refuses one that the remaining bytes, of at least size each, cannot hold.
func (r *reader) count(size int) int {
	n := r.uvarint()
	if n > uint64(len(r.b)/size) {
		r.fail("impossible length")
		return 0
	}
	return int(n)
}

func (r *reader) uint64() uint64 {
	if b := r.take(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

func (r *reader) string() string { return string(r.take(r.count(1))) }

// entries reads what appendEntries wrote, into an array of m where it is no longer than a chunk.
func (r *reader) entries(m *Memory) []Entry {
	n := r.length(53)
	if n == 0 {
		return nil
	}
	var es []Entry
	if n <= ChunkSize {
		es = m.get(n)[:n]
		clear(es)
	} else {
		es = make([]Entry, n)
	}
	var t, o int64
	for i := range es {
		e := &es[i]
		t += r.varint()
		o += r.varint()
		e.Time, e.Offset = t, o
		copy(e.ID[:], r.take(16))
		copy(e.Hash[:], r.take(32))
		e.Mask = r.uvarint()
		e.Outcome = topics.Outcome(r.byte())
		e.idLen = r.byte()
		if e.Outcome >= topics.NumOutcomes || e.idLen&^idHashed > MaxIDText {
			r.fail("bad entry")
			return nil
		}
		copy(e.id[:], r.take(int(e.idLen&^idHashed)))
	}
	return es
}

func (r *reader) end() error {
	if r.err == nil && len(r.b) > 0 {
		r.fail("trailing bytes")
	}
	return r.err
}
