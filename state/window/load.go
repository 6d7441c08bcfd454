package window

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"tocsin/topics"
)

// Source is where a key's parts are read from. Slices it gives may be overwritten by the next call.
type Source interface {
	// Get reads one part by its changelog key.
	Get(changeKey []byte) (value []byte, ok bool, err error)
	// Scan visits all parts of a group key, ascending by suffix.
	Scan(groupKey []byte, visit func(suffix, value []byte) error) error
}

// scanFrom is the number of parts beside the head from which they are read by one scan instead of one by one.
const scanFrom = 16

// Load decodes a key from its parts. A source without a head for the key leaves it empty; parts that the head does not
// name are ignored.
func (k *Key) Load(groupKey []byte, from Source) error {
	*k = Key{sweep: math.MinInt64, memory: k.memory}
	if err := k.load(groupKey, from); err != nil {
		return fmt.Errorf("load window: %w", err)
	}
	return nil
}

func (k *Key) load(groupKey []byte, from Source) error {
	changeKey := topics.AppendHead(append(make([]byte, 0, len(groupKey)+17), groupKey...))
	head, ok, err := from.Get(changeKey)
	if err != nil || !ok {
		return err
	}
	if err := k.decodeHead(head); err != nil {
		return err
	}
	k.saved.ok, k.saved.hash = true, topics.ChangeHash(changeKey, head)
	if err := k.loadParts(changeKey[:len(groupKey)], from); err != nil {
		return err
	}
	for i := range k.chunks {
		if !k.chunks[i].saved {
			return fmt.Errorf("%w: chunk %d is missing", errCorrupt, k.chunks[i].number)
		}
	}
	for _, e := range k.episodes {
		if !e.evidenceSaved.ok {
			return fmt.Errorf("%w: evidence of %x is missing", errCorrupt, e.ID)
		}
	}
	return k.countMatches()
}

// loadParts reads what the head names: the chunks and the evidence.
func (k *Key) loadParts(changeKey []byte, from Source) error {
	n := len(changeKey)
	if len(k.chunks)+len(k.episodes) >= scanFrom {
		return from.Scan(changeKey[:n:n], func(suffix, value []byte) error {
			changeKey = append(changeKey[:n], suffix...)
			return k.loadPart(changeKey, suffix, value)
		})
	}
	get := func() error {
		value, ok, err := from.Get(changeKey)
		if err != nil || !ok {
			return err
		}
		return k.loadPart(changeKey, changeKey[n:], value)
	}
	for i := range k.chunks {
		changeKey = topics.AppendChunk(changeKey[:n], uint32(k.chunks[i].number))
		if err := get(); err != nil {
			return err
		}
	}
	for _, e := range k.episodes {
		changeKey = topics.AppendEvidence(changeKey[:n], e.ID)
		if err := get(); err != nil {
			return err
		}
	}
	return nil
}

func (k *Key) loadPart(changeKey, suffix, value []byte) error {
	switch {
	case len(suffix) == 5 && suffix[0] == topics.PartChunk:
		number := uint64(binary.BigEndian.Uint32(suffix[1:]))
		i, ok := slices.BinarySearchFunc(k.chunks, number, func(c chunk, n uint64) int { return cmp.Compare(c.number, n) })
		if !ok {
			return nil
		}
		r := reader{b: value}
		r.version()
		k.chunks[i].entries = r.entries(k.memory)
		if err := r.end(); err != nil {
			return err
		}
		if len(k.chunks[i].entries) != ChunkSize {
			return fmt.Errorf("%w: chunk of %d entries", errCorrupt, len(k.chunks[i].entries))
		}
		k.chunks[i].marks = marksOf(k.chunks[i].entries)
		k.chunks[i].saved, k.chunks[i].hash = true, topics.ChangeHash(changeKey, value)
	case len(suffix) == 17 && suffix[0] == topics.PartEvidence:
		for _, e := range k.episodes {
			if string(e.ID[:]) != string(suffix[1:]) {
				continue
			}
			r := reader{b: value}
			r.version()
			e.evidence = r.entries(nil)
			if err := r.end(); err != nil {
				return err
			}
			e.evidenceSaved = saved{ok: true, hash: topics.ChangeHash(changeKey, value)}
		}
	}
	return nil
}

func (k *Key) decodeHead(value []byte) error {
	r := reader{b: value}
	r.version()
	k.saved.index, k.clock = r.times()
	k.lastWrite = k.saved.index.LastWrite
	k.accepted, k.opened, k.counter = r.uvarint(), r.uvarint(), r.varint()
	k.slots = make([]slot, r.count(11))
	if len(k.slots) > MaxSlots {
		r.fail("too many slots")
	}
	for i := range k.slots {
		k.slots[i].decode(&r)
	}
	k.chunks = make([]chunk, r.count(4))
	var number uint64
	var t int64
	for i := range k.chunks {
		d := r.uvarint()
		if i > 0 && d == 0 {
			r.fail("chunks out of order")
		}
		number += d
		t += r.varint() * coarse
		k.chunks[i] = chunk{number: number, min: t, max: t + int64(r.uvarint())*coarse, mask: r.uvarint()}
	}
	k.tail = r.entries(k.memory)
	if len(k.tail) >= ChunkSize || uint64(len(k.tail)) != k.accepted%ChunkSize {
		r.fail("bad tail")
	} else {
		k.marks = marksOf(k.tail)
	}
	if len(k.chunks) > 0 && number >= k.accepted/ChunkSize {
		r.fail("chunk not yet accepted")
	}
	k.episodes = make([]*Episode, r.count(60))
	for i := range k.episodes {
		k.episodes[i] = new(Episode)
		k.episodes[i].decode(&r)
	}
	if err := r.end(); err != nil {
		return err
	}
	k.live = true
	return nil
}

func (s *slot) decode(r *reader) {
	s.matcher = r.uint64()
	s.keep, s.width = r.varint(), r.varint()
	s.buckets = make([]bucket, r.count(3))
	if len(s.buckets) > 0 && s.width <= 0 {
		r.fail("buckets without width")
	}
	var start int64
	for i := range s.buckets {
		start += r.varint() * s.width
		s.buckets[i] = bucket{start: start, outcome: topics.Outcome(r.byte()), count: r.varint()}
		if s.buckets[i].outcome >= topics.NumOutcomes {
			r.fail("bad bucket")
		}
	}
	if len(s.buckets) == 0 {
		s.buckets = nil
	}
}

func (e *Episode) decode(r *reader) {
	flags := r.byte()
	copy(e.ID[:], r.take(16))
	e.Rule = r.string()
	copy(e.Version[:], r.take(8))
	e.Kind = r.string()
	e.matcher = r.uint64()
	e.Threshold, e.Window, e.Cooldown, e.MaxEpisode = r.varint(), r.varint(), r.varint(), r.varint()
	e.Opened, e.Crossing = uint64(r.varint()), r.varint()
	e.First, e.Last, e.FirstSeen = e.Crossing+r.varint(), e.Crossing+r.varint(), e.Crossing+r.varint()
	e.Count, e.Revision, e.Double, e.Growth = r.varint(), r.varint(), r.varint(), r.varint()
	for i := range e.Outcomes {
		e.Outcomes[i] = r.varint()
	}
	e.Closed, e.Grown, e.Approximate = flags&flagClosed != 0, flags&flagGrown != 0, flags&flagApproximate != 0
	if flags&flagTrace != 0 {
		copy(e.Trace[:], r.take(16))
	}
	if e.Double <= 0 {
		r.fail("bad episode")
	}
}
