package program

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"
)

// Unread gives how many offsets of the input the group has not committed yet.
func (a *Application) Unread(ctx context.Context, adm *kadm.Client) (int64, error) {
	ends, err := adm.ListEndOffsets(ctx, a.Input())
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return 0, fmt.Errorf("ends of the input: %w", err)
	}
	committed, err := adm.FetchOffsets(ctx, a.ID)
	if err != nil {
		return 0, fmt.Errorf("offsets of the group: %w", err)
	}
	var n int64
	ends.Each(func(o kadm.ListedOffset) {
		n += o.Offset
		if c, ok := committed.Lookup(o.Topic, o.Partition); ok && c.At > 0 {
			n -= c.At
		}
	})
	return n, nil
}

// OpenTransactions counts the changelog partitions that a transaction is open on.
func (a *Application) OpenTransactions(ctx context.Context, adm *kadm.Client) (int, error) {
	var set kadm.TopicsSet
	for p := range int32(a.Partitions) {
		set.Add(a.Changelog(), p)
	}
	described, err := adm.DescribeProducers(ctx, set)
	if err != nil {
		return 0, fmt.Errorf("producers of the changelog: %w", err)
	}
	open := 0
	described.EachProducer(func(p kadm.DescribedProducer) {
		if p.CurrentTxnStartOffset >= 0 {
			open++
		}
	})
	return open, nil
}
