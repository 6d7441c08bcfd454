package processor

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"tocsin/state"
)

// errStalled says that a read of the changelog stands still.
var errStalled = errors.New("the changelog cannot be read to its end")

// changelogEnds are the bounds of one changelog partition.
type changelogEnds struct {
	start int64 // log start offset
	high  int64 // high watermark, open transactions included
}

// changelogBounds reads the bounds of one changelog partition. The upper one is the high watermark and not the last
// stable offset: a transaction's markers reach its partitions one by one, so the changelog's can be missing yet when the
// group's offsets are stable, and a read to the last stable offset would leave out the last transaction.
func changelogBounds(ctx context.Context, adm *kadm.Client, topic string, partition int32) (changelogEnds, error) {
	ends, err := adm.ListEndOffsets(ctx, topic)
	if err != nil {
		return changelogEnds{}, fmt.Errorf("list the end of %s: %w", topic, err)
	}
	starts, err := adm.ListStartOffsets(ctx, topic)
	if err != nil {
		return changelogEnds{}, fmt.Errorf("list the start of %s: %w", topic, err)
	}
	end, ok := ends.Lookup(topic, partition)
	start, ok2 := starts.Lookup(topic, partition)
	switch {
	case !ok || !ok2:
		return changelogEnds{}, fmt.Errorf("topic %s has no partition %d", topic, partition)
	case end.Err != nil:
		return changelogEnds{}, fmt.Errorf("list the end of %s partition %d: %w", topic, partition, end.Err)
	case start.Err != nil:
		return changelogEnds{}, fmt.Errorf("list the start of %s partition %d: %w", topic, partition, start.Err)
	}
	return changelogEnds{start: start.Offset, high: end.Offset}, nil
}

// changelogReader reads one changelog partition as committed, up to an offset.
type changelogReader struct {
	options    []kgo.Opt
	topic      string
	partition  int32
	stallAfter time.Duration
	progress   func(next int64, records int) // may be nil
}

// read gives add every committed record in [from, until), in order, and returns when all of them have been read. It
// waits for transactions that are open below until. It returns errStalled when nothing has moved for stallAfter; at is
// the offset up to which it came.
func (r *changelogReader) read(
	ctx context.Context, from, until int64, add func(state.ChangeRecord) error,
) (at int64, err error) {
	if from >= until {
		return until, nil
	}
	cl, err := kgo.NewClient(append(r.options,
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{r.topic: {r.partition: kgo.NewOffset().At(from)}}),
		kgo.ConsumeResetOffset(kgo.NoResetOffset()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		// Markers take up offsets, and one of them is the last record of the log: without them the position would never
		// be seen to arrive.
		kgo.KeepControlRecords(),
		kgo.FetchMaxBytes(fetchMaxBytes),
		kgo.FetchMaxPartitionBytes(fetchMaxBytes),
	)...)
	if err != nil {
		return from, fmt.Errorf("make a client for the changelog: %w", err)
	}
	defer cl.Close()
	at = from
	for at < until {
		next, err := r.poll(ctx, cl, at, until, add)
		if err != nil {
			return at, err
		}
		at = next
	}
	return until, nil
}

// poll reads once, for at most stallAfter.
func (r *changelogReader) poll(
	ctx context.Context, cl *kgo.Client, at, until int64, add func(state.ChangeRecord) error,
) (next int64, err error) {
	waiting, cancel := context.WithTimeout(ctx, r.stallAfter)
	defer cancel()
	fetches := cl.PollFetches(waiting)
	if err := ctx.Err(); err != nil {
		return at, err
	}
	if waiting.Err() != nil && fetches.NumRecords() == 0 {
		return at, fmt.Errorf("%w: nothing came for %s after offset %d, of %d", errStalled, r.stallAfter, at, until)
	}
	for _, e := range fetches.Errors() {
		return at, fmt.Errorf("read %s partition %d at offset %d: %w", r.topic, r.partition, at, e.Err)
	}
	records := 0
	for it := fetches.RecordIter(); !it.Done(); {
		rec := it.Next()
		if rec.Offset >= until {
			at = until
			break
		}
		if rec.Offset < at {
			return at, fmt.Errorf("read %s partition %d: offset %d came after %d", r.topic, r.partition, rec.Offset, at-1)
		}
		at = rec.Offset + 1
		if rec.Attrs.IsControl() {
			continue
		}
		records++
		if err := add(state.ChangeRecord{Offset: rec.Offset, Key: rec.Key, Value: rec.Value}); err != nil {
			return at, err
		}
	}
	if r.progress != nil {
		r.progress(at, records)
	}
	return at, nil
}
