package topics

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"
	"math/bits"
)

// A changelog record's key is a group key followed by a part. Its value is the full value of that part, or null: the
// part is gone. The numbers are stored; never renumber one.
const (
	PartHead     byte = 0x00 // alone
	PartChunk    byte = 0x01 // followed by the chunk's number, uint32 big-endian
	PartEvidence byte = 0x02 // followed by the alert's id, 16 bytes
)

// Part names one part of a key's state.
type Part struct {
	Kind     byte
	Chunk    uint32   // of PartChunk
	Evidence [16]byte // of PartEvidence: the alert id
}

// AppendHead appends the part suffix of a head.
func AppendHead(dst []byte) []byte { return append(dst, PartHead) }

// AppendChunk appends the part suffix of chunk n.
func AppendChunk(dst []byte, n uint32) []byte {
	return binary.BigEndian.AppendUint32(append(dst, PartChunk), n)
}

// AppendEvidence appends the part suffix of the crossing's evidence of the alert with this id.
func AppendEvidence(dst []byte, id [16]byte) []byte {
	return append(append(dst, PartEvidence), id[:]...)
}

// ParsePart reads a part suffix; it must be the whole of b.
func ParsePart(b []byte) (Part, error) {
	switch {
	case len(b) == 1 && b[0] == PartHead:
		return Part{Kind: PartHead}, nil
	case len(b) == 5 && b[0] == PartChunk:
		return Part{Kind: PartChunk, Chunk: binary.BigEndian.Uint32(b[1:])}, nil
	case len(b) == 17 && b[0] == PartEvidence:
		return Part{Kind: PartEvidence, Evidence: [16]byte(b[1:])}, nil
	}
	return Part{}, fmt.Errorf("part: %d bytes, %q: none that this version knows", len(b), b[:min(len(b), 1)])
}

// SplitChangeKey splits a changelog key into group key and part suffix, both checked. The results alias key.
func SplitChangeKey(key []byte) (groupKey, suffix []byte, err error) {
	_, _, _, rest, err := ParseGroupKey(key)
	if err != nil {
		return nil, nil, err
	}
	if _, err := ParsePart(rest); err != nil {
		return nil, nil, err
	}
	return key[: len(key)-len(rest) : len(key)-len(rest)], rest, nil
}

// Sum is a number modulo 2^256, big-endian: the sum of [ChangeHash] over all live records of a changelog partition. It
// does not depend on the order of the records, and a change of one record is one subtraction and one addition.
type Sum [32]byte

// Add adds a hash.
func (s *Sum) Add(h [32]byte) {
	var carry uint64
	for i := 24; i >= 0; i -= 8 {
		var v uint64
		v, carry = bits.Add64(binary.BigEndian.Uint64(s[i:]), binary.BigEndian.Uint64(h[i:]), carry)
		binary.BigEndian.PutUint64(s[i:], v)
	}
}

// Sub takes a hash out again.
func (s *Sum) Sub(h [32]byte) {
	var borrow uint64
	for i := 24; i >= 0; i -= 8 {
		var v uint64
		v, borrow = bits.Sub64(binary.BigEndian.Uint64(s[i:]), binary.BigEndian.Uint64(h[i:]), borrow)
		binary.BigEndian.PutUint64(s[i:], v)
	}
}

// String is the hex form.
func (s Sum) String() string { return hex.EncodeToString(s[:]) }

// ChangeHash is the hash of one live changelog record: SHA-256(uvarint len(key) ‖ key ‖ value).
func ChangeHash(key, value []byte) [32]byte {
	var scratch [1024]byte // most records fit: one pass and no allocation
	b := binary.AppendUvarint(scratch[:0], uint64(len(key)))
	b = append(b, key...)
	if len(b)+len(value) <= len(scratch) {
		return sha256.Sum256(append(b, value...))
	}
	h := sha256.New()
	h.Write(b)
	h.Write(value)
	var out [32]byte
	h.Sum(out[:0])
	return out
}

// Rolling computes the rolling hash of one transaction's changes to one changelog partition:
//
//	SHA-256(rolling hash before ‖ for each change, in order: uvarint len(key) ‖ key ‖ v ‖ value)
//
// where v is uvarint len(value)+1, or 0 for a tombstone. A Rolling must be begun with [Rolling.Reset] and can be used
// again.
type Rolling struct {
	h   hash.Hash
	buf []byte
}

// Reset begins a transaction that follows one with the rolling hash before (zero for the first).
func (r *Rolling) Reset(before [32]byte) {
	if r.h == nil {
		r.h = sha256.New()
	}
	r.h.Reset()
	r.buf = append(r.buf[:0], before[:]...)
	r.flush(0)
}

// Add takes the next change; a nil value is a tombstone.
func (r *Rolling) Add(key, value []byte) {
	r.buf = binary.AppendUvarint(r.buf, uint64(len(key)))
	r.buf = append(r.buf, key...)
	if value == nil {
		r.buf = append(r.buf, 0)
	} else {
		r.buf = binary.AppendUvarint(r.buf, uint64(len(value))+1)
		r.buf = append(r.buf, value...)
	}
	r.flush(4096)
}

// Sum is the rolling hash after the changes so far.
func (r *Rolling) Sum() [32]byte {
	r.flush(0)
	var out [32]byte
	r.h.Sum(out[:0])
	return out
}

// flush hands the buffer to the hash when it has reached n bytes: long inputs are hashed faster than many short ones.
func (r *Rolling) flush(n int) {
	if len(r.buf) >= n {
		r.h.Write(r.buf)
		r.buf = r.buf[:0]
	}
}
