package processor

import (
	"context"
	"errors"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"tocsin/state"
	"tocsin/topics"
)

// chunkRecords are prepared at once: few enough for what is prepared to stay in a core's cache until it is judged.
const chunkRecords = 256

// batch is what a worker has in its hands: records polled and not judged, and the transaction that is open. It
// belongs to the worker's goroutine.
type batch struct {
	proc    *Processor
	pending []pending
	judged  [][]*kgo.Record // of the open transaction, with dead letters among them; recycled at its end
	touched []*partition    // in the open transaction
	stopped []*partition    // stopped since the last transaction ended; their leases are released at its end
	taken   int             // input records in the open transaction
	started time.Time       // of the open transaction: when its first records were polled
	restart string          // why the client must be replaced after the transaction; "" for not
	out     output

	preparer *lookahead
}

// begin prepares for a new client.
func (b *batch) begin(p *Processor, s *session) {
	if b.preparer == nil {
		b.preparer = new(lookahead)
	}
	*b = batch{proc: p, preparer: b.preparer}
	b.out = output{session: s, topics: p.config.Topics, limit: p.deadLetterMax}
}

// judge takes pending records, in offset order per partition, until none are left or the transaction is full. full:
// it must end before the next record is taken.
func (w *worker) judge(ctx context.Context, s *session) (full bool, err error) {
	b := &w.batch
	w.proc.busy.Add(1)
	defer w.proc.busy.Add(-1)
	for len(b.pending) > 0 {
		p := &b.pending[0]
		for len(p.records) > 0 && p.part.err == nil {
			room := w.proc.config.CloseRecords - b.taken
			if room <= 0 {
				return true, nil
			}
			n := min(len(p.records), chunkRecords, room)
			taken, full, err := w.judgeChunk(p.part, p.records[:n], p.records[n:])
			dead := b.out.dead
			b.out.emit(ctx, p.part.id, p.records[:taken])
			b.taken += taken
			if b.out.dead == dead {
				recycle(p.records[:taken])
			} else { // dead letters point into them until they are acknowledged
				b.judged = append(b.judged, p.records[:taken])
			}
			p.records = p.records[taken:]
			w.proc.config.at(PointJudged, p.part.id)
			if err != nil || full {
				return full, err
			}
		}
		if !p.broken.none() && p.part.err == nil {
			w.setAside(ctx, s, p.part, &p.broken)
		}
		b.pending = b.pending[1:]
	}
	b.pending = nil
	return false, nil
}

// judgeChunk judges some records of one partition and says how many it took. full: the transaction must end before
// the next one. Meanwhile the ones that come after them are prepared, if a core is free.
func (w *worker) judgeChunk(
	part *partition, records, after []*kgo.Record,
) (taken int, full bool, err error) {
	b := &w.batch
	b.touch(part)
	recs, prepared := b.preparer.take(w.proc.config.Engine, records)
	b.preparer.start(w.proc, after)
	defer b.preparer.wait()
	config := &w.proc.config
	for i, r := range records {
		if stop := part.checkNext(r.Offset); stop != nil {
			return i, false, stop
		}
		done, err := part.eng.Advance(recs[i].Timestamp, config.CloseTimers, &b.out.fx)
		if err != nil {
			return i, false, engineError(part.id, r.Offset, err)
		}
		if !done {
			config.at(PointSplit, part.id)
			return i, true, nil // the timers fired so far are committed, with the offset still before this record
		}
		if err := part.eng.Step(&prepared[i], &b.out.fx); err != nil {
			return i, false, engineError(part.id, r.Offset, err)
		}
		part.take(r.Offset, r.LeaderEpoch)
		if b.out.size() >= config.CloseBytes {
			return i + 1, true, nil
		}
	}
	return len(records), false, nil
}

func engineError(partition int32, offset int64, err error) error {
	if stop := stopFormat(partition, err); stop != nil {
		return stop
	}
	stop := stopf(partition, CauseState, "see the log; `tocsin state inspect` checks the state",
		"input offset %d cannot be judged", offset)
	stop.Err = err
	return stop
}

// touch makes the partition part of the transaction.
func (b *batch) touch(part *partition) {
	if !part.touched {
		part.touched = true
		b.touched = append(b.touched, part)
	}
}

// setAside gives the verdict on a batch that cannot be read: one dead letter for its offsets. The client then goes on
// after it.
func (w *worker) setAside(ctx context.Context, s *session, part *partition, broken *brokenBatch) {
	first := max(broken.first, part.floor, 0)
	if first >= broken.next {
		return
	}
	b := &w.batch
	b.touch(part)
	before := len(b.out.fx.DeadLetters)
	part.eng.SetAside(first, broken.next-1, topics.ReasonDecompress, broken.err.Error(), &b.out.fx)
	d := b.out.fx.DeadLetters[before]
	b.out.dead = len(b.out.fx.DeadLetters)
	b.out.emit(ctx, part.id, nil) // coverage
	b.out.deadLetter(ctx, origin{topic: s.input, partition: part.id, first: first, last: broken.next - 1}, &d)
	b.taken++
	part.take(broken.next-1, broken.epoch)
	if !s.seek(map[int32]kgo.EpochOffset{part.id: {Epoch: broken.epoch, Offset: broken.next}}) {
		b.restart = "a batch that cannot be read was skipped before anything else of its partition"
	}
}

// stop takes a partition out in the middle of the worker's work. Its lease is released when the transaction has
// ended.
func (b *batch) stop(w *worker, s *session, part *partition, why *StopError) {
	if part.err != nil {
		return
	}
	s.cl.PauseFetchPartitions(map[string][]int32{s.input: {part.id}})
	if errors.Is(why, state.ErrDamaged) {
		w.damaged(part, why)
	} else {
		w.stop(part, why)
	}
	b.stopped = append(b.stopped, part)
}

// sweep releases what was stopped, and begins to restore what is damaged on disk.
func (b *batch) sweep(ctx context.Context, w *worker) {
	for _, part := range b.stopped {
		w.release(part)
		if errors.Is(part.err, state.ErrDamaged) {
			w.restoreAgain(ctx, part)
		}
	}
	b.stopped = nil
}

var errNothing = errors.New("there is nothing to commit")

// recycleJudged gives the rest of a committed transaction's input back to the client. Nothing points into it any more:
// all that was produced has been acknowledged.
func (b *batch) recycleJudged() {
	for i, records := range b.judged {
		recycle(records)
		b.judged[i] = nil
	}
	b.judged = b.judged[:0]
}

// recycle gives the memory of records that have been judged back to the client: what is fetched next takes the place
// of what a core has just had in its cache.
func recycle(records []*kgo.Record) {
	for _, r := range records {
		r.Recycle()
	}
}
