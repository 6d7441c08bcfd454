package readlog

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"

	"tocsin/topics"
)

// ErrBadSeal says that a record under the key of seals is none.
var ErrBadSeal = errors.New("not a seal")

// LastSeal finds the last seal in a stretch of a changelog partition; its sequence is 0 where there is none. It reads
// backwards in growing steps, for each transaction ends with its seal.
func (r *Reader) LastSeal(ctx context.Context, partition int32, all Range) (topics.Seal, error) {
	for step := int64(1000); ; step *= 10 {
		var last topics.Seal
		from := max(all.From, all.To-step)
		err := r.Seals(ctx, map[int32]Range{partition: {From: from, To: all.To}}, func(s topics.Seal) { last = s })
		if err != nil || last.Sequence > 0 || from == all.From {
			return last, err
		}
	}
}

// Seals passes on every seal in stretches of a changelog.
func (r *Reader) Seals(ctx context.Context, ranges map[int32]Range, each func(topics.Seal)) error {
	return r.Read(ctx, ranges, func(rec *kgo.Record) error {
		if !topics.IsSealKey(rec.Key) {
			return nil
		}
		s, err := topics.DecodeSeal(rec.Value)
		if err != nil {
			return fmt.Errorf("%s partition %d offset %d: %w: %w", r.Topic, rec.Partition, rec.Offset, ErrBadSeal, err)
		}
		each(s)
		return nil
	})
}
