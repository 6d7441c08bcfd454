package processor

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"tocsin/state"
	"tocsin/topics/readlog"
)

const (
	restoreRetryMin = time.Second
	restoreRetryMax = 30 * time.Second
)

// restore brings a partition to the end of its changelog and hands it to its worker. It runs on a goroutine of its
// own, off the poll path, from the assignment until it is done, the partition stops, or ctx ends with the assignment.
// The steps and their order:
//
//  1. lease: whoever had the partition in this process has applied or dropped its last transaction
//  2. the group's stable offset: no transaction has offsets pending for the partition
//  3. the changelog's high watermark, after 2: everything of the transaction that committed that offset is below it
//  4. read to there, from the stored position or from the start
//  5. the seal must name the offset of 2, unless that has moved since
//
// What may pass by itself (a broker is away, a transaction is open) is tried again; what needs an operator stops the
// partition.
func (w *worker) restore(ctx context.Context, part *partition) {
	retry := restoreRetryMin
	w.proc.standby.yield(part.id)
	for {
		err := w.restoreOnce(ctx, part)
		var stop *StopError
		if format := stopFormat(part.id, err); format != nil {
			err = format
		}
		switch {
		case err == nil:
			w.handOver(part)
			return
		case ctx.Err() != nil:
			w.release(part)
			return
		case errors.As(err, &stop):
			w.stop(part, stop)
			w.release(part)
			return
		}
		w.log.Warn("restore failed, it is tried again", "partition", part.id, "after", retry, "error", err)
		part.status.update(func(h *PartitionHealth) { h.Detail = err.Error() })
		w.proc.metrics.restoreRetries.Inc()
		w.proc.config.at(PointRestoreRetried, part.id)
		if !pause(ctx, retry) {
			w.release(part)
			return
		}
		retry = min(2*retry, restoreRetryMax)
	}
}

func (w *worker) restoreOnce(ctx context.Context, part *partition) error {
	p := w.proc
	p.config.at(PointRestoring, part.id)
	if part.id >= p.cluster.partitions {
		return stopf(part.id, CauseCount, remedyCount,
			"the input topic has grown to more than the %d partitions it had when the state was built", p.cluster.partitions)
	}
	if part.lease == nil {
		lease, err := p.config.Store.Acquire(ctx, statePartition(part.id), p.config.memberID(w.number))
		if err != nil {
			return err
		}
		part.lease = lease
	}
	p.config.at(PointLeased, part.id)
	if err := p.acquireRestore(ctx); err != nil {
		return err
	}
	defer p.releaseRestore()
	t := p.config.Topics
	at, err := w.stableOffset(ctx, t.Input, part.id)
	if err != nil {
		return err
	}
	p.config.at(PointOffsetRead, part.id)
	if err := w.restoreState(ctx, part); err != nil {
		return err
	}
	p.config.at(PointRestored, part.id)
	pos, _, err := part.lease.Position()
	if err != nil {
		return err
	}
	committed := at
	if err := checkSeal(part.id, &pos.Seal, committed.next, p.cluster.inputID, p.cluster.partitions); err != nil {
		return w.sameOffset(ctx, part.id, committed, err)
	}
	if err := w.checkCount(ctx, part.id, &pos.Seal); err != nil {
		return err
	}
	p.config.at(PointSealChecked, part.id)
	part.epoch = committed.epoch
	if err := p.build(part, 0); err != nil {
		if errors.Is(err, state.ErrDamaged) {
			return err // the next attempt restores it in full
		}
		return stopState(part.id, err)
	}
	if err := w.firstLag(ctx, part, committed.next); err != nil {
		return err
	}
	p.config.at(PointBuilt, part.id)
	return nil
}

// sameOffset returns what checkSeal said, if the group's offset is still the one that it was told. A process that was
// held up for longer than its session compares the offset of then with a changelog that another member has written on
// to: that is no stop, and when the restore is tried again the partition is usually gone.
func (w *worker) sameOffset(ctx context.Context, partition int32, told position, said error) error {
	now, err := w.stableOffset(ctx, w.proc.config.Topics.Input, partition)
	if err != nil {
		return fmt.Errorf("read the offset again (%v): %w", said, err) //nolint:errorlint // said would stop the partition
	}
	if now.next != told.next {
		return fmt.Errorf("the group's offset has moved from %d to %d while the state was restored: another member has or "+
			"had the partition", told.next, now.next)
	}
	return said
}

// firstLag notes how far the partition is behind before anything of it is read: a partition without records would
// never say.
func (w *worker) firstLag(ctx context.Context, part *partition, next int64) error {
	bounds, err := readlog.Bounds(ctx, w.proc.adm, w.proc.config.Topics.Input, part.id)
	if err != nil {
		return err
	}
	input := bounds[part.id]
	from := max(next, input.From)
	if next < 0 && w.proc.config.Latest {
		from = input.To
	}
	w.setLag(part, max(input.To-from, 0))
	return nil
}

// stableOffset reads the group's offset of the partition. When a transaction keeps it pending for longer than any
// should take, the error names it.
func (w *worker) stableOffset(ctx context.Context, input string, partition int32) (position, error) {
	p := w.proc
	waiting, cancel := context.WithTimeout(ctx, p.config.StallAfter)
	defer cancel()
	at, err := stableOffsets(waiting, p.admin, p.config.App, input, p.cluster.inputID, []int32{partition})
	if err != nil && waiting.Err() != nil && ctx.Err() == nil {
		err = fmt.Errorf("%w; %s", err, describeGroupStall(ctx, p.adm, p.config.App))
	}
	return at[partition], err
}

