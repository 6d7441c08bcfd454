package ingest

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

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
