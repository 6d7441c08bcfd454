package processor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"tocsin/state"
	"tocsin/state/window"
	"tocsin/topics"
)

// expireLimit is the number of expired keys per partition that one transaction removes.
const expireLimit = 200

// turn works off what one poll brought: one transaction, or several when it does not fit into one. Rebalances are
// blocked from the poll before it to its end. again: the last transaction was aborted, and its records come again. An
// error leaves nothing but a new client.
func (w *worker) turn(ctx context.Context, s *session, fetches kgo.Fetches) (again bool, err error) {
	w.admit(s)
	b := &w.batch
	defer b.sweep(ctx, w)
	if len(w.ahead) > 0 {
		fetches, w.ahead = append(w.ahead, fetches...), nil
	}
	if err := w.sort(ctx, s, fetches); err != nil {
		return false, err
	}
	// Nothing here ends with the caller's ctx: what has been begun is finished, and the watchdog bounds how long it
	// takes.
	working := context.WithoutCancel(ctx)
	if len(b.pending) > 0 {
		s.at(PointPolled)
	}
	for len(b.pending) > 0 {
		if ctx.Err() != nil && !s.open {
			return false, nil // shutting down, between two transactions: what is left comes again after the restart
		}
		again, err := w.transact(ctx, working, s)
		if err != nil || again {
			return again, err
		}
	}
	if b.restart != "" {
		return false, errors.New(b.restart)
	}
	return false, nil
}

// transact makes one transaction of pending records, and polls for more while it has time and room.
func (w *worker) transact(ctx, working context.Context, s *session) (again bool, err error) {
	if w.proc.config.Tracer != nil {
		w.beginSpan(ctx)
		defer func() { w.endSpan(err) }()
	}
	b := &w.batch
	s.at(PointBegin)
	if err := s.begin(); err != nil {
		return false, err
	}
	s.at(PointBegun)
	b.out.reset()
	b.taken, b.judged, b.started = 0, b.judged[:0], w.proc.config.Now()
	for {
		full, err := w.judge(working, s)
		if err != nil {
			return w.giveBack(working, s, err)
		}
		left := w.proc.config.CloseAfter - w.proc.config.Now().Sub(b.started)
		room := w.proc.config.CloseRecords - b.taken
		if full || left <= 0 || room <= 0 || w.hurry.Load() || ctx.Err() != nil || b.restart != "" {
			break
		}
		fetches := w.poll(ctx, s, left, room)
		w.admit(s) // what waits to be admitted ends every poll at once
		if err := w.sort(ctx, s, fetches); err != nil {
			_, err = w.abort(working, s, err)
			return false, err
		}
	}
	if len(b.touched) == 0 {
		// Only records of stopped partitions came: there is nothing to commit.
		if result, err := w.abort(working, s, errNothing); result != aborted {
			return false, err
		}
		return false, nil
	}
	return w.commit(working, s)
}

// commit ends the transaction: changes, seals, offsets; and once it is committed, the store.
func (w *worker) commit(ctx context.Context, s *session) (again bool, err error) {
	b := &w.batch
	slices.SortFunc(b.touched, func(a, b *partition) int { return cmp.Compare(a.id, b.id) })
	stage := w.proc.config.Store.NewStage()
	defer stage.Discard()
	seals := make([]topics.Seal, len(b.touched))
	offsets := make([]offset, len(b.touched))
	for i, part := range b.touched {
		seal, err := w.write(ctx, part, stage)
		if err != nil {
			return w.giveBack(ctx, s, err)
		}
		seals[i] = seal
		// What is committed is what the seal says: they cannot differ.
		offsets[i] = offset{
			partition: part.id, next: seal.Next, epoch: part.epoch, before: part.committed.next, sequence: seal.Sequence,
		}
	}
	result, err := w.end(ctx, s, offsets)
	switch result {
	case committed:
		s.at(PointCommitted)
		b.recycleJudged()
		return false, w.apply(s, stage, seals)
	case aborted:
		return w.rollBack(s, err)
	}
	s.at(PointUnknown)
	return false, w.notCommitted(ctx, s, err)
}

// end waits for the outcome, under the watchdog.
func (w *worker) end(ctx context.Context, s *session, offsets []offset) (outcome, error) {
	m := w.proc.metrics
	ending, cancel := context.WithTimeout(ctx, w.proc.config.EndTimeout)
	defer cancel()
	began := w.proc.config.Now()
	result, err := w.hooked(ctx, s, func() (outcome, error) { return s.end(ending, offsets) })
	now := w.proc.config.Now()
	m.endSeconds.Observe(now.Sub(began).Seconds())
	m.transactionSeconds.Observe(now.Sub(w.batch.started).Seconds())
	m.transactions.WithLabelValues(result.String()).Inc()
	w.tellOutcome(result, err)
	return result, err
}

