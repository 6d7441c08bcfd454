package state

import (
	"errors"
	"fmt"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"tocsin/state/window"
	"tocsin/topics"
)

const (
	tailBatchBytes = 4 << 20  // a verified stretch of this size is written
	tailBoundBytes = 64 << 20 // a stretch that cannot be verified must not grow beyond this
	tailSuspects   = 100_000  // records since the last verified seal that can be named when something is wrong
)

// ChooseMode says how the partition can be restored: Tail, or Full and why. maxAge is half of the changelog's
// delete.retention.ms: an older state may have missed tombstones that are gone by now.
func (l *Lease) ChooseMode(topicID [16]byte, logStart int64, maxAge time.Duration) (mode Mode, why string) {
	pos, ok, err := l.Position()
	age := l.s.cfg.Now().Sub(time.Unix(0, pos.AppliedAt))
	switch {
	case err != nil:
		return Full, err.Error()
	case !ok:
		return Full, "there is no state of it here"
	case pos.ChangelogTopicID != topicID:
		return Full, "the changelog topic has been created anew"
	case pos.ChangelogNext < logStart:
		return Full, fmt.Sprintf("the changelog begins at offset %d, the state ends at %d", logStart, pos.ChangelogNext)
	case age > maxAge:
		return Full, fmt.Sprintf("the state is %s old, tombstones are kept for twice %s", age.Round(time.Second), maxAge)
	}
	return Tail, ""
}

// tail applies the changelog from the stored position on. Records are collected in an overlay and written at a seal
// whose sum agrees with what the partition then holds, so that the stored state is always that of a seal.
//
// The rolling hash chains transactions of contiguous sequence. Compaction may have taken records, and whole seals, out
// of the stretch that is read; then the rolling hash cannot agree, and the sum at a later seal decides: what was taken
// out has been overwritten by then. A rolling hash that does not agree although no offset is missing is an alteration.
type tail struct {
	r       *Restore
	last    topics.Seal // the last seal read
	end     int64       // its offset
	first   bool        // no seal read yet: end may lie before control records
	overlay map[string]*overlaid
	bytes   int // of the overlay
	sum     topics.Sum
	rolling topics.Rolling
	group   int   // records since the last seal read
	groupAt int64 // offset of the first of them

	verified bool      // the sum at last agrees: the overlay up to it is an exact state
	suspects []suspect // records since the last verified seal
	from     int64     // offset of the first of them
}

// overlaid is the newest value of a key, and what the database has under it.
type overlaid struct {
	value  []byte // nil: removed
	hash   [32]byte
	had    bool // the database has a value
	head   bool
	old    window.Index // of the head in the database
	bytes  int
	suffix int // length of the part suffix
}

// suspect is what one record added to the sum.
type suspect struct {
	offset int64
	delta  topics.Sum
}

func (r *Restore) startTail() error {
	pos, ok, err := r.l.Position()
	switch {
	case err != nil:
		return err
	case !ok:
		return errors.New("there is no position to go on from: restore in full")
	case pos.ChangelogTopicID != r.cfg.TopicID:
		return errors.New("the position is of another changelog topic: restore in full")
	case pos.ChangelogNext < r.cfg.LogStart:
		return fmt.Errorf("position %d is below the changelog's start %d: restore in full", pos.ChangelogNext, r.cfg.LogStart)
	}
	r.next = pos.ChangelogNext
	t := &tail{r: r, last: pos.Seal, end: pos.ChangelogNext - 1, first: true, verified: true, sum: pos.Seal.Sum}
	t.overlay = make(map[string]*overlaid)
	t.rolling.Reset(pos.Seal.Rolling)
	r.impl = t
	return nil
}

func (t *tail) add(rec ChangeRecord) error {
	if topics.IsSealKey(rec.Key) {
		return t.seal(rec)
	}
	_, suffix, err := topics.SplitChangeKey(rec.Key)
	if err != nil {
		return t.foreign(rec.Offset, rec.Key, err.Error())
	}
	if t.group == 0 {
		t.groupAt = rec.Offset
	}
	if len(t.suspects) == 0 {
		t.from = rec.Offset
	}
	t.group++
	t.rolling.Add(rec.Key, rec.Value)
	delta, err := t.put(rec, suffix)
	if err != nil {
		return err
	}
	if len(t.suspects) < tailSuspects {
		t.suspects = append(t.suspects, suspect{rec.Offset, delta})
	}
	if t.bytes > tailBoundBytes {
		return ErrTailTooLong
	}
	return nil
}

