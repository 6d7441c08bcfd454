package topics

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// SealKey is the key of every seal. It begins with 0x00, as no group key does, and is the same for all seals of a
// partition: compaction keeps the last one.
const SealKey = "\x00seal"

// IsSealKey says whether a changelog record is a seal.
func IsSealKey(key []byte) bool { return string(key) == SealKey }

// SealVersion is the version of the binary form of a [Seal] that is written; see [OldestSealFormat] for those read.
const SealVersion = 1

// Seal ends every transaction in every changelog partition that belongs to an input partition whose offset the
// transaction commits. It ties the state to the input: after a restore, Next must be the group's committed offset.
type Seal struct {
	InputTopicID [16]byte // of the input topic
	Partition    int32    // of the input, and of the changelog
	Partitions   int32    // partition count of the input
	Next         int64    // next input offset to be judged
	Sequence     uint64   // 1, 2, 3 … per partition
	RecordTime   int64    // largest record timestamp judged, Unix ns; 0: none yet
	RuleSet      [32]byte // hash of the rule set in force
	Rolling      [32]byte // see Rolling: chains the changes of contiguous sequences
	Sum          Sum      // over all live records after this transaction
	Coverage     OpenInterval
}

// OpenInterval is the part of the coverage chain that no coverage record holds yet.
type OpenInterval struct {
	From      int64    // first input offset of the interval
	FromTime  int64    // record time at its begin, Unix ns
	Counts    Counts   // what was judged in it so far
	ChainHead [32]byte // chain hash of the last coverage record; zero: none yet
}

// Counts is the number of records by verdict. Every record is counted once, in Judged, Duplicates, Ticks or one of
// DeadLetters; Exempted and IDConflicts count some of the judged ones again.
type Counts struct {
	Judged      int64
	Duplicates  int64
	Ticks       int64
	Exempted    int64 // judged events that an exception kept from a rule
	IDConflicts int64 // judged events with the id of another event
	DeadLetters [NumReasons]int64
}

// Add adds other to c.
func (c *Counts) Add(other *Counts) {
	c.Judged += other.Judged
	c.Duplicates += other.Duplicates
	c.Ticks += other.Ticks
	c.Exempted += other.Exempted
	c.IDConflicts += other.IDConflicts
	for i, n := range other.DeadLetters {
		c.DeadLetters[i] += n
	}
}

// Total is the number of records that got a verdict, ticks included.
func (c *Counts) Total() int64 {
	n := c.Judged + c.Duplicates + c.Ticks
	for _, d := range c.DeadLetters {
		n += d
	}
	return n
}

const sealFixed = 1 + 16 + 4 + 4 + 8 + 8 + 8 + 32 + 32 + 32 + 8 + 8 + 32 + 5*8 + 2 // up to the counts by reason

// Append appends the binary form: version, then the fields in the order of the type, all integers big-endian and of
// full width; the counts by reason are preceded by their number, so that a later version can know more reasons.
func (s *Seal) Append(dst []byte) []byte {
	be := binary.BigEndian
	dst = append(dst, SealVersion)
	dst = append(dst, s.InputTopicID[:]...)
	dst = be.AppendUint32(dst, uint32(s.Partition))
	dst = be.AppendUint32(dst, uint32(s.Partitions))
	dst = be.AppendUint64(dst, uint64(s.Next))
	dst = be.AppendUint64(dst, s.Sequence)
	dst = be.AppendUint64(dst, uint64(s.RecordTime))
	dst = append(dst, s.RuleSet[:]...)
	dst = append(dst, s.Rolling[:]...)
	dst = append(dst, s.Sum[:]...)
	dst = be.AppendUint64(dst, uint64(s.Coverage.From))
	dst = be.AppendUint64(dst, uint64(s.Coverage.FromTime))
	dst = append(dst, s.Coverage.ChainHead[:]...)
	c := &s.Coverage.Counts
	for _, n := range [...]int64{c.Judged, c.Duplicates, c.Ticks, c.Exempted, c.IDConflicts} {
		dst = be.AppendUint64(dst, uint64(n))
	}
	dst = be.AppendUint16(dst, uint16(NumReasons))
	for _, n := range c.DeadLetters {
		dst = be.AppendUint64(dst, uint64(n))
	}
	return dst
}

