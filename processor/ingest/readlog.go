package ingest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// readStall is how long reading a log may stand still: an open transaction of somebody who died holds readers up until
// the broker ends it, which takes up to its timeout and the broker's scan.
const readStall = time.Minute

// Connect makes a client with these options besides those that reach the cluster.
type Connect func(opts ...kgo.Opt) (*kgo.Client, error)

// ReadLog reads committed records of a topic, by partition from an offset to below another, and passes them to each, in
// order within a partition. A partition whose range is empty is not read. It returns early, without error, when each
// returns false.
func ReadLog(
	ctx context.Context, connect Connect, topic string, ranges map[int32]Range, each func(*kgo.Record) bool,
) error {
	from, left := map[int32]kgo.Offset{}, map[int32]int64{}
	for p, r := range ranges {
		if r.From < r.To {
			from[p], left[p] = kgo.NewOffset().At(r.From), r.To
		}
	}
	if len(left) == 0 {
		return nil
	}
	cl, err := connect(
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: from}),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.KeepControlRecords(), // the last offset of a range may be one: only so is the end noticed
		kgo.ConsumeResetOffset(kgo.NoResetOffset()),
	)
	if err != nil {
		return err
	}
	defer cl.Close()
	for len(left) > 0 {
		pollCtx, cancel := context.WithTimeout(ctx, readStall)
		fetches := cl.PollFetches(pollCtx)
		cancel()
		if err := ctx.Err(); err != nil {
			return err
		}
		for _, e := range fetches.Errors() {
			if errors.Is(e.Err, context.DeadlineExceeded) {
				return fmt.Errorf("read topic %s: nothing for %s, up to offset %s: an open transaction may stand in the way",
					topic, readStall, describeLeft(left))
			}
			return fmt.Errorf("read topic %s partition %d: %w", topic, e.Partition, e.Err)
		}
		for iter := fetches.RecordIter(); !iter.Done(); {
			r := iter.Next()
			end, ok := left[r.Partition]
			if !ok {
				continue
			}
			if r.Offset < end && !r.Attrs.IsControl() && !each(r) {
				return nil
			}
			if r.Offset+1 >= end {
				delete(left, r.Partition)
			}
		}
	}
	return nil
}

func describeLeft(left map[int32]int64) string {
	var parts []string
	for p, end := range left {
		parts = append(parts, fmt.Sprintf("%d of partition %d", end, p))
	}
	slices.Sort(parts)
	return fmt.Sprint(parts)
}

// Ends lists, by partition, the range of offsets a topic holds now. All of it, open transactions included.
func Ends(ctx context.Context, cl *kgo.Client, topic string) (map[int32]Range, error) {
	adm := kadm.NewClient(cl)
	begin, err := adm.ListStartOffsets(ctx, topic)
	if err == nil {
		err = begin.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("list offsets of topic %s: %w", topic, err)
	}
	end, err := adm.ListEndOffsets(ctx, topic)
	if err == nil {
		err = end.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("list offsets of topic %s: %w", topic, err)
	}
	out := map[int32]Range{}
	end.Each(func(o kadm.ListedOffset) {
		if b, ok := begin.Lookup(topic, o.Partition); ok {
			out[o.Partition] = Range{From: b.Offset, To: o.Offset}
		}
	})
	return out, nil
}

// Committed lists, by partition, the next offsets a group has committed. A partition without one is left out, and a
// group that does not exist has none.
func Committed(ctx context.Context, cl *kgo.Client, group, topic string) (map[int32]int64, error) {
	all, err := kadm.NewClient(cl).FetchOffsets(ctx, group)
	if errors.Is(err, kerr.GroupIDNotFound) {
		return map[int32]int64{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("fetch offsets of group %s: %w", group, err)
	}
	out := map[int32]int64{}
	for p, o := range all[topic] {
		if o.Err != nil {
			return nil, fmt.Errorf("fetch offsets of group %s: partition %d: %w", group, p, o.Err)
		}
		if o.At >= 0 {
			out[p] = o.At
		}
	}
	return out, nil
}
