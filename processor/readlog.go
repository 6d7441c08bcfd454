package processor

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// ErrStalled says that a read of a partition stands still below the offset it is to reach.
var ErrStalled = errors.New("the partition cannot be read to its end")

// LogReader reads one partition as committed, up to an offset, whoever owns it.
type LogReader struct {
	Kafka     []kgo.Opt
	Topic     string
	TopicID   [16]byte // only needed with Broken
	Partition int32
	// StallAfter is how long nothing may come before the read gives up.
	StallAfter time.Duration
	// Progress is called after each poll; may be nil.
	Progress func(next int64, records int)
	// Broken is called in the place of the records of a batch that cannot be decompressed, [first, next). Where it is
	// nil such a batch is an error.
	Broken func(first, next int64, err error) error
}

// Read gives add every committed record in [from, until), in order, and returns when it has passed until. It waits
// for transactions that are open below until. It returns ErrStalled when nothing has come for StallAfter; at is the
// offset up to which it came.
func (r *LogReader) Read(ctx context.Context, from, until int64, add func(*kgo.Record) error) (at int64, err error) {
	if from >= until {
		return until, nil
	}
	opts := make([]kgo.Opt, 0, len(r.Kafka)+8)
	cl, err := kgo.NewClient(append(append(opts, r.Kafka...),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{r.Topic: {r.Partition: kgo.NewOffset().At(from)}}),
		kgo.ConsumeResetOffset(kgo.NoResetOffset()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		// Markers take up offsets, and one of them is the last record of the log: without them the position would never
		// be seen to arrive.
		kgo.KeepControlRecords(),
		kgo.FetchMaxBytes(fetchMaxBytes),
		kgo.FetchMaxPartitionBytes(fetchMaxBytes),
		kgo.MaxDecompressBatchBytes(maxDecompress),
	)...)
	if err != nil {
		return from, fmt.Errorf("make a client to read %s: %w", r.Topic, err)
	}
	defer cl.Close()
	at = from
	for at < until {
		if at, err = r.poll(ctx, cl, at, until, add); err != nil {
			return at, err
		}
	}
	return until, nil
}

// poll reads once, for at most StallAfter.
func (r *LogReader) poll(
	ctx context.Context, cl *kgo.Client, at, until int64, add func(*kgo.Record) error,
) (next int64, err error) {
	waiting, cancel := context.WithTimeout(ctx, r.StallAfter)
	defer cancel()
	fetches := cl.PollFetches(waiting)
	if err := ctx.Err(); err != nil {
		return at, err
	}
	if waiting.Err() != nil && fetches.NumRecords() == 0 {
		return at, fmt.Errorf("%w: nothing came for %s after offset %d, of %d", ErrStalled, r.StallAfter, at, until)
	}
	records := 0
	for it := fetches.RecordIter(); !it.Done(); {
		rec := it.Next()
		if rec.Offset >= until {
			at = until
			break
		}
		if rec.Offset < at {
			return at, fmt.Errorf("read %s partition %d: offset %d came after %d", r.Topic, r.Partition, rec.Offset, at-1)
		}
		at = rec.Offset + 1
		if rec.Attrs.IsControl() {
			continue
		}
		records++
		if err := add(rec); err != nil {
			return at, err
		}
	}
	for _, e := range fetches.Errors() {
		if at >= until {
			break
		}
		if at, err = r.broken(ctx, cl, at, e.Err); err != nil {
			return at, err
		}
	}
	if r.Progress != nil {
		r.Progress(at, records)
	}
	return at, nil
}

// broken passes over a batch that cannot be decompressed; any other error it returns.
func (r *LogReader) broken(ctx context.Context, cl *kgo.Client, at int64, why error) (next int64, err error) {
	var tooLarge *kgo.ErrDecompressTooLarge
	b := brokenBatch{first: at}
	switch {
	case r.Broken == nil:
		return at, fmt.Errorf("read %s partition %d at offset %d: %w", r.Topic, r.Partition, at, why)
	case errors.As(why, &tooLarge):
		b = brokenBatch{first: tooLarge.Offset, next: tooLarge.NextOffset, epoch: tooLarge.Epoch}
	case isBrokenBatch(why):
		b.first, b.next, b.epoch, err = batchBounds(ctx, cl, r.Topic, r.TopicID, r.Partition, at)
	default:
		err = why
	}
	if err != nil {
		return at, fmt.Errorf("read %s partition %d at offset %d: %w", r.Topic, r.Partition, at, err)
	}
	if err := r.Broken(max(b.first, at), b.next, why); err != nil {
		return at, err
	}
	cl.SetOffsets(map[string]map[int32]kgo.EpochOffset{r.Topic: {r.Partition: {Epoch: b.epoch, Offset: b.next}}})
	return b.next, nil
}

// isBrokenBatch tells the client's error for a batch that does not decompress. It has no type of its own.
func isBrokenBatch(err error) bool {
	return strings.Contains(err.Error(), "unable to decompress batch")
}

// logBounds are the bounds of one partition.
type logBounds struct {
	start int64 // log start offset
	high  int64 // high watermark, open transactions included
}

// partitionBounds reads the bounds of one partition. The upper one is the high watermark and not the last stable
// offset: a transaction's markers reach its partitions one by one, so the changelog's can be missing yet when the
// group's offsets are stable, and a read to the last stable offset would leave out the last transaction.
func partitionBounds(ctx context.Context, adm *kadm.Client, topic string, partition int32) (logBounds, error) {
	ends, err := adm.ListEndOffsets(ctx, topic)
	if err != nil {
		return logBounds{}, fmt.Errorf("list the end of %s: %w", topic, err)
	}
	starts, err := adm.ListStartOffsets(ctx, topic)
	if err != nil {
		return logBounds{}, fmt.Errorf("list the start of %s: %w", topic, err)
	}
	end, ok := ends.Lookup(topic, partition)
	start, ok2 := starts.Lookup(topic, partition)
	switch {
	case !ok || !ok2:
		return logBounds{}, fmt.Errorf("topic %s has no partition %d", topic, partition)
	case end.Err != nil:
		return logBounds{}, fmt.Errorf("list the end of %s partition %d: %w", topic, partition, end.Err)
	case start.Err != nil:
		return logBounds{}, fmt.Errorf("list the start of %s partition %d: %w", topic, partition, start.Err)
	}
	return logBounds{start: start.Offset, high: end.Offset}, nil
}