// DecodeSeal reads what [Seal.Append] wrote, with as many or fewer reasons than this version knows. It refuses anything
// else, and values that no seal can have; a seal of another format with a [FormatError].
func DecodeSeal(b []byte) (Seal, error) {
	var s Seal
	if len(b) == 0 {
		return s, errors.New("seal: empty value")
	}
	known := b[0] >= OldestSealFormat && b[0] <= SealVersion
	switch {
	case !known && len(b) < sealFixed: // no seal will ever be as short
		return s, fmt.Errorf("seal: version %d in %d bytes: this is no seal", b[0], len(b))
	case !known:
		return s, &FormatError{What: "seal", Format: int(b[0]), Oldest: OldestSealFormat, Newest: SealVersion}
	case len(b) < sealFixed:
		return s, fmt.Errorf("seal: %d bytes, at least %d expected", len(b), sealFixed)
	}
	r := fields{b: b[1:]}
	r.bytes(s.InputTopicID[:])
	s.Partition, s.Partitions = int32(r.uint32()), int32(r.uint32())
	s.Next, s.Sequence, s.RecordTime = int64(r.uint64()), r.uint64(), int64(r.uint64())
	r.bytes(s.RuleSet[:])
	r.bytes(s.Rolling[:])
	r.bytes(s.Sum[:])
	s.Coverage.From, s.Coverage.FromTime = int64(r.uint64()), int64(r.uint64())
	r.bytes(s.Coverage.ChainHead[:])
	c := &s.Coverage.Counts
	for _, n := range [...]*int64{&c.Judged, &c.Duplicates, &c.Ticks, &c.Exempted, &c.IDConflicts} {
		*n = int64(r.uint64())
	}
	reasons := int(r.uint16())
	if reasons > int(NumReasons) {
		return s, fmt.Errorf("seal: %d reasons, this program knows %d: written by a newer version", reasons, NumReasons)
	}
	if len(r.b) != 8*reasons {
		return s, fmt.Errorf("seal: %d bytes after the fixed fields, %d expected", len(r.b), 8*reasons)
	}
	for i := range reasons {
		c.DeadLetters[i] = int64(r.uint64())
	}
	return s, s.validate()
}

func (s *Seal) validate() error {
	c := &s.Coverage.Counts
	low := min(c.Judged, c.Duplicates, c.Ticks, c.Exempted, c.IDConflicts)
	for _, n := range c.DeadLetters {
		low = min(low, n)
	}
	switch {
	case s.Partition < 0 || s.Partition >= s.Partitions:
		return fmt.Errorf("seal: partition %d of %d", s.Partition, s.Partitions)
	case s.Sequence == 0:
		return errors.New("seal: sequence 0, the first is 1")
	case s.Next < 0:
		return fmt.Errorf("seal: next offset %d", s.Next)
	case s.Coverage.From < 0 || s.Coverage.From > s.Next:
		return fmt.Errorf("seal: coverage from %d to %d", s.Coverage.From, s.Next)
	case low < 0:
		return fmt.Errorf("seal: negative count %d", low)
	}
	return nil
}

// fields reads fixed-width fields; the caller has checked the length.
type fields struct{ b []byte }

func (r *fields) bytes(dst []byte) { r.b = r.b[copy(dst, r.b):] }

func (r *fields) uint16() (v uint16) {
	v, r.b = binary.BigEndian.Uint16(r.b), r.b[2:]
	return v
}

func (r *fields) uint32() (v uint32) {
	v, r.b = binary.BigEndian.Uint32(r.b), r.b[4:]
	return v
}

func (r *fields) uint64() (v uint64) {
	v, r.b = binary.BigEndian.Uint64(r.b), r.b[8:]
	return v
}