func stopState(partition int32, err error) *StopError {
	if stop := stopFormat(partition, err); stop != nil {
		return stop
	}
	return &StopError{Partition: partition, Cause: CauseState, Detail: "the state cannot be read", Err: err,
		Remedy: "move the state folder away and start again: the state is restored from the changelog"}
}

// restoreState applies the changelog up to its present end.
func (w *worker) restoreState(ctx context.Context, part *partition) error {
	p := w.proc
	bounds, err := readlog.Bounds(ctx, p.adm, p.config.Topics.Changelog, part.id)
	if err != nil {
		return err
	}
	log := bounds[part.id]
	p.config.at(PointBoundsRead, part.id)
	mode, why, err := p.restoreMode(part.lease, log)
	if err != nil {
		return err
	}
	err = w.restoreAs(ctx, part, mode, why, log)
	switch {
	case errors.Is(err, state.ErrTailTooLong):
		err = w.restoreAs(ctx, part, state.Full, "the tail is too long to be verified", log)
	case errors.Is(err, state.ErrDamaged) && mode == state.Tail:
		err = w.restoreAs(ctx, part, state.Full, whyDamaged, log)
	}
	return restoreError(part.id, err)
}

const whyDamaged = "the local state is damaged"

// restoreMode chooses between reading on from the stored position and reading everything.
func (p *Processor) restoreMode(lease *state.Lease, log readlog.Range) (mode state.Mode, why string, err error) {
	partition := lease.Partition().ID
	pos, ok, err := lease.Position()
	age := p.config.Now().Sub(time.Unix(0, pos.AppliedAt))
	switch {
	case err != nil:
		return 0, "", err
	case lease.Damage() != nil:
		return state.Full, whyDamaged, nil //nolint:nilerr // damage is mended by this restore
	case !ok:
		return state.Full, "there is no local state", nil
	case pos.ChangelogTopicID != p.cluster.changelogID:
		return state.Full, "the changelog topic is another one", nil
	case pos.ChangelogNext > log.To:
		return 0, "", stopf(partition, CauseTruncated, remedyPlan,
			"the local state was built from changelog offsets up to %d, but the changelog ends at %d: "+
				"the broker has lost records",
			pos.ChangelogNext, log.To)
	case pos.ChangelogNext < log.From:
		return state.Full, "the changelog no longer has the local position", nil
	case age > p.config.StateMaxAge:
		return state.Full, fmt.Sprintf("the local state is %s old: deletions may be missing", age.Round(time.Minute)), nil
	}
	return state.Tail, "", nil
}

func (w *worker) restoreAs(ctx context.Context, part *partition, mode state.Mode, why string, log readlog.Range) error {
	p := w.proc
	r, err := part.lease.Restore(state.RestoreConfig{
		Mode: mode, TopicID: p.cluster.changelogID, LogStart: log.From, ChunkBytes: p.config.RestoreChunkBytes,
	})
	if err != nil {
		return err
	}
	defer r.Abort()
	from, began := r.From(), p.config.Now()
	part.status.update(func(h *PartitionHealth) {
		h.State, h.Detail = Restoring, ""
		h.Restore = &RestoreHealth{Mode: mode.String(), From: from, Next: from, Until: log.To, Started: began}
	})
	reader := readlog.Reader{
		Kafka: p.baseOptions(), Topic: p.config.Topics.Changelog, StallAfter: p.config.StallAfter,
		Progress: func(_ int32, next int64, records int) {
			p.metrics.restoredRecords.WithLabelValues(mode.String()).Add(float64(records))
			part.status.update(func(h *PartitionHealth) {
				h.Restore.Next, h.Restore.Records = next, h.Restore.Records+int64(records)
			})
			p.config.at(PointRestoreChunk, part.id)
		},
	}
	stretch := map[int32]readlog.Range{part.id: {From: from, To: log.To}}
	err = reader.Read(ctx, stretch, func(rec *kgo.Record) error {
		return r.Add(state.ChangeRecord{Offset: rec.Offset, Key: rec.Key, Value: rec.Value})
	})
	if errors.Is(err, readlog.ErrStalled) {
		return fmt.Errorf("%w; %s", err, describeStall(ctx, p.adm, reader.Topic, part.id))
	}
	if err != nil {
		return err
	}
	p.config.at(PointRestoreRead, part.id)
	result, err := r.Finish(log.To)
	if err != nil {
		return err
	}
	w.log.Info("restored", "partition", part.id, "mode", mode.String(), "why", why, "from", from, "until", log.To,
		"records", result.Records, "bytes", result.Bytes, "transactions", result.Seals,
		"took", p.config.Now().Sub(began).Round(time.Millisecond))
	return nil
}

// restoreError tells the faults of a changelog, which an operator must see to, from those that pass.
func restoreError(partition int32, err error) error {
	var foreign *state.ForeignRecordError
	var sum *state.SumError
	if errors.Is(err, state.ErrBroken) {
		return &StopError{Partition: partition, Cause: CauseState, Detail: "the state cannot be mended", Err: err,
			Remedy: "restart the process: the whole state is put aside then, and restored from the changelog"}
	}
	if errors.As(err, &foreign) || errors.As(err, &sum) {
		return &StopError{Partition: partition, Cause: CauseChangelog, Detail: "the changelog does not add up", Err: err,
			Remedy: remedyPlan}
	}
	return err
}
