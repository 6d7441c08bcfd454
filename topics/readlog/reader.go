package readlog

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// ErrStalled says that a read stands still below the offset it is to reach: an open transaction holds it up, or records
// are missing.
var ErrStalled = errors.New("the log cannot be read to its end")

// ErrEnough ends a read early and without error when it is returned for a record.
var ErrEnough = errors.New("enough was read")

// MaxDecompress is the size of a batch after decompression beyond which it counts as broken.
const MaxDecompress = 64 << 20

const defaultStall = time.Minute

// fetchMaxBytes is the size of one fetch answer, compressed, over all partitions. A client holds two.
const fetchMaxBytes = 4 << 20

// fetchLimit is the size that brokers are told. It is out of reach: each partition has its share of fetchMaxBytes. The
// in-process broker, when it cuts an answer off at the size of the whole, leaves out which transactions were aborted.
const fetchLimit = 64 << 20

// Reader reads stretches of one topic.
type Reader struct {
	Kafka []kgo.Opt // seed brokers, TLS, SASL
	Topic string
	// StallAfter is how long nothing may come before the read gives up. A transaction of somebody who died is ended by
	// the broker within its timeout and the broker's scan: it should be longer. Defaults to a minute.
	StallAfter time.Duration
	// Progress is called for each partition that a poll brought something of; may be nil.
	Progress func(partition int32, next int64, records int)
	// Broken is called in the place of the records of a batch that cannot be decompressed. Where it is nil such a batch
	// is an error. It needs TopicID.
	Broken  func(partition int32, offsets Range, err error) error
	TopicID [16]byte
}

// Read passes on the records of the ranges. A partition whose range is empty is not read. An error of add ends the
// read; see [ErrEnough].
func (r *Reader) Read(ctx context.Context, ranges map[int32]Range, add func(*kgo.Record) error) error {
	left, from := make(map[int32]Range), make(map[int32]kgo.Offset)
	for p, s := range ranges {
		if s.From < s.To {
			left[p], from[p] = s, kgo.NewOffset().At(s.From)
		}
	}
	if len(left) == 0 {
		return nil
	}
	opts := append(make([]kgo.Opt, 0, len(r.Kafka)+8), r.Kafka...)
	cl, err := kgo.NewClient(append(opts,
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{r.Topic: from}),
		kgo.ConsumeResetOffset(kgo.NoResetOffset()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		// Markers take up offsets, and one of them is the last record of the log: without them the position would never
		// be seen to arrive.
		kgo.KeepControlRecords(),
		kgo.FetchMaxBytes(fetchLimit),
		kgo.FetchMaxPartitionBytes(int32(max(fetchMaxBytes/len(from), 1<<10))),
		kgo.MaxDecompressBatchBytes(MaxDecompress),
	)...)
	if err != nil {
		return fmt.Errorf("make a client to read %s: %w", r.Topic, err)
	}
	defer cl.Close()
	run := run{Reader: r, cl: cl, left: left, add: add, stall: cmp.Or(r.StallAfter, defaultStall)}
	for len(left) > 0 {
		err := run.poll(ctx)
		if errors.Is(err, ErrEnough) {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// run is one call of Read.
type run struct {
	*Reader

	cl   *kgo.Client
	left map[int32]Range // From is the next offset
	add  func(*kgo.Record) error

	stall time.Duration
}

// poll reads once.
func (r *run) poll(ctx context.Context) error {
	waiting, cancel := context.WithTimeout(ctx, r.stall)
	defer cancel()
	fetches := r.cl.PollFetches(waiting)
	if err := ctx.Err(); err != nil {
		return err
	}
	if waiting.Err() != nil && fetches.NumRecords() == 0 {
		return fmt.Errorf("read %s: %w, a transaction may be open there: nothing came for %s of %s",
			r.Topic, ErrStalled, r.stall, r.where())
	}
	var failed error
	fetches.EachPartition(func(f kgo.FetchTopicPartition) {
		if failed == nil {
			failed = r.take(ctx, &f)
		}
	})
	return failed
}

// take passes on what came of one partition.
func (r *run) take(ctx context.Context, f *kgo.FetchTopicPartition) error {
	s, ok := r.left[f.Partition]
	if f.Topic != r.Topic { // an error of the whole client
		if f.Err == nil {
			return nil
		}
		return fmt.Errorf("read %s: %w", r.Topic, f.Err)
	}
	if !ok {
		return nil // read to its end; what had been fetched beyond it
	}
	records := 0
	for _, rec := range f.Records {
		if rec.Offset >= s.To {
			s.From = s.To
			break
		}
		if rec.Offset < s.From {
			return fmt.Errorf("read %s partition %d: offset %d came after %d", r.Topic, f.Partition, rec.Offset, s.From-1)
		}
		s.From = rec.Offset + 1
		if rec.Attrs.IsControl() {
			continue
		}
		records++
		if err := r.add(rec); err != nil {
			return err
		}
	}
	if f.Err != nil && s.From < s.To {
		next, err := r.broken(ctx, f.Partition, s.From, f.Err)
		if err != nil {
			return fmt.Errorf("read %s partition %d at offset %d: %w", r.Topic, f.Partition, s.From, err)
		}
		s.From = next
	}
	if r.Progress != nil {
		r.Progress(f.Partition, s.From, records)
	}
	r.left[f.Partition] = s
	if s.From >= s.To {
		delete(r.left, f.Partition)
		if len(r.left) > 0 {
			r.cl.PauseFetchPartitions(map[string][]int32{r.Topic: {f.Partition}})
		}
	}
	return nil
}

// broken passes over a batch that cannot be decompressed; any other error it returns.
func (r *run) broken(ctx context.Context, partition int32, at int64, why error) (next int64, err error) {
	if r.Broken == nil {
		return 0, why
	}
	place := BatchAt{Topic: r.Topic, TopicID: r.TopicID, Partition: partition, Offset: at}
	b, ok, err := BrokenBatch(ctx, r.cl, place, why)
	if err == nil && !ok {
		err = why
	}
	if err != nil {
		return 0, err
	}
	if err := r.Broken(partition, Range{From: max(b.From, at), To: b.To}, why); err != nil {
		return 0, err
	}
	r.cl.SetOffsets(map[string]map[int32]kgo.EpochOffset{r.Topic: {partition: {Epoch: b.Epoch, Offset: b.To}}})
	return b.To, nil
}

// where says how far the read has come.
func (r *run) where() string {
	parts := make([]string, 0, len(r.left))
	for _, p := range slices.Sorted(maps.Keys(r.left)) {
		parts = append(parts, fmt.Sprintf("partition %d from offset %d to %d", p, r.left[p].From, r.left[p].To))
	}
	return strings.Join(parts, ", ")
}