// write produces the changelog records of one partition and its seal, and stages them.
func (w *worker) write(ctx context.Context, part *partition, stage *state.Stage) (topics.Seal, error) {
	b := &w.batch
	expired, err := part.lease.Expired(part.eng.ExpireBefore(), expireLimit)
	if err == nil {
		err = part.eng.Expire(expired)
	}
	if err != nil {
		return topics.Seal{}, stopState(part.id, err)
	}
	err = part.eng.Changes(func(groupKey []byte, old window.Index, c window.Change) error {
		key, err := stage.Change(part.lease, groupKey, old, c)
		if err == nil {
			b.out.change(ctx, part.id, key, c.Value)
		}
		return err
	})
	if err != nil {
		return topics.Seal{}, stopState(part.id, err)
	}
	w.proc.config.at(PointChanged, part.id)
	seal, err := stage.Seal(part.lease, part.seal())
	if err != nil {
		return topics.Seal{}, stopState(part.id, err)
	}
	b.out.seal(ctx, &seal)
	w.proc.config.at(PointSealed, part.id)
	return seal, nil
}

// giveBack aborts the transaction because of err. When that is about one partition, the partition stops and the
// others go on; their records come again.
func (w *worker) giveBack(ctx context.Context, s *session, err error) (again bool, _ error) {
	var stop *StopError
	if !errors.As(err, &stop) {
		_, err := w.abort(ctx, s, err)
		return false, err
	}
	if part := w.find(stop.Partition); part != nil {
		w.batch.stop(w, s, part, stop)
	}
	result, err := w.abort(ctx, s, err)
	if result == aborted {
		return w.rollBack(s, err)
	}
	return false, err
}

// abort ends the open transaction without trying to commit it.
func (w *worker) abort(ctx context.Context, s *session, why error) (outcome, error) {
	ending, cancel := context.WithTimeout(ctx, w.proc.config.EndTimeout)
	defer cancel()
	result, err := s.abort(ending, nil, why)
	w.proc.metrics.transactions.WithLabelValues(result.String()).Inc()
	w.tellOutcome(result, err)
	return result, err
}

// notCommitted makes of an unknown outcome the error with which the client is given up.
func (w *worker) notCommitted(ctx context.Context, s *session, err error) error {
	w.proc.metrics.unknown.Inc()
	asking, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if replaced := s.replaced(asking); replaced != nil {
		return w.fenced(errors.Join(replaced, err))
	}
	return fmt.Errorf("the outcome of a transaction is unknown: %w", err)
}

// rollBack puts everything back to where it was before the transaction: partitions are rebuilt from the store (all of
// their decoded state with them), and the client's position goes back to what is committed, for what was judged and
// for what was only polled.
func (w *worker) rollBack(s *session, why error) (again bool, err error) {
	s.at(PointAborted)
	reason := abortReason(why)
	w.proc.metrics.aborts.WithLabelValues(reason).Inc()
	level := slog.LevelWarn
	if reason == reasonGroup { // part of a rebalance
		level = slog.LevelInfo
	}
	w.log.Log(context.Background(), level, "transaction aborted, its records come again", "reason", reason, "error", why)
	if errors.Is(why, kerr.FencedInstanceID) {
		return false, w.fenced(why)
	}
	if fatal(why) { // a right that was taken away: the records would come again for ever
		return false, why
	}
	b := &w.batch
	back := make(map[int32]kgo.EpochOffset)
	rewind := func(part *partition) {
		at := kgo.EpochOffset{Epoch: part.committed.epoch, Offset: part.committed.next}
		if at.Offset < 0 {
			at = kgo.EpochOffset{Epoch: -1, Offset: part.first}
		}
		back[part.id] = at
	}
	for _, p := range b.pending {
		rewind(p.part)
	}
	b.judged = nil // not recycled: that an abort has let go of every record is for the client to know
	for _, part := range b.touched {
		rewind(part)
		if part.err != nil {
			continue
		}
		epoch, first := part.committed.epoch, part.first
		if err := w.proc.build(part, 0); err != nil {
			b.stop(w, s, part, stopState(part.id, err))
			continue
		}
		part.committed.epoch, part.epoch = epoch, epoch
		part.first = first
	}
	b.pending, b.touched = nil, nil
	s.seek(back)
	s.at(PointRolledBack)
	return true, nil
}

// reasonGroup is the reason of an abort because the group has moved on.
const reasonGroup = "group"

// abortReason is the metric label of an abort.
func abortReason(err error) string {
	var stop *StopError
	switch {
	case errors.As(err, &stop):
		return "partition_stopped"
	case errors.Is(err, kerr.IllegalGeneration), errors.Is(err, kerr.UnknownMemberID),
		errors.Is(err, kerr.RebalanceInProgress), errors.Is(err, kerr.FencedInstanceID):
		return reasonGroup
	case errors.Is(err, kerr.ProducerFenced), errors.Is(err, kerr.InvalidProducerEpoch):
		return "fenced"
	case errors.Is(err, kerr.TransactionAbortable), errors.Is(err, kerr.OperationNotAttempted):
		return "transaction"
	}
	return "other"
}
