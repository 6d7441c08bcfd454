package throughput

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"tocsin/processor/verify"
	"tocsin/topics"
)

// bare runs a bare loop with a number of sessions until ctx ends.
func bare(ctx context.Context, s *Settings) error {
	verifier, err := verify.New(verify.Config{Secret: []byte(s.Key)})
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	for i := range s.Workers {
		group.Go(func() error {
			var err error
			if s.Kind == Consume {
				err = consume(ctx, s)
			} else {
				err = transact(ctx, s, verifier, i)
			}
			if err != nil && !errors.Is(err, context.Canceled) {
				return fmt.Errorf("session %d: %w", i, err)
			}
			return err
		})
	}
	if err := group.Wait(); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// consuming are the options of every bare loop's consumer.
func consuming(s *Settings) []kgo.Opt {
	return []kgo.Opt{
		kgo.SeedBrokers(s.Brokers...), kgo.ConsumerGroup(s.App), kgo.ConsumeTopics(s.Input),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.Balancers(kgo.CooperativeStickyBalancer()),
		kgo.FetchMaxBytes(16 << 20), kgo.FetchMaxPartitionBytes(4 << 20),
	}
}

// consume looks at no record, and commits without transactions.
func consume(ctx context.Context, s *Settings) error {
	cl, err := kgo.NewClient(append(consuming(s), kgo.AutoCommitInterval(max(s.CloseAfter, 100*time.Millisecond)))...)
	if err != nil {
		return err
	}
	defer cl.Close()
	for ctx.Err() == nil {
		if err := cl.PollFetches(ctx).Err(); err != nil && ctx.Err() == nil {
			return err
		}
	}
	return ctx.Err()
}

// transact decodes and verifies, and commits offsets in transactions. The loop that writes adds a changelog record for
// each key of a transaction.
func transact(ctx context.Context, s *Settings, verifier *verify.Verifier, i int) error {
	options := append(consuming(s), kgo.TransactionalID(fmt.Sprintf("%s-%d", s.App, i)),
		kgo.TransactionTimeout(15*time.Second))
	var changes *changes
	if s.Kind == Write {
		changes = newChanges(s)
		options = append(options, kgo.RecordPartitioner(kgo.ManualPartitioner()),
			kgo.ProducerBatchCompression(kgo.NoCompression())) // as the job does by default
	}
	cl, err := kgo.NewGroupTransactSession(options...)
	if err != nil {
		return err
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
			return fmt.Errorf("begin: %w", err)
		}
		for end := time.Now().Add(s.CloseAfter); ; {
			if err := fetches.Err(); err != nil && !errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
				return err
			}
			fetches.EachRecord(func(r *kgo.Record) {
				if reason, _ := event.Decode(r.Value, nil, limits); reason == topics.ReasonNone {
					verifier.Verify(&event, scratch)
				}
				if changes != nil {
					changes.touch(r)
				}
			})
			if !time.Now().Before(end) {
				break
			}
			more, cancel := context.WithDeadline(ctx, end)
			fetches = cl.PollFetches(more)
			cancel()
		}
		if changes != nil {
			changes.produce(ctx, cl)
		}
		if _, err := cl.End(context.WithoutCancel(ctx), kgo.TryCommit); err != nil {
			return fmt.Errorf("commit: %w", err)
		}
	}
	return ctx.Err()
}

// changes are the keys that a transaction has touched, by partition.
type changes struct {
	topic   string
	touched map[int32]map[string]struct{}
	random  []byte
	written int
}

// changeBytes is the size of the record that stands for a key's state. It does not shrink by compression, as the
// digests do not that ours is made of.
const changeBytes = 300

func newChanges(s *Settings) *changes {
	c := &changes{topic: s.Processor().Changelog(), touched: map[int32]map[string]struct{}{}, random: make([]byte, 1<<20)}
	_, _ = rand.NewChaCha8([32]byte{}).Read(c.random) // never fails
	return c
}

func (c *changes) touch(r *kgo.Record) {
	keys := c.touched[r.Partition]
	if keys == nil {
		keys = map[string]struct{}{}
		c.touched[r.Partition] = keys
	}
	if _, ok := keys[string(r.Key)]; !ok {
		keys[string(r.Key)] = struct{}{}
	}
}

func (c *changes) produce(ctx context.Context, cl *kgo.GroupTransactSession) {
	for partition, keys := range c.touched {
		for key := range keys {
			from := c.written * 97 % (len(c.random) - changeBytes)
			c.written++
			cl.Produce(ctx, &kgo.Record{Topic: c.topic, Partition: partition, Key: []byte(key),
				Value: slices.Clip(c.random[from : from+changeBytes])}, nil) // what fails, fails the transaction
		}
		clear(keys)
	}
}
