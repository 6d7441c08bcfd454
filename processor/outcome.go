package processor

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// outcome is what became of a transaction. There are three, and each has one consequence.
type outcome uint8

const (
	// unknown: the answer to the commit was lost or made no sense. Nothing may be concluded: everything derived from the
	// transaction is dropped, the client is torn down, and what happened is read from the log.
	unknown outcome = iota
	// committed: the broker confirmed the commit. The stage is applied.
	committed
	// aborted: the commit was never asked for, the abort is confirmed, and the group's offsets are those of before. The
	// partitions are rebuilt from the store, and the records come again.
	aborted
)

func (o outcome) String() string {
	switch o {
	case committed:
		return "committed"
	case aborted:
		return "aborted"
	}
	return "unknown"
}

// offset is what a transaction commits for one input partition.
type offset struct {
	partition int32
	next      int64  // the next offset to be judged: the seal's
	epoch     int32  // leader epoch of the record before it, -1 when unknown
	before    int64  // what the group holds until then, -1 for nothing
	sequence  uint64 // the seal's
}

// end commits the transaction with these offsets and says what became of it. The error says why it is not committed;
// it is nil for committed only. ctx must not be one that ends with the caller's patience: cancelling a commit under
// way makes its outcome unknown. The caller must not poll until end has returned.
func (s *session) end(ctx context.Context, offsets []offset) (outcome, error) {
	s.at(PointFlush)
	if err := s.cl.Flush(ctx); err != nil {
		return unknown, fmt.Errorf("flush the transaction: %w", err)
	}
	s.at(PointFlushed)
	if err := s.produced.failure(); err != nil {
		return s.abort(ctx, offsets, fmt.Errorf("produce: %w", err))
	}
	if s.produced.count() == 0 {
		// The client takes an end without any acknowledged record for done without asking the broker.
		return s.abort(ctx, offsets, errors.New("no record was produced, not even a seal"))
	}
	s.at(PointOffsets)
	if err := s.commitOffsets(ctx, offsets); err != nil {
		return s.abort(ctx, offsets, fmt.Errorf("commit the input offsets: %w", err))
	}
	s.at(PointEnd)
	err := s.cl.EndTransaction(ctx, kgo.TryCommit)
	switch {
	case err == nil:
		s.open = false
		return committed, nil
	case errors.Is(err, kerr.OperationNotAttempted), errors.Is(err, kerr.TransactionAbortable):
		// Not sent, or refused for good: both leave a transaction that can only be aborted.
		return s.abort(ctx, offsets, fmt.Errorf("commit: %w", err))
	}
	s.open = false
	return unknown, fmt.Errorf("commit: %w", err)
}

// abort ends the transaction without committing it. The result is aborted only when the group's stable offsets are
// those of before; why is the error returned.
func (s *session) abort(ctx context.Context, offsets []offset, why error) (outcome, error) {
	s.open = false
	s.at(PointAbort)
	if err := s.cl.AbortBufferedRecords(ctx); err != nil {
		return unknown, fmt.Errorf("%w; and to drop the records: %w", why, err)
	}
	if err := s.cl.EndTransaction(ctx, kgo.TryAbort); err != nil {
		return unknown, fmt.Errorf("%w; and to abort: %w", why, err)
	}
	// After some errors the client leaves the abort to the next time it needs its producer id. Until then the offsets of
	// the transaction would be pending: do it now.
	if _, _, err := s.cl.ProducerID(ctx); err != nil {
		return unknown, fmt.Errorf("%w; and to renew the producer id: %w", why, err)
	}
	s.at(PointAbortEnded)
	if err := s.verifyOffsets(ctx, offsets); err != nil {
		return unknown, fmt.Errorf("%w; and to check that nothing was committed: %w", why, err)
	}
	return aborted, why
}

// verifyOffsets says whether the group's stable offsets are those of before.
func (s *session) verifyOffsets(ctx context.Context, offsets []offset) error {
	if len(offsets) == 0 {
		return nil
	}
	partitions := make([]int32, len(offsets))
	for i := range offsets {
		partitions[i] = offsets[i].partition
	}
	now, err := stableOffsets(ctx, s.cl, s.group, s.input, s.inputID, partitions)
	if err != nil {
		return err
	}
	for _, o := range offsets {
		got := now[o.partition]
		if got.next != o.before {
			return fmt.Errorf("partition %d: the group's offset is %d, not %d as before", o.partition, got.next, o.before)
		}
		if got.mark == s.mark(&o) { // timers alone leave the offset where it was
			return fmt.Errorf("partition %d: seal %d has been committed", o.partition, o.sequence)
		}
	}
	return nil
}

// position is an offset of the group: -1 where it has none.
type position struct {
	next  int64
	epoch int32
	mark  string // see session.mark; empty where somebody else has set the offset
}

// stableOffsets reads the group's offsets of these partitions, waiting for transactions that have offsets pending
// (require_stable). It ends with ctx.
func stableOffsets(
	ctx context.Context, cl *kgo.Client, group, topic string, id [16]byte, partitions []int32,
) (map[int32]position, error) {
	for {
		got, err := fetchOffsets(ctx, cl, group, topic, id, partitions)
		if err == nil {
			return got, nil
		}
		if !errors.Is(err, kerr.UnstableOffsetCommit) {
			return nil, fmt.Errorf("fetch the offsets of group %s: %w", group, err)
		}
		// A transaction has offsets pending. The broker ends it within its timeout, whatever happens.
		if !pause(ctx, 50*time.Millisecond) {
			return nil, fmt.Errorf("wait for a pending offset commit of group %s: %w", group, ctx.Err())
		}
	}
}

func fetchOffsets(
	ctx context.Context, cl *kgo.Client, group, topic string, id [16]byte, partitions []int32,
) (map[int32]position, error) {
	req := kmsg.NewPtrOffsetFetchRequest()
	req.RequireStable = true
	g := kmsg.NewOffsetFetchRequestGroup()
	g.Group = group
	t := kmsg.NewOffsetFetchRequestGroupTopic()
	t.Topic, t.TopicID, t.Partitions = topic, id, partitions
	g.Topics = append(g.Topics, t)
	req.Groups = append(req.Groups, g)
	resp, err := req.RequestWith(ctx, cl)
	if err != nil {
		return nil, err
	}
	if err := kerr.ErrorForCode(resp.ErrorCode); err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
		return nil, err
	}
	got := make(map[int32]position, len(partitions))
	for _, p := range partitions {
		got[p] = position{next: -1, epoch: -1}
	}
	for _, g := range resp.Groups {
		if err := kerr.ErrorForCode(g.ErrorCode); errors.Is(err, kerr.GroupIDNotFound) {
			continue // nobody has ever committed: no offsets, which the caller compares with the seals
		} else if err != nil {
			return nil, err
		}
		for _, t := range g.Topics {
			for _, p := range t.Partitions {
				if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
					return nil, fmt.Errorf("partition %d: %w", p.Partition, err)
				}
				at := position{next: max(p.Offset, -1), epoch: p.LeaderEpoch}
				if p.Metadata != nil {
					at.mark = *p.Metadata
				}
				got[p.Partition] = at
			}
		}
	}
	return got, nil
}

// pause waits; false: ctx ended first.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
