package state

import (
	"encoding/binary"
	"fmt"

	"tocsin/topics"
)

// Position says up to where a partition's changelog has been applied. It is written in the batch that holds the data.
type Position struct {
	ChangelogTopicID [16]byte
	ChangelogNext    int64       // first changelog offset that has not been applied
	AppliedAt        int64       // wall clock, Unix ns; only to judge how old the state is
	Seal             topics.Seal // the last seal applied; Sequence 0: the changelog was empty
}

// ChangelogPosition is a place in a changelog.
type ChangelogPosition struct {
	TopicID [16]byte
	Next    int64
}

const positionVersion = 1

func (p *Position) encode() []byte {
	be := binary.BigEndian
	dst := []byte{positionVersion}
	dst = append(dst, p.ChangelogTopicID[:]...)
	dst = be.AppendUint64(dst, uint64(p.ChangelogNext))
	dst = be.AppendUint64(dst, uint64(p.AppliedAt))
	return appendOptionalSeal(dst, &p.Seal)
}

func decodePosition(b []byte) (p Position, err error) {
	if len(b) < 1 || b[0] != positionVersion {
		return p, fmt.Errorf("position: %d bytes, unknown version", len(b))
	}
	if b = b[1:]; len(b) < 32 {
		return p, fmt.Errorf("position: %d bytes, at least 33 expected", len(b)+1)
	}
	copy(p.ChangelogTopicID[:], b)
	p.ChangelogNext = int64(binary.BigEndian.Uint64(b[16:]))
	p.AppliedAt = int64(binary.BigEndian.Uint64(b[24:]))
	if p.ChangelogNext < 0 {
		return p, fmt.Errorf("position: changelog offset %d", p.ChangelogNext)
	}
	if p.Seal, err = decodeOptionalSeal(b[32:]); err != nil {
		return p, fmt.Errorf("position: %w", err)
	}
	return p, nil
}

// appendOptionalSeal appends a seal, or nothing for the zero one.
func appendOptionalSeal(dst []byte, s *topics.Seal) []byte {
	if s.Sequence == 0 {
		return dst
	}
	return s.Append(dst)
}

func decodeOptionalSeal(b []byte) (topics.Seal, error) {
	if len(b) == 0 {
		return topics.Seal{}, nil
	}
	return topics.DecodeSeal(b)
}
