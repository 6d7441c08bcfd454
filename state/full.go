package state

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"tocsin/topics"
)

const defaultChunkBytes = 32 << 20

// full restores a partition from the start of its changelog. Records are collected in chunks; a second goroutine sorts
// each and writes it to a run beside the database while the next is collected. In the end the runs are merged into
// tables that do not overlap, and these take the place of all the partition had, at once. After every run the progress
// is written, so that an interrupted restore can go on: to read a stretch of the changelog twice does no harm, as
// records are full values and the last one wins.
type full struct {
	r     *Restore
	at    progress // of the records read, without the runs
	chunk *filled
	pipe  *pipe[*filled]
	runs  []run        // written; of the second goroutine until the pipe is closed
	files atomic.Int64 // names given
}

// filled is a chunk and the progress that holds once it is in a run.
type filled struct {
	chunk chunk
	at    progress
}

func (r *Restore) startFull() error {
	if r.l.damaged.Load() {
		if err := r.l.wipe(); err != nil {
			return err
		}
	}
	at, resumed, err := r.l.resumable(&r.cfg)
	if err != nil {
		return err
	}
	if !resumed {
		old := at.runs
		at = progress{topicID: r.cfg.TopicID, startedAt: r.l.s.cfg.Now().UnixNano(), next: r.cfg.LogStart, unsealed: -1}
		if err := r.l.beginFull(&at, old); err != nil {
			return err
		}
	}
	r.next = at.next
	r.result = Result{Records: at.records, Bytes: at.bytes, Seals: at.seals, Resumed: resumed}
	f := &full{r: r, at: at, chunk: &filled{}, runs: at.runs}
	f.pipe = newPipe(&filled{}, f.write)
	r.impl = f
	return nil
}

// resumable reads the mark of an interrupted restore; ok says whether it can be gone on from.
func (l *Lease) resumable(cfg *RestoreConfig) (at progress, ok bool, err error) {
	if err := l.begin(); err != nil {
		return at, false, err
	}
	defer l.s.exit()
	at, ok, err = l.s.progress(l.p)
	if err != nil || !ok {
		return at, false, err
	}
	for _, r := range at.runs {
		if _, err := l.s.cfg.FS.Stat(l.s.path(r.name)); err != nil {
			return at, false, nil // lost with the page cache
		}
	}
	age := l.s.cfg.Now().Sub(time.Unix(0, at.startedAt))
	return at, len(at.runs) > 0 && at.topicID == cfg.TopicID && at.next >= cfg.LogStart && age <= cfg.ResumeWithin, nil
}

// beginFull lets the mark take the position's place.
func (l *Lease) beginFull(at *progress, old []run) error {
	if err := l.begin(); err != nil {
		return err
	}
	defer l.s.exit()
	if err := l.mark(at); err != nil {
		return fmt.Errorf("mark restore: %w", err)
	}
	l.s.at(PointMarked)
	l.s.removeRuns(old)
	return nil
}

func (f *full) add(rec ChangeRecord) error {
	f.at.next = rec.Offset + 1
	f.at.records, f.at.bytes = f.r.result.Records, f.r.result.Bytes
	if topics.IsSealKey(rec.Key) {
		return f.seal(rec)
	}
	if _, _, err := topics.SplitChangeKey(rec.Key); err != nil {
		return f.foreign(rec.Offset, rec.Key, err.Error())
	}
	if f.at.unsealed < 0 {
		f.at.unsealed = rec.Offset
	}
	f.chunk.chunk.add(rec.Key, rec.Value)
	if f.chunk.chunk.size() < f.r.cfg.ChunkBytes {
		f.chunk.chunk.grow(f.r.cfg.ChunkBytes)
		return nil
	}
	f.chunk.at = f.at
	var err error
	f.chunk, err = f.pipe.send(f.chunk)
	return err
}

func (f *full) seal(rec ChangeRecord) error {
	s, err := topics.DecodeSeal(rec.Value)
	if err != nil {
		return unreadSeal(rec.Offset, err, f.foreign(rec.Offset, rec.Key, err.Error()))
	}
	if why := follows(&f.at.seal, &s, f.r.l.p); why != "" {
		return f.foreign(rec.Offset, rec.Key, why)
	}
	f.at.seal, f.at.unsealed = s, -1
	f.at.seals++
	f.r.result.Seals++
	return nil
}

func (f *full) foreign(offset int64, key []byte, why string) error {
	return &ForeignRecordError{Partition: f.r.l.p, Offset: offset, Key: append([]byte(nil), key...), Why: why}
}

