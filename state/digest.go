package state

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"

	"tocsin/state/window"
	"tocsin/topics"
)

// Digest is a fingerprint of what a partition remembers.
type Digest struct {
	Hash    [32]byte
	Keys    int64 // live group keys
	Records int64 // their records
}

// Digest reads all records of the group keys whose head is live (nil: all that have a head), in key order:
//
//	SHA-256(for each record: uvarint len(key) ‖ key ‖ uvarint len(value) ‖ value)
//
// with the values in their canonical format. It does not depend on how the state came about: applied, restored or
// replayed from the input, by a build that writes this format or that, the same live state has the same digest.
func (s *Store) Digest(p Partition, live func(window.Index) bool) (Digest, error) {
	d := digester{hash: sha256.New(), live: live, index: s.cfg.HeadIndex, canonical: s.cfg.Canonical}
	if err := s.Visit(p, d.add); err != nil {
		return Digest{}, fmt.Errorf("digest partition %s: %w", p, err)
	}
	d.out.Hash = [32]byte(d.hash.Sum(nil))
	return d.out, nil
}

type digester struct {
	hash      hash.Hash
	live      func(window.Index) bool
	index     func([]byte) (window.Index, error)
	canonical func(suffix, value []byte) ([]byte, error)
	key       []byte // group key of the last head
	in        bool   // it is live
	buf       []byte
	out       Digest
}

func (d *digester) add(changeKey, value []byte) error {
	groupKey, suffix, err := topics.SplitChangeKey(changeKey)
	if err != nil {
		return err
	}
	if suffix[0] == topics.PartHead { // the head is the first of its key's parts
		ix, err := d.index(value)
		if err != nil {
			return fmt.Errorf("index of head: %w", err)
		}
		d.key = append(d.key[:0], groupKey...)
		if d.in = d.live == nil || d.live(ix); d.in {
			d.out.Keys++
		}
	}
	if !d.in || !bytes.Equal(groupKey, d.key) {
		return nil
	}
	if value, err = d.canonical(suffix, value); err != nil {
		return fmt.Errorf("value of key %q: %w", changeKey, err)
	}
	d.out.Records++
	d.buf = binary.AppendUvarint(d.buf[:0], uint64(len(changeKey)))
	d.buf = append(d.buf, changeKey...)
	d.buf = binary.AppendUvarint(d.buf, uint64(len(value)))
	d.hash.Write(append(d.buf, value...))
	return nil
}

// Verify reads all records of a partition and compares their sum with that of the last seal applied, and the indexes
// with the heads. The partition must not be applied to meanwhile.
func (s *Store) Verify(p Partition) error {
	var sum topics.Sum
	want := map[string]bool{}
	err := s.Visit(p, func(changeKey, value []byte) error {
		sum.Add(topics.ChangeHash(changeKey, value))
		groupKey, suffix, err := topics.SplitChangeKey(changeKey)
		if err != nil || suffix[0] != topics.PartHead {
			return err
		}
		ix, err := s.cfg.HeadIndex(value)
		if err != nil {
			return fmt.Errorf("index of head: %w", err)
		}
		if ix.Due != 0 {
			want[string(appendTimerKey(nil, p, ix.Due, groupKey))] = true
		}
		want[string(appendExpiryKey(nil, p, ix.LastWrite, groupKey))] = true
		return nil
	})
	if err == nil {
		err = s.verify(p, sum, want)
	}
	if err != nil {
		return fmt.Errorf("verify partition %s: %w", p, err)
	}
	return nil
}

func (s *Store) verify(p Partition, sum topics.Sum, want map[string]bool) error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.exit()
	pos, ok, err := s.position(p)
	switch {
	case err != nil:
		return err
	case !ok:
		return errors.New("no position: a full restore has been interrupted, or there is no state")
	case sum != pos.Seal.Sum:
		return fmt.Errorf("%w (sum %s, seal %d states %s)", ErrDamaged, sum, pos.Seal.Sequence, pos.Seal.Sum)
	}
	err = s.iterate(prefix(p, storeTimers), prefix(p, storeEnd), func(key, _ []byte) error {
		if !want[string(key)] {
			return fmt.Errorf("%w (index entry %x has no head)", ErrDamaged, key)
		}
		delete(want, string(key))
		return nil
	})
	if err == nil && len(want) > 0 {
		err = fmt.Errorf("%w (%d index entries are missing)", ErrDamaged, len(want))
	}
	return err
}