// put brings the record into the overlay and tells what it changes in the sum.
func (t *tail) put(rec ChangeRecord, suffix []byte) (delta topics.Sum, err error) {
	o := t.overlay[string(rec.Key)]
	if o == nil {
		if o, err = t.load(rec.Key, suffix); err != nil {
			return delta, err
		}
		t.overlay[string(rec.Key)] = o
	} else {
		t.bytes -= o.bytes
	}
	if o.value != nil {
		delta.Sub(o.hash)
	}
	o.value = nil
	if rec.Value != nil {
		o.value = append([]byte{}, rec.Value...)
		o.hash = topics.ChangeHash(rec.Key, rec.Value)
		delta.Add(o.hash)
	}
	t.sum.Add([32]byte(delta))
	o.bytes = len(rec.Key) + len(rec.Value) + 200 // about what the overlay needs beside it
	t.bytes += o.bytes
	return delta, nil
}

// load begins an overlay entry with what the database has.
func (t *tail) load(key, suffix []byte) (*overlaid, error) {
	s, p := t.r.l.s, t.r.l.p
	o := &overlaid{suffix: len(suffix), head: len(suffix) == 1 && suffix[0] == topics.PartHead}
	value, ok, err := s.get(append(prefix(p, storeData), key...))
	if err != nil {
		return nil, err
	}
	if !ok {
		return o, nil
	}
	o.had, o.value, o.hash = true, value, topics.ChangeHash(key, value)
	if o.head {
		if o.old, err = s.cfg.HeadIndex(value); err != nil {
			return nil, fmt.Errorf("index of stored head: %w", err)
		}
	}
	return o, nil
}

// seal judges the records since the last seal.
func (t *tail) seal(rec ChangeRecord) error {
	s, err := topics.DecodeSeal(rec.Value)
	if err != nil {
		return unreadSeal(rec.Offset, err, t.foreign(rec.Offset, rec.Key, err.Error()))
	}
	if why := follows(&t.last, &s, t.r.l.p); why != "" {
		return t.foreign(rec.Offset, rec.Key, why)
	}
	contiguous := s.Sequence == t.last.Sequence+1
	chained := contiguous && t.rolling.Sum() == s.Rolling
	agrees := t.sum == s.Sum
	switch {
	case contiguous && !chained && t.complete(rec.Offset):
		return t.name(&s, rec.Offset, t.groupAt, "the rolling hash of its transaction does not agree")
	case chained && t.verified && !agrees:
		return fmt.Errorf("%w: at seal %d the changes agree, the sum does not", ErrDamaged, s.Sequence)
	}
	t.r.result.Seals++
	if chained {
		t.r.result.Verified++
	}
	t.last, t.end, t.first, t.group = s, rec.Offset, false, 0
	t.rolling.Reset(s.Rolling)
	if t.verified = agrees; !agrees {
		return nil
	}
	t.suspects = t.suspects[:0]
	if t.bytes < tailBatchBytes {
		return nil
	}
	return t.write(rec.Offset + 1)
}

// unreadSeal tells a seal that takes another build from a record that is no seal.
func unreadSeal(offset int64, err, foreign error) error {
	var format *topics.FormatError
	if errors.As(err, &format) {
		return fmt.Errorf("changelog offset %d: %w", offset, err)
	}
	return foreign
}

// follows says why s cannot come after last; empty if it can.
func follows(last, s *topics.Seal, p Partition) string {
	switch {
	case s.Partition != p.ID:
		return fmt.Sprintf("it seals partition %d", s.Partition)
	case s.Sequence <= last.Sequence:
		return fmt.Sprintf("seal %d comes after seal %d", s.Sequence, last.Sequence)
	case last.Sequence != 0 && s.InputTopicID != last.InputTopicID:
		return "it seals another input topic"
	}
	return ""
}

// complete says that no record can be missing between the last seal and one at offset: what lies between is the records
// read and the marker that ended the transaction before. Right after a position the marker may have been passed.
func (t *tail) complete(offset int64) bool {
	missing := offset - t.end - 1 - int64(t.group)
	return missing == 0 || missing == 1 && !t.first
}

