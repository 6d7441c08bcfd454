package throughput

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"tocsin/processor/verify"
	"tocsin/topics"
)

// bare runs the bare loop with a number of sessions until ctx ends.
func bare(ctx context.Context, s *Settings) error {
	verifier, err := verify.New(verify.Config{Secret: []byte(s.Key)})
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	for i := range s.Workers {
		group.Go(func() error { return bareSession(ctx, s, verifier, i) })
	}
	if err := group.Wait(); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

func bareSession(ctx context.Context, s *Settings, verifier *verify.Verifier, i int) error {
	cl, err := kgo.NewGroupTransactSession(
		kgo.SeedBrokers(s.Brokers...), kgo.ConsumerGroup(s.App), kgo.ConsumeTopics(s.Input),
		kgo.TransactionalID(fmt.Sprintf("%s-%d", s.App, i)), kgo.TransactionTimeout(15*time.Second),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.Balancers(kgo.CooperativeStickyBalancer()),
		kgo.FetchMaxBytes(16<<20), kgo.FetchMaxPartitionBytes(4<<20))
	if err != nil {
		return fmt.Errorf("bare session %d: %w", i, err)
	}
	defer cl.Close()
	var event topics.Event
	scratch := verify.NewScratch()
	limits := topics.DefaultLimits()
	for ctx.Err() == nil {
		fetches := cl.PollFetches(ctx)
		if fetches.Empty() {
			continue
		}
		if err := cl.Begin(); err != nil {
			return fmt.Errorf("bare session %d: begin: %w", i, err)
		}
		for end := time.Now().Add(s.CloseAfter); ; {
			if err := fetches.Err(); err != nil && !errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
				return fmt.Errorf("bare session %d: %w", i, err)
			}
			fetches.EachRecord(func(r *kgo.Record) {
				if reason, _ := event.Decode(r.Value, nil, limits); reason == topics.ReasonNone {
					verifier.Verify(&event, scratch)
				}
			})
			if !time.Now().Before(end) {
				break
			}
			more, cancel := context.WithDeadline(ctx, end)
			fetches = cl.PollFetches(more)
			cancel()
		}
		if _, err := cl.End(context.WithoutCancel(ctx), kgo.TryCommit); err != nil {
			return fmt.Errorf("bare session %d: commit: %w", i, err)
		}
	}
	return ctx.Err()
}
