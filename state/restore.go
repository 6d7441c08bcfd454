package state

import (
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tocsin/topics"
)

// Mode is the way of a restore.
type Mode uint8

const (
	// Tail reads on from the stored position. It needs one, from the same changelog topic, that is not below the log's
	// start and not older than half of the topic's delete.retention.ms (tombstones may be gone after that).
	Tail Mode = iota
	// Full empties the partition and reads the changelog from its start.
	Full
)

func (m Mode) String() string {
	if m == Full {
		return "full"
	}
	return "tail"
}

// RestoreConfig says what is restored from.
type RestoreConfig struct {
	Mode     Mode
	TopicID  [16]byte // of the changelog
	LogStart int64    // first offset that the changelog still has
	// ResumeWithin is how old an interrupted full restore may be to be resumed rather than begun again; it must be well
	// below the changelog's delete.retention.ms. 0 is one hour.
	ResumeWithin time.Duration
	// ChunkBytes is how much a full restore sorts in memory at a time, twice: while one chunk is sorted and written, the
	// next is collected. 0 is 32 MiB.
	ChunkBytes int
}

// ChangeRecord is a record of the changelog; a nil Value is a tombstone.
type ChangeRecord struct {
	Offset int64
	Key    []byte
	Value  []byte
}

// Result tells what a restore did.
type Result struct {
	Records int64 // read, seals included; of a resumed restore also those read before the interruption
	Bytes   int64 // of their keys and values
	Live    int64 // full only: live records in the end
	Resumed bool  // full only: went on after an interruption
	// Seals counts the seals seen, Verified those whose rolling hash was checked; the others had lost records to
	// compaction before them. The sum of the last seal is checked in every case.
	Seals    int64
	Verified int64
	Seal     topics.Seal // the last one; Sequence 0: the changelog is empty
}

// Restore brings one partition up to date. Feed it the committed records of the changelog from [Restore.From] on, in
// order and up to the high watermark, then call Finish, or Abort. It is for one goroutine.
type Restore struct {
	l       *Lease
	cfg     RestoreConfig
	impl    restorer
	next    int64 // lowest offset that Add takes
	result  Result
	count   prometheus.Counter
	done    bool
	lastErr error
}

// restorer is the part of a restore that depends on the mode.
type restorer interface {
	add(ChangeRecord) error
	finish(next int64) error
	abort()
}

// Restore begins a restore of the partition. Until it has ended there are no stages for it, and no other restore.
func (l *Lease) Restore(cfg RestoreConfig) (*Restore, error) {
	if cfg.ResumeWithin <= 0 {
		cfg.ResumeWithin = time.Hour
	}
	if cfg.ChunkBytes <= 0 {
		cfg.ChunkBytes = defaultChunkBytes
	}
	if l.s.cfg.ReadOnly {
		return nil, errors.New("restore: the store is open for reading only")
	}
	if err := l.startRestoring(); err != nil {
		return nil, fmt.Errorf("restore: %w", err)
	}
	r := &Restore{l: l, cfg: cfg, count: l.s.metrics.restored.WithLabelValues(cfg.Mode.String())}
	var err error
	if cfg.Mode == Full {
		err = r.startFull()
	} else {
		err = r.startTail()
	}
	if err != nil {
		l.stopRestoring()
		return nil, fmt.Errorf("restore partition %s: %w", l.p, l.checked(err))
	}
	return r, nil
}

func (l *Lease) startRestoring() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.ended:
		return l.lost()
	case l.restoring:
		return fmt.Errorf("partition %s is being restored already", l.p)
	}
	l.restoring = true
	l.known.forget()
	return nil
}

func (l *Lease) stopRestoring() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.restoring = false
}

// Progress is the result so far.
func (r *Restore) Progress() Result { return r.result }

// From is the changelog offset to read from.
func (r *Restore) From() int64 { return r.next }

// Add takes the next record. It keeps nothing of it. After an error the restore is over: call Abort.
func (r *Restore) Add(rec ChangeRecord) error {
	if err := r.usable(); err != nil {
		return err
	}
	if rec.Offset < r.next {
		return r.fail(fmt.Errorf("offset %d after %d", rec.Offset, r.next-1))
	}
	if err := r.l.s.enter(); err != nil {
		return r.fail(err)
	}
	defer r.l.s.exit()
	r.next = rec.Offset + 1
	r.count.Inc()
	r.result.Records++
	r.result.Bytes += int64(len(rec.Key) + len(rec.Value))
	if err := r.impl.add(rec); err != nil {
		return r.fail(err)
	}
	return nil
}

// Save writes what a tail restore has read and verified up to its last seal, and lets it go on: a restore that is never
// finished but saved follows a changelog. What does not end with a seal that agrees is left for a later call. A quiet
// partition is written down as up to date once an hour.
func (r *Restore) Save() error {
	if err := r.usable(); err != nil {
		return err
	}
	t, ok := r.impl.(*tail)
	if !ok {
		return r.fail(errors.New("save: only a tail can be followed"))
	}
	if err := r.l.s.enter(); err != nil {
		return r.fail(err)
	}
	defer r.l.s.exit()
	if err := t.save(); err != nil {
		return r.fail(err)
	}
	return nil
}

// Finish ends the restore. next is the position of the reader: the offset after everything it has seen, control records
// included. Only when it returns without error is the partition restored; what a failed tail restore leaves is an exact
// state at an earlier seal.
func (r *Restore) Finish(next int64) (Result, error) {
	if err := r.usable(); err != nil {
		return r.result, err
	}
	if next < r.next {
		return r.result, r.fail(fmt.Errorf("position %d, but offset %d was read", next, r.next-1))
	}
	if err := r.l.s.enter(); err != nil {
		return r.result, r.fail(err)
	}
	defer r.l.s.exit()
	if err := r.impl.finish(next); err != nil {
		return r.result, r.fail(err)
	}
	r.Abort()
	return r.result, nil
}

// Abort ends the restore where it is. After Finish it does nothing.
func (r *Restore) Abort() {
	if r.done {
		return
	}
	r.done = true
	r.impl.abort()
	r.l.stopRestoring()
}

func (r *Restore) usable() error {
	switch {
	case r.lastErr != nil:
		return r.lastErr
	case r.done:
		return errors.New("restore: it has ended")
	}
	return r.l.live()
}

func (r *Restore) fail(err error) error {
	err = r.l.checked(err)
	if errors.Is(err, ErrDamaged) {
		r.l.s.noteDamage(r.l.p, err)
	}
	r.lastErr = fmt.Errorf("restore partition %s (%s): %w", r.l.p, r.cfg.Mode, err)
	return r.lastErr
}
