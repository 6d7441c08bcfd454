package state

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"github.com/cockroachdb/pebble/v2"

	"tocsin/topics"
)

// progress marks a full restore that has not ended. As long as it exists the partition has no position: what is in the
// database is of another time, and what was read since lies in runs beside it.
type progress struct {
	topicID   [16]byte
	startedAt int64       // wall clock, Unix ns
	next      int64       // changelog offset to go on from
	records   int64       // read so far
	bytes     int64       // of their keys and values
	seals     int64       // among them
	unsealed  int64       // offset of the first record after the last seal; -1: none
	runs      []run       // oldest first
	seal      topics.Seal // the last one read; Sequence 0: none
}

const (
	progressVersion = 1
	progressFixed   = 1 + 16 + 6*8 + 2
	maxRuns         = 1<<16 - 1
)

func (p *progress) encode() []byte {
	be := binary.BigEndian
	dst := []byte{progressVersion}
	dst = append(dst, p.topicID[:]...)
	for _, n := range [...]int64{p.startedAt, p.next, p.records, p.bytes, p.seals, p.unsealed} {
		dst = be.AppendUint64(dst, uint64(n))
	}
	dst = be.AppendUint16(dst, uint16(len(p.runs)))
	for _, r := range p.runs {
		dst = append(append(dst, byte(len(r.name))), r.name...)
		dst = be.AppendUint64(dst, r.records)
		dst = be.AppendUint32(dst, r.crc)
	}
	return appendOptionalSeal(dst, &p.seal)
}

var errProgressShort = errors.New("restore progress: cut off")

func decodeProgress(b []byte) (p progress, err error) {
	if len(b) < 1 || b[0] != progressVersion {
		return p, fmt.Errorf("restore progress: %d bytes, unknown version", len(b))
	}
	if len(b) < progressFixed {
		return p, errProgressShort
	}
	be := binary.BigEndian
	b = b[1+copy(p.topicID[:], b[1:]):]
	for _, n := range [...]*int64{&p.startedAt, &p.next, &p.records, &p.bytes, &p.seals, &p.unsealed} {
		*n, b = int64(be.Uint64(b)), b[8:]
	}
	if p.next < 0 || min(p.records, p.bytes, p.seals) < 0 || p.unsealed < -1 {
		return p, errors.New("restore progress: negative number")
	}
	n := be.Uint16(b)
	b = b[2:]
	for range n {
		if len(b) < 1 {
			return p, errProgressShort
		}
		length := int(b[0]) // a byte and one is a byte
		if len(b) < 1+length+12 {
			return p, errProgressShort
		}
		var r run
		r.name, b = string(b[1:1+length]), b[1+length:]
		if !strings.HasPrefix(r.name, runPrefix) || strings.ContainsAny(r.name, `/\`) {
			return p, fmt.Errorf("restore progress: run %q is not one of ours", r.name)
		}
		r.records, r.crc, b = be.Uint64(b), be.Uint32(b[8:]), b[12:]
		p.runs = append(p.runs, r)
	}
	if p.seal, err = decodeOptionalSeal(b); err != nil {
		return p, fmt.Errorf("restore progress: %w", err)
	}
	return p, nil
}

// progress reads the mark of a full restore that has not ended; ok is false where there is none that can be read.
func (s *Store) progress(p Partition) (at progress, ok bool, err error) {
	b, ok, err := s.get(prefix(p, storeProgress))
	if err != nil || !ok {
		return at, false, err
	}
	if at, err = decodeProgress(b); err != nil {
		s.cfg.Log.Warn("full restore has to begin again", "partition", p.String(), "error", err)
		return at, false, nil
	}
	return at, true, nil
}

// mark writes the progress, and that there is no position.
func (l *Lease) mark(at *progress) error {
	b := l.s.db.NewBatch()
	defer func() { _ = b.Close() }() // after Commit it has nothing left to fail at
	if err := b.Set(prefix(l.p, storeProgress), at.encode(), nil); err != nil {
		return err
	}
	return l.commit(b, nil)
}

// unmark forgets a full restore, so that the next one begins again.
func (l *Lease) unmark() error {
	return l.locked(func() error { return l.s.db.Delete(prefix(l.p, storeProgress), pebble.Sync) })
}

// removeRuns removes the files of runs that are not needed any more. What cannot be removed now is when the store is
// opened again.
func (s *Store) removeRuns(runs []run) {
	for _, r := range runs {
		if err := s.cfg.FS.Remove(s.path(r.name)); err != nil {
			s.cfg.Log.Warn("run of a restore is not removed", "file", r.name, "error", err)
		}
	}
}

// removeOrphans removes what interrupted restores have left, but for the runs that can be resumed from.
func (s *Store) removeOrphans() error {
	names, err := s.cfg.FS.List(s.cfg.Dir)
	if err != nil {
		return fmt.Errorf("list folder: %w", err)
	}
	infos, err := s.Partitions()
	if err != nil {
		return err
	}
	keep := map[string]bool{}
	for _, i := range infos {
		at, _, err := s.progress(i.Partition)
		if err != nil && !corrupt(err) {
			return err
		}
		for _, r := range at.runs {
			keep[r.name] = true
		}
	}
	for _, name := range names {
		if strings.HasPrefix(name, runPrefix) && !keep[name] {
			if err := s.cfg.FS.Remove(s.path(name)); err != nil {
				return fmt.Errorf("remove what a restore has left: %w", err)
			}
		}
	}
	return nil
}
