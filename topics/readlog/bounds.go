package readlog

import (
	"context"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kadm"
)

// Range is a stretch of one partition: the offsets [From, To).
type Range struct{ From, To int64 }

// Bounds lists what partitions of a topic hold now, from the log start to the high watermark, open transactions
// included: the partitions that are named, or all of them.
func Bounds(ctx context.Context, adm *kadm.Client, topic string, partitions ...int32) (map[int32]Range, error) {
	// The ends first: what is written meanwhile is beyond, and what is deleted meanwhile is not asked for.
	ends, err := adm.ListEndOffsets(ctx, topic)
	if err != nil {
		return nil, fmt.Errorf("list the end of %s: %w", topic, err)
	}
	starts, err := adm.ListStartOffsets(ctx, topic)
	if err != nil {
		return nil, fmt.Errorf("list the start of %s: %w", topic, err)
	}
	if len(partitions) == 0 {
		if err := ends.Error(); err != nil {
			return nil, fmt.Errorf("list the end of %s: %w", topic, err)
		}
		ends.Each(func(o kadm.ListedOffset) { partitions = append(partitions, o.Partition) })
		slices.Sort(partitions)
	}
	bounds := make(map[int32]Range, len(partitions))
	for _, p := range partitions {
		end, ok := ends.Lookup(topic, p)
		start, ok2 := starts.Lookup(topic, p)
		switch {
		case !ok || !ok2:
			return nil, fmt.Errorf("topic %s has no partition %d", topic, p)
		case end.Err != nil:
			return nil, fmt.Errorf("list the end of %s partition %d: %w", topic, p, end.Err)
		case start.Err != nil:
			return nil, fmt.Errorf("list the start of %s partition %d: %w", topic, p, start.Err)
		}
		bounds[p] = Range{From: start.Offset, To: end.Offset}
	}
	return bounds, nil
}
