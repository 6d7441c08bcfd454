package window

import (
	"crypto/sha256"

	"tocsin/topics"
)

// MaxIDText is the longest event id kept as text in an entry, in bytes; a longer one is kept as its SHA-256.
const MaxIDText = 40

// Entry is one counted event. It holds no pointers, so that the garbage collector does not look into windows.
type Entry struct {
	Time    int64          // event time, Unix ns (record time for integrity keys)
	Offset  int64          // offset in the input partition
	ID      [16]byte       // identity: two deliveries of one event share it
	Hash    [32]byte       // canonical hash as computed by us
	Mask    uint64         // bit i: the event matches the matcher in slot i of its key
	Outcome topics.Outcome // of verification
	idLen   uint8          // bytes used of id; idHashed: id is a SHA-256
	id      [MaxIDText]byte
}

const idHashed = 0x80

// SetID keeps the event's id: its text up to MaxIDText bytes, else its SHA-256.
func (e *Entry) SetID(id []byte) {
	if len(id) <= MaxIDText {
		e.idLen = uint8(copy(e.id[:], id))
		return
	}
	h := sha256.Sum256(id)
	copy(e.id[:], h[:])
	e.idLen = idHashed | sha256.Size
}

// IDText gives the id as SetID kept it; hashed tells that it is the SHA-256 of a longer one. The slice is the entry's.
func (e *Entry) IDText() (id []byte, hashed bool) {
	return e.id[:e.idLen&^idHashed], e.idLen&idHashed != 0
}

// ref is a match in a slot's index, sorted by (time, seq).
type ref struct {
	time    int64
	seq     uint64 // number of acceptance of the entry
	outcome topics.Outcome
}
