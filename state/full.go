package state

import (
	"context"
	"fmt"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"golang.org/x/sync/errgroup"

	"tocsin/topics"
)

const (
	chunkRecords      = 500_000
	defaultChunkBytes = 64 << 20
)

// full restores a partition from the start of its changelog. Records are collected in chunks; a second goroutine sorts
// each, writes it as a table and ingests it while the next is collected. After every chunk the progress is written, so
// that an interrupted restore can go on: to read a stretch of the changelog twice does no harm, as records are full
// values and the last one wins.
type full struct {
	r     *Restore
	at    progress // of the records read
	data  []byte   // key prefix
	chunk *chunk
	work  chan filled
	free  chan *chunk
	quit  context.CancelFunc
	dead  <-chan struct{} // closed when the second goroutine has failed
	group *errgroup.Group
	ended bool
}

// filled is a chunk and the progress that holds once it is ingested.
type filled struct {
	chunk *chunk
	at    progress
}

func (r *Restore) startFull() error {
	at, resumed, err := r.l.loadProgress(&r.cfg)
	if err != nil {
		return err
	}
	if !resumed {
		at = progress{topicID: r.cfg.TopicID, startedAt: r.l.s.cfg.Now().UnixNano(), next: r.cfg.LogStart, unsealed: -1}
		if err := r.l.clear(&at); err != nil {
			return err
		}
	}
	r.next = at.next
	r.result = Result{Records: at.records, Bytes: at.bytes, Seals: at.seals, Resumed: resumed}
	f := &full{
		r: r, at: at, data: prefix(r.l.p, storeData),
		chunk: &chunk{}, work: make(chan filled), free: make(chan *chunk, 1),
	}
	f.free <- &chunk{}
	// The goroutine ends with the restore, in finish or abort.
	ctx, cancel := context.WithCancel(context.Background())
	f.group, ctx = errgroup.WithContext(ctx)
	f.quit, f.dead = cancel, ctx.Done()
	f.group.Go(f.ingest)
	r.impl = f
	return nil
}

// loadProgress reads the mark of an interrupted restore; ok says whether it can be resumed.
func (l *Lease) loadProgress(cfg *RestoreConfig) (at progress, ok bool, err error) {
	if err := l.begin(); err != nil {
		return at, false, err
	}
	defer l.s.exit()
	b, ok, err := l.s.get(prefix(l.p, storeProgress))
	if err != nil || !ok {
		return at, false, err
	}
	if at, err = decodeProgress(b); err != nil {
		l.s.cfg.Log.Warn("restore begins again", "partition", l.p.String(), "error", err)
		return at, false, nil
	}
	age := l.s.cfg.Now().Sub(time.Unix(0, at.startedAt))
	return at, at.chunks > 0 && at.topicID == cfg.TopicID && at.next >= cfg.LogStart && age <= cfg.ResumeWithin, nil
}

