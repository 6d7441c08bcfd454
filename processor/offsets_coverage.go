package processor

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"

	"tocsin/topics"
	"tocsin/topics/readlog"
)

// judged is what the seals topic says of a partition: where judging began, and the chain of what was judged. The zero
// value: no interval has been closed yet.
type judged struct {
	known bool
	from  int64    // of the first coverage record there still is
	chain [32]byte // of the last one
}

// judged reads the first and the last coverage record of a partition of the input.
func (o *offsets) judged(ctx context.Context, partition int32) (j judged, err error) {
	all, err := readlog.Bounds(ctx, o.adm, o.Topics.Seals)
	if err != nil {
		return j, err
	}
	// Backwards in growing steps: a busy partition writes one record a minute.
	for step := int64(10_000); !j.known; step *= 10 {
		tail, whole := make(map[int32]readlog.Range), true
		for p, log := range all {
			tail[p] = readlog.Range{From: max(log.From, log.To-step), To: log.To}
			whole = whole && tail[p].From == log.From
		}
		err := o.coverage(ctx, tail, partition, func(c topics.Coverage) error {
			j.known, j.chain = true, c.Chain
			return nil
		})
		if err != nil || whole && !j.known {
			return j, err
		}
	}
	return j, o.coverage(ctx, all, partition, func(c topics.Coverage) error {
		j.from = c.From
		return readlog.ErrEnough
	})
}

// coverage passes on the coverage records of a partition of the input. All have the same key, so they lie in one
// partition of the seals topic, in order.
func (o *offsets) coverage(
	ctx context.Context, ranges map[int32]readlog.Range, partition int32, each func(topics.Coverage) error,
) error {
	key := string(topics.CoverageKey(partition))
	r := readlog.Reader{Kafka: o.Kafka, Topic: o.Topics.Seals, StallAfter: o.StallAfter}
	return r.Read(ctx, ranges, func(rec *kgo.Record) error {
		if string(rec.Key) != key {
			return nil
		}
		c, err := topics.DecodeCoverage(rec.Value)
		if err != nil {
			// A foreign record, then. What was judged cannot be told without what it stands for, if for anything.
			return fmt.Errorf("topic %s partition %d offset %d: %w", rec.Topic, rec.Partition, rec.Offset, err)
		}
		if c.TopicID != o.input.ID {
			return nil
		}
		return each(c)
	})
}