// name finds the record that should not be there: the one that makes up the difference between the sum stated and the
// sum found. Where there is no difference, it has been overwritten since, and cannot be told from the others.
func (t *tail) name(s *topics.Seal, offset, from int64, why string) error {
	diff := t.sum
	diff.Sub(s.Sum)
	var found []int64
	for _, x := range t.suspects {
		if x.delta == diff && diff != (topics.Sum{}) && x.offset >= from {
			found = append(found, x.offset)
		}
	}
	if len(found) == 1 {
		return t.foreign(found[0], nil, why)
	}
	return t.foreign(from, nil, fmt.Sprintf("%s (somewhere up to the seal at offset %d)", why, offset))
}

func (t *tail) foreign(offset int64, key []byte, why string) error {
	return &ForeignRecordError{Partition: t.r.l.p, Offset: offset, Key: append([]byte(nil), key...), Why: why}
}

func (t *tail) finish(next int64) error {
	if t.group > 0 {
		return t.foreign(t.groupAt, nil, "no seal follows it")
	}
	if !t.verified {
		return t.name(&t.last, t.end, t.from, fmt.Sprintf("the sum at seal %d does not agree", t.last.Sequence))
	}
	t.r.result.Seal = t.last
	return t.write(next)
}

// save writes what ends with a verified seal, if there is anything new or what is stored grows old.
func (t *tail) save() error {
	pos, _, err := t.r.l.Position()
	if err != nil {
		return err
	}
	age := t.r.l.s.cfg.Now().Sub(time.Unix(0, pos.AppliedAt))
	if t.group > 0 || !t.verified || pos.Seal.Sequence == t.last.Sequence && age < time.Hour {
		return nil
	}
	return t.write(t.end + 1)
}

// write writes the overlay, which is the exact state at the last seal, and the position in one batch.
func (t *tail) write(next int64) error {
	s, l := t.r.l.s, t.r.l
	for k, o := range t.overlay { // not before: what no seal has proven may be a foreign record
		if o.value == nil {
			continue
		}
		if err := s.cfg.CheckFormat(o.value); err != nil {
			return fmt.Errorf("value of key %q: %w", k, err)
		}
	}
	b := s.db.NewBatch()
	defer func() { _ = b.Close() }() // after Commit it has nothing left to fail at
	x := indexer{batch: b, p: l.p}
	var key []byte
	for k, o := range t.overlay {
		key = append(appendPrefix(key[:0], l.p, storeData), k...)
		var err error
		switch {
		case o.value != nil:
			err = b.Set(key, o.value, nil)
		case o.had:
			err = b.Delete(key, nil)
		}
		if err != nil {
			return err
		}
		if !o.head {
			continue
		}
		var now window.Index
		if o.value != nil {
			if now, err = s.cfg.HeadIndex(o.value); err != nil {
				return fmt.Errorf("index of head: %w", err)
			}
		}
		groupKey := key[prefixLen : len(key)-o.suffix]
		if err := x.move(groupKey, o.old, o.had, now, o.value != nil); err != nil {
			return err
		}
	}
	clear(t.overlay)
	t.bytes = 0
	s.at(PointTail)
	if err := l.commit(b, l.positionAt(t.r.cfg.TopicID, next, &t.last)); err != nil {
		return err
	}
	s.at(PointTailDone)
	return nil
}

func (t *tail) abort() { t.overlay = nil }

// positionAt is the position after this seal, now.
func (l *Lease) positionAt(topicID [16]byte, next int64, seal *topics.Seal) *Position {
	return &Position{ChangelogTopicID: topicID, ChangelogNext: next, AppliedAt: l.s.cfg.Now().UnixNano(), Seal: *seal}
}

// commit writes a restore's batch together with the new position (nil: there is none until the restore has ended),
// while the lease holds.
func (l *Lease) commit(b *pebble.Batch, pos *Position) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended {
		return l.lost()
	}
	var err error
	if pos != nil {
		err = b.Set(prefix(l.p, storePosition), pos.encode(), nil)
	} else {
		err = b.Delete(prefix(l.p, storePosition), nil)
	}
	if err != nil {
		return err
	}
	l.s.dirty.Store(true)
	if err := b.Commit(pebble.Sync); err != nil {
		return err
	}
	if l.hasPos = pos != nil; l.hasPos {
		l.pos = *pos
	} else {
		l.pos = Position{}
	}
	return nil
}