// fileName is a name that no other restore gives: not one before, as its files are gone or named in the progress, and
// not another holder's.
func (f *full) fileName() string {
	p := f.r.l.p
	return fmt.Sprintf("%s%d-%d-%d-%d-%d", runPrefix, p.Stage, p.ID, len(f.runs), f.r.l.epoch, f.files.Add(1))
}

// write is what the second goroutine does: a chunk becomes a run, and the progress says so.
func (f *full) write(c *filled) error {
	l := f.r.l
	if err := l.begin(); err != nil {
		return err
	}
	defer l.s.exit()
	if len(f.runs) == maxRuns {
		return errors.New("too many runs: restore with larger chunks")
	}
	c.chunk.sort()
	r, err := l.s.writeRun(f.fileName(), &c.chunk)
	if err != nil {
		return err
	}
	l.s.at(PointRun)
	c.chunk.reset()
	f.runs = append(f.runs, r)
	c.at.runs = f.runs
	if err := l.mark(&c.at); err != nil {
		return err
	}
	l.s.at(PointRunKept)
	return nil
}

func (f *full) abort() {
	_ = f.pipe.close() // whoever aborts has the error already, or does not want one
	f.chunk = nil
}

func (f *full) finish(next int64) error {
	if f.at.unsealed >= 0 {
		return f.foreign(f.at.unsealed, nil, "no seal follows it")
	}
	if err := f.pipe.close(); err != nil {
		return err
	}
	f.chunk.chunk.sort()
	l := f.r.l
	m := newMerger(f)
	err := f.merge(m.add)
	tables, tableErr := m.finish()
	defer func() { l.s.removeRuns(m.leftOver()) }()
	if err := errors.Join(err, tableErr); err != nil {
		return f.failed(err)
	}
	f.r.result.Live, f.r.result.Seal = m.live, f.at.seal
	if m.sum != f.at.seal.Sum {
		return f.failed(f.disagrees(m.sum, m.live))
	}
	if m.unread != nil {
		return m.unread // the runs stay: a build that reads it goes on from them
	}
	l.s.at(PointMerged)
	if err := l.replace(tables, m.indexes); err != nil {
		return err
	}
	l.s.at(PointReplaced)
	b := l.s.db.NewBatch()
	defer func() { _ = b.Close() }() // after Commit it has nothing left to fail at
	if err := b.Delete(prefix(l.p, storeProgress), nil); err != nil {
		return err
	}
	if err := l.commit(b, l.positionAt(f.at.topicID, next, &f.at.seal)); err != nil {
		return err
	}
	l.s.at(PointFull)
	l.s.removeRuns(f.runs)
	return nil
}

// merge visits the newest record of every key, in key order.
func (f *full) merge(fn func(key, value []byte) error) (err error) {
	sources := make([]source, 0, len(f.runs)+1)
	defer func() {
		for _, s := range sources {
			err = errors.Join(err, s.close())
		}
	}()
	for _, r := range f.runs {
		s, err := f.r.l.s.openRun(r)
		if err != nil {
			return err
		}
		sources = append(sources, s)
	}
	return merge(append(sources, &chunkSource{chunk: &f.chunk.chunk}), fn)
}

// failed sees to it that the next restore begins again where going on would lead to the same error.
func (f *full) failed(err error) error {
	var foreign *ForeignRecordError
	var sum *SumError
	if !errors.As(err, &foreign) && !errors.As(err, &sum) && !errors.Is(err, errRunDamaged) {
		return err
	}
	if e := f.r.l.unmark(); e != nil {
		return errors.Join(err, e)
	}
	f.r.l.s.removeRuns(f.runs)
	return err
}

// disagrees tells what is wrong with the sum. A single record that is too much is found by its hash.
func (f *full) disagrees(sum topics.Sum, live int64) error {
	diff := sum
	diff.Sub(f.at.seal.Sum)
	var extra []byte
	err := f.merge(func(key, value []byte) error {
		if value != nil && topics.ChangeHash(key, value) == diff {
			extra = append([]byte{}, key...)
		}
		return nil
	})
	switch {
	case err != nil:
		return err
	case extra != nil:
		return f.foreign(-1, extra, fmt.Sprintf("without it the sum would be that of seal %d", f.at.seal.Sequence))
	}
	return &SumError{Partition: f.r.l.p, Sequence: f.at.seal.Sequence, Records: live}
}
