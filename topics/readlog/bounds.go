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
	return bounds(ctx, adm, adm.ListEndOffsets, topic, partitions)
}

// StableBounds is [Bounds], but ends at the last stable offset, before the first open transaction: where a consumer of
// what is committed stands when it has read everything. What is beyond may be committed elsewhere already, see the
// comment of the package.
func StableBounds(ctx context.Context, adm *kadm.Client, topic string, partitions ...int32) (map[int32]Range, error) {
	return bounds(ctx, adm, adm.ListCommittedOffsets, topic, partitions)
}

type listOffsets func(ctx context.Context, topics ...string) (kadm.ListedOffsets, error)

func bounds(
	ctx context.Context, adm *kadm.Client, listEnds listOffsets, topic string, partitions []int32,
) (map[int32]Range, error) {
	// The ends first: what is written meanwhile is beyond, and what is deleted meanwhile is not asked for.
	ends, err := listEnds(ctx, topic)
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
	found := make(map[int32]Range, len(partitions))
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
		found[p] = Range{From: start.Offset, To: end.Offset}
	}
	return found, nil
}
