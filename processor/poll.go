package processor

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// pending is what one poll brought for one partition and has not been judged yet.
type pending struct {
	part    *partition
	records []*kgo.Record
	broken  brokenBatch // after the records
}

// brokenBatch is a batch of the input that cannot be decompressed. The zero value is none.
type brokenBatch struct {
	first, next int64 // offsets of the batch: [first, next)
	epoch       int32
	err         error
}

func (b *brokenBatch) none() bool { return b.next == 0 }

// sort puts what was polled into the worker's list, by partition, and sees to the errors among it. An error that is
// returned leaves nothing but a new client.
func (w *worker) sort(ctx context.Context, s *session, fetches kgo.Fetches) error {
	input := w.proc.config.Topics.Input
	var failed error
	fetches.EachPartition(func(tp kgo.FetchTopicPartition) {
		if tp.Topic != input && tp.Err == nil || failed != nil {
			return
		}
		var part *partition
		if tp.Topic == input { // errors of the whole client come without one
			part = w.find(tp.Partition)
		}
		running := part != nil && part.handed && part.err == nil
		var broken brokenBatch
		if tp.Err != nil {
			broken, failed = w.fetchError(ctx, s, tp.Partition, part, tp.Err)
		}
		if len(tp.Records) == 0 && broken.none() || failed != nil {
			return
		}
		if !running {
			if part == nil || part.err == nil {
				failed = fmt.Errorf("records of partition %d came before it was restored", tp.Partition)
			}
			return // of a stopped one: they come again after the stop is mended
		}
		w.batch.pending = append(w.batch.pending, pending{part: part, records: tp.Records, broken: broken})
		if part.first < 0 && part.committed.next < 0 {
			part.first = w.begins(part.id)
			if part.first < 0 {
				part.first = firstOffset(tp.Records, &broken)
			}
		}
		w.lag(part, &tp)
	})
	return failed
}

func firstOffset(records []*kgo.Record, broken *brokenBatch) int64 {
	if len(records) > 0 {
		return records[0].Offset
	}
	return broken.first
}

// lag notes how far the partition is behind, as of this fetch.
func (w *worker) lag(part *partition, tp *kgo.FetchTopicPartition) {
	if len(tp.Records) == 0 {
		return
	}
	lag := max(tp.HighWatermark-tp.Records[len(tp.Records)-1].Offset-1, 0)
	w.setLag(part, lag)
}

func (w *worker) setLag(part *partition, lag int64) {
	w.proc.metrics.lag.WithLabelValues(w.proc.metrics.partition(part.id)).Set(float64(lag))
	part.status.update(func(h *PartitionHealth) { h.Lag = lag })
}

// fetchError judges an error that a poll returned.
func (w *worker) fetchError(
	ctx context.Context, s *session, id int32, part *partition, err error,
) (brokenBatch, error) {
	none := brokenBatch{}
	var session *kgo.ErrGroupSession
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return none, nil // the poll was ended by us
	case errors.Is(err, kgo.ErrClientClosed):
		return none, err
	case errors.As(err, &session):
		if errors.Is(err, kerr.FencedInstanceID) {
			return none, w.fenced(err)
		}
		if fatal(err) {
			return none, err
		}
		w.log.Warn("the group is left for a moment; the client joins again", "error", err)
		return none, nil
	case errors.Is(err, kerr.OffsetOutOfRange):
		if part != nil {
			w.batch.stop(w, s, part, stopf(part.id, CauseOutOfRange, remedyPlan,
				"input offset %d is not in the topic any more: records that were never judged have been deleted",
				max(part.floor, w.begins(id))))
		}
		return none, nil
	case errors.Is(err, kerr.UnknownTopicID), errors.Is(err, kerr.UnknownTopicOrPartition):
		return none, fmt.Errorf("%w: topic %s was deleted, or deleted and created anew: %w",
			ErrTopics, w.proc.config.Topics.Input, err)
	case fatal(err):
		return none, err
	}
	if part != nil {
		if b, broken, failed := w.probeBatch(ctx, s, id, err); broken {
			return b, failed
		}
	}
	w.log.Warn("fetch failed, it is tried again", "partition", id, "error", err)
	w.proc.metrics.fetchErrors.Inc()
	return none, nil
}

func (w *worker) fenced(err error) error {
	return fmt.Errorf("%w (%s): give each process a name of its own, or stop the other one: %w",
		ErrFenced, w.proc.config.memberID(w.number), err)
}
