package state

import (
	"encoding/binary"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
)

// Info is what the store knows of a partition without reading its data.
type Info struct {
	Partition Partition
	Position  Position
	Complete  bool   // there is a position; otherwise a full restore has been interrupted, or it is damaged
	Damaged   bool   // it cannot be read, see ErrDamaged
	Since     int64  // wall clock, Unix ns: when it was last applied, or when the interrupted restore began
	Holder    string // of the lease; empty: nobody
	DiskBytes uint64 // estimate
}

// Partitions lists the partitions that have state here, in order.
func (s *Store) Partitions() ([]Info, error) {
	if err := s.enter(); err != nil {
		return nil, err
	}
	defer s.exit()
	var out []Info
	it, err := s.db.NewIter(&pebble.IterOptions{UpperBound: []byte{maxStage + 1}})
	if err != nil {
		return nil, fmt.Errorf("list partitions: %w", err)
	}
	for ok := it.First(); ok; { // one seek per partition
		key := it.Key()
		if len(key) < prefixLen {
			return nil, fmt.Errorf("list partitions: key %x is not one of ours", key)
		}
		p := Partition{Stage: key[0], ID: int32(binary.BigEndian.Uint32(key[1:]))}
		info, err := s.info(p)
		if err != nil {
			_ = it.Close() // the first error is the one that counts
			return nil, fmt.Errorf("partition %s: %w", p, err)
		}
		out = append(out, info)
		ok = it.SeekGE(prefix(p, 0xFF))
	}
	if err := it.Close(); err != nil {
		return nil, fmt.Errorf("list partitions: %w", err)
	}
	return out, nil
}

func (s *Store) info(p Partition) (info Info, err error) {
	info.Partition = p
	if err := s.read(&info); err != nil {
		if !corrupt(err) {
			return info, err
		}
		s.noteDamage(p, err)
	}
	if info.Damaged = s.damage(p) != nil; info.Damaged {
		info.Position, info.Complete = Position{}, false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if l := s.leases[p]; l != nil {
		info.Holder = l.holder
	}
	return info, nil
}

// read fills in what is on disk.
func (s *Store) read(info *Info) (err error) {
	p := info.Partition
	if info.Position, info.Complete, err = s.position(p); err != nil {
		return err
	}
	if info.Since = info.Position.AppliedAt; !info.Complete {
		at, _, err := s.progress(p)
		if err != nil {
			return err
		}
		info.Since = at.startedAt // or 0, as old as can be
	}
	if info.DiskBytes, err = s.db.EstimateDiskUsage(prefix(p, 0), prefix(p, 0xFF)); err != nil {
		return fmt.Errorf("estimate size: %w", err)
	}
	return nil
}

// Visit reads all records of a partition in key order, for inspection: change key (group key and part) and value, valid
// during the call only. It does not need the lease and sees one moment of the state.
func (s *Store) Visit(p Partition, fn func(changeKey, value []byte) error) error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.exit()
	return s.iterate(prefix(p, storeData), prefix(p, storeData+1), func(key, value []byte) error {
		return fn(key[prefixLen:], value)
	})
}
