package state

import (
	"encoding/binary"
	"fmt"

	"tocsin/topics"
)

// progress marks a full restore that has not ended. As long as it exists the partition has no position: what is there
// is part of a changelog, never the whole.
type progress struct {
	topicID   [16]byte
	startedAt int64       // wall clock, Unix ns
	next      int64       // changelog offset to go on from
	chunks    uint32      // ingested; 0: the partition may not even have been emptied
	records   int64       // read so far
	bytes     int64       // of their keys and values
	seals     int64       // among them
	unsealed  int64       // offset of the first record after the last seal; -1: none
	seal      topics.Seal // the last one read; Sequence 0: none
}

const (
	progressVersion = 1
	progressFixed   = 1 + 16 + 8 + 8 + 4 + 8 + 8 + 8 + 8
)

func (p *progress) append(dst []byte) []byte {
	be := binary.BigEndian
	dst = append(dst, progressVersion)
	dst = append(dst, p.topicID[:]...)
	dst = be.AppendUint64(dst, uint64(p.startedAt))
	dst = be.AppendUint64(dst, uint64(p.next))
	dst = be.AppendUint32(dst, p.chunks)
	for _, n := range [...]int64{p.records, p.bytes, p.seals, p.unsealed} {
		dst = be.AppendUint64(dst, uint64(n))
	}
	return appendOptionalSeal(dst, &p.seal)
}

func decodeProgress(b []byte) (p progress, err error) {
	if len(b) < 1 || b[0] != progressVersion {
		return p, fmt.Errorf("restore progress: %d bytes, unknown version", len(b))
	}
	if len(b) < progressFixed {
		return p, fmt.Errorf("restore progress: %d bytes, at least %d expected", len(b), progressFixed)
	}
	be := binary.BigEndian
	b = b[1+copy(p.topicID[:], b[1:]):]
	p.startedAt, p.next = int64(be.Uint64(b)), int64(be.Uint64(b[8:]))
	p.chunks = be.Uint32(b[16:])
	b = b[20:]
	for _, n := range [...]*int64{&p.records, &p.bytes, &p.seals, &p.unsealed} {
		*n, b = int64(be.Uint64(b)), b[8:]
	}
	if p.next < 0 || min(p.records, p.bytes, p.seals) < 0 || p.unsealed < -1 {
		return p, fmt.Errorf("restore progress: negative number")
	}
	if p.seal, err = decodeOptionalSeal(b); err != nil {
		return p, fmt.Errorf("restore progress: %w", err)
	}
	return p, nil
}
