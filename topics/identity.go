package topics

import (
	"crypto/sha256"
	"encoding/binary"
)

// Domain tags keep identities by id and by content apart. They are part of what is stored.
const (
	identityByID      = "tocsin identity 1: id\x00"
	identityByContent = "tocsin identity 1: content\x00"
)

// Identity is the event's identity for de-duplication. With an id it is the first 16 bytes of SHA-256 over
//
//	"tocsin identity 1: id" 0x00, length of CESource, CESource, length of ID, ID
//
// with lengths as 8 bytes, big-endian. Without an id it is the first 16 bytes of SHA-256 over
//
//	"tocsin identity 1: content" 0x00, SHA-256 of Raw
//
// where the inner digest keeps a large event from being copied. The event must be good.
func (e *Event) Identity() [16]byte {
	var sum [sha256.Size]byte
	if len(e.ID) == 0 {
		inner := sha256.Sum256(e.Raw)
		var buf [len(identityByContent) + sha256.Size]byte
		n := copy(buf[:], identityByContent)
		copy(buf[n:], inner[:])
		sum = sha256.Sum256(buf[:])
		return [16]byte(sum[:16])
	}
	n := len(e.text) // texts of the event lie below
	buf := append(e.text, identityByID...)
	buf = binary.BigEndian.AppendUint64(buf, uint64(len(e.CESource)))
	buf = append(buf, e.CESource...)
	buf = binary.BigEndian.AppendUint64(buf, uint64(len(e.ID)))
	buf = append(buf, e.ID...)
	sum = sha256.Sum256(buf[n:])
	e.text = buf[:n]
	return [16]byte(sum[:16])
}
