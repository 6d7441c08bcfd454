package app

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"
)

// DeadLetterCount is how many records were set aside for one reason.
type DeadLetterCount struct {
	Reason      string
	Records     int64     // dead letters: a batch that could not be read is one
	Offsets     int64     // offsets of the input that they stand for
	First, Last time.Time // set aside
	Partitions  []int32   // of the input, in order
	Error       string    // of the last of them
	Example     *DeadLetter
}

// DeadLetterStats counts the dead letters there are now by reason, the most frequent first.
func DeadLetterStats(ctx context.Context, cfg *Loaded, f DeadLetterFilter) ([]DeadLetterCount, error) {
	counts := map[string]*DeadLetterCount{}
	partitions := map[string]map[int32]struct{}{}
	err := DeadLetters(ctx, cfg, f, func(d *DeadLetter) bool {
		c := counts[d.Reason]
		if c == nil {
			c = &DeadLetterCount{Reason: d.Reason, First: d.SetAside}
			counts[d.Reason], partitions[d.Reason] = c, map[int32]struct{}{}
		}
		c.Records++
		c.Offsets += d.Last - d.First + 1
		if d.SetAside.Before(c.First) {
			c.First = d.SetAside
		}
		if !d.SetAside.Before(c.Last) {
			c.Last, c.Error, c.Example = d.SetAside, d.Error, d
		}
		partitions[d.Reason][d.DeadLetter.Partition] = struct{}{}
		return true
	})
	if err != nil {
		return nil, err
	}
	out := make([]DeadLetterCount, 0, len(counts))
	for reason, c := range counts {
		c.Partitions = slices.Sorted(maps.Keys(partitions[reason]))
		out = append(out, *c)
	}
	slices.SortFunc(out, func(a, b DeadLetterCount) int {
		return cmp.Or(cmp.Compare(b.Records, a.Records), cmp.Compare(a.Reason, b.Reason))
	})
	return out, nil
}