// clear empties the partition for a full restore. The mark takes the position's place, durably, before the first record
// is removed.
func (l *Lease) clear(at *progress) error {
	if err := l.begin(); err != nil {
		return err
	}
	defer l.s.exit()
	if err := l.mark(at); err != nil {
		return fmt.Errorf("mark restore: %w", err)
	}
	if err := l.s.db.Flush(); err != nil {
		return fmt.Errorf("mark restore: %w", err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended {
		return l.lost()
	}
	return l.s.excise(prefix(l.p, storeData), prefix(l.p, storeEnd))
}

// mark writes the progress, and that there is no position.
func (l *Lease) mark(at *progress) error {
	b := l.s.db.NewBatch()
	defer func() { _ = b.Close() }() // after Commit it has nothing left to fail at
	if err := b.Set(prefix(l.p, storeProgress), at.append(nil), nil); err != nil {
		return err
	}
	return l.commit(b, nil)
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
	f.chunk.add(f.data, rec.Key, rec.Value)
	if len(f.chunk.recs) >= chunkRecords || len(f.chunk.buf) >= f.r.cfg.ChunkBytes {
		return f.hand()
	}
	return nil
}

func (f *full) seal(rec ChangeRecord) error {
	s, err := topics.DecodeSeal(rec.Value)
	if err != nil {
		return f.foreign(rec.Offset, rec.Key, err.Error())
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

// hand gives the chunk to the second goroutine and takes an empty one.
func (f *full) hand() error {
	f.at.chunks++
	select {
	case f.work <- filled{f.chunk, f.at}:
		f.chunk = <-f.free
		return nil
	case <-f.dead:
		return f.wait()
	}
}

// ingest is the second goroutine.
func (f *full) ingest() error {
	for {
		select {
		case c, ok := <-f.work:
			if !ok {
				return nil
			}
			if err := f.ingestChunk(&c); err != nil {
				f.free <- c.chunk
				return err
			}
			f.free <- c.chunk
		case <-f.dead:
			return nil
		}
	}
}

func (f *full) ingestChunk(c *filled) error {
	l := f.r.l
	if err := l.begin(); err != nil {
		return err
	}
	defer l.s.exit()
	if err := l.ingest(c.chunk, c.at.chunks > 1); err != nil {
		return err
	}
	return l.mark(&c.at)
}

// locked calls fn while the lease holds and cannot end.
func (l *Lease) locked(fn func() error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended {
		return l.lost()
	}
	return fn()
}

// wait ends the second goroutine and returns its error.
func (f *full) wait() error {
	if !f.ended {
		f.ended = true
		close(f.work)
	}
	return f.group.Wait()
}

func (f *full) abort() {
	_ = f.wait() // whoever aborts has the error already, or does not want one
	f.quit()
	f.chunk = nil
}

func (f *full) finish(next int64) error {
	if f.at.unsealed >= 0 {
		return f.foreign(f.at.unsealed, nil, "no seal follows it")
	}
	if len(f.chunk.recs) > 0 {
		if err := f.hand(); err != nil {
			return err
		}
	}
	if err := f.wait(); err != nil {
		return err
	}
	l := f.r.l
	if f.r.result.Resumed { // an interrupted finish may have left some
		err := l.locked(func() error { return l.s.excise(prefix(l.p, storeTimers), prefix(l.p, storeEnd)) })
		if err != nil {
			return err
		}
	}
	sum, live, err := l.reindex(f.r.cfg.ChunkBytes)
	if err != nil {
		return err
	}
	f.r.result.Live, f.r.result.Seal = live, f.at.seal
	if sum != f.at.seal.Sum {
		return f.disagrees(sum, live)
	}
	b := l.s.db.NewBatch()
	defer func() { _ = b.Close() }() // after Commit it has nothing left to fail at
	if err := b.Delete(prefix(l.p, storeProgress), nil); err != nil {
		return err
	}
	return l.commit(b, l.positionAt(f.at.topicID, next, &f.at.seal))
}

// reindex reads the restored data: it adds up the hashes and writes the index entries of all heads.
func (l *Lease) reindex(chunkBytes int) (sum topics.Sum, live int64, err error) {
	var c chunk
	data := prefix(l.p, storeData)
	var key []byte
	err = l.s.iterate(data, prefix(l.p, storeData+1), func(k, value []byte) error {
		change := k[prefixLen:]
		sum.Add(topics.ChangeHash(change, value))
		live++
		groupKey, suffix, err := topics.SplitChangeKey(change)
		if err != nil {
			return fmt.Errorf("key %q: %w", change, err)
		}
		if suffix[0] != topics.PartHead {
			return nil
		}
		ix, err := l.s.cfg.HeadIndex(value)
		if err != nil {
			return fmt.Errorf("index of head: %w", err)
		}
		if ix.Due != 0 {
			key = appendTimerKey(key[:0], l.p, ix.Due, groupKey)
			c.add(nil, key, []byte{})
		}
		key = appendExpiryKey(key[:0], l.p, ix.LastWrite, groupKey)
		c.add(nil, key, []byte{})
		if len(c.buf) >= chunkBytes {
			return l.ingest(&c, false)
		}
		return nil
	})
	if err == nil && len(c.recs) > 0 {
		err = l.ingest(&c, false)
	}
	return sum, live, err
}

// disagrees tells what is wrong with the sum and sees to it that the next restore begins again. A single record that is
// too much is found by its hash.
func (f *full) disagrees(sum topics.Sum, live int64) error {
	l := f.r.l
	diff := sum
	diff.Sub(f.at.seal.Sum)
	var extra []byte
	err := l.s.iterate(prefix(l.p, storeData), prefix(l.p, storeData+1), func(k, value []byte) error {
		if topics.ChangeHash(k[prefixLen:], value) == diff {
			extra = append([]byte{}, k[prefixLen:]...)
			return errStop
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := l.s.db.Delete(prefix(l.p, storeProgress), pebble.Sync); err != nil {
		return err
	}
	if extra != nil {
		return f.foreign(-1, extra, fmt.Sprintf("without it the sum would be that of seal %d", f.at.seal.Sequence))
	}
	return &SumError{Partition: l.p, Sequence: f.at.seal.Sequence, Records: live}
}
