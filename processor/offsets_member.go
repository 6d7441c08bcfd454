package processor

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"tocsin/state"
	"tocsin/topics"
	"tocsin/topics/provision"
)

const (
	joinWithin         = time.Minute
	replaceTransaction = 10 * time.Minute // it may hold all the state of a partition; brokers allow 15 by default
)

// soleMember is a member of the group that has all its partitions. As long as it is alone the group's generation does
// not change, and when it does the broker refuses its transaction: the fence that processors use among themselves.
type soleMember struct {
	o          *offsets
	cl         *kgo.Client
	s          *session
	generation int32 // when it had got all partitions
}

// join becomes the only member of the group.
func (o *offsets) join(ctx context.Context) (*soleMember, error) {
	version, err := provision.TransactionVersion(ctx, o.adm)
	if err != nil {
		return nil, err
	}
	var (
		mu       sync.Mutex
		assigned = make(map[int32]bool)
		all      = make(chan struct{})
	)
	txnID := o.App + "-offsets"
	opts := append(append([]kgo.Opt{}, o.Kafka...),
		kgo.ConsumerGroup(o.App),
		kgo.ConsumeTopics(o.Topics.Input),
		kgo.Balancers(kgo.CooperativeStickyBalancer()),
		kgo.DisableAutoCommit(),
		kgo.ConsumeResetOffset(kgo.NoResetOffset()),
		kgo.OnPartitionsAssigned(func(_ context.Context, cl *kgo.Client, added map[string][]int32) {
			cl.PauseFetchPartitions(added) // nothing is read
			mu.Lock()
			defer mu.Unlock()
			before := len(assigned)
			for _, p := range added[o.Topics.Input] {
				assigned[p] = true
			}
			if before < len(assigned) && len(assigned) == int(o.input.Partitions) {
				close(all)
			}
		}),
		kgo.TransactionalID(txnID),
		kgo.TransactionTimeout(replaceTransaction),
		kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.RecordPartitioner(partitioner{}),
		kgo.ProducerBatchMaxBytes(batchBytes),
	)
	if version < 2 {
		v := kversion.Tip() // see newGroupClient
		v.SetMaxKeyVersion(int16(kmsg.TxnOffsetCommit), 4)
		opts = append(opts, kgo.MaxVersions(v))
	}
	cl, err := kgo.NewClient(opts...)
	if err != nil {
		return nil, fmt.Errorf("make the Kafka client: %w", err)
	}
	m := &soleMember{o: o, cl: cl, s: &session{
		cl: cl, group: o.App, txnID: txnID, input: o.Topics.Input, inputID: o.input.ID, version1: version < 2,
		produced: produced{changelog: o.Topics.Changelog, ends: make([]int64, o.input.Partitions)}, at: func(Point) {},
	}}
	waiting := time.NewTimer(joinWithin)
	defer waiting.Stop()
	select {
	case <-all:
		_, m.generation = cl.GroupMetadata()
		return m, nil
	case <-waiting.C:
		err = fmt.Errorf("group %s did not give all partitions within %s: is a processor running?", o.App, joinWithin)
	case <-ctx.Done():
		err = ctx.Err()
	}
	m.close()
	return nil, err
}

// alone says whether nobody has joined since.
func (m *soleMember) alone() error {
	if _, generation := m.cl.GroupMetadata(); generation != m.generation {
		return fmt.Errorf("somebody has joined group %s: stop all processors first", m.o.App)
	}
	return nil
}

// close leaves the group.
func (m *soleMember) close() { m.cl.CloseAllowingRebalance() }

// replace writes what the store holds of the partition, with the seal, the offset and the record of what was done.
func (m *soleMember) replace(
	ctx context.Context, from *state.Store, seal topics.Seal, change OffsetChange, p *OffsetPlan, done *Replaced,
) error {
	if err := m.s.begin(); err != nil {
		return err
	}
	m.s.generation = m.generation // under another one it would be somebody's beside us
	var (
		rolling topics.Rolling
		sum     topics.Sum
	)
	rolling.Reset([32]byte{})
	err := from.Visit(statePartition(p.Partition), func(key, value []byte) error {
		rolling.Add(key, value)
		sum.Add(topics.ChangeHash(key, value))
		done.Records++
		m.s.produce(ctx, &kgo.Record{
			Topic: m.o.Topics.Changelog, Partition: p.Partition,
			Key: append([]byte(nil), key...), Value: append([]byte{}, value...),
		})
		return ctx.Err()
	})
	if err == nil && sum != seal.Sum {
		err = fmt.Errorf("the state that was given is damaged: its sum is %s, its seal says %s", sum, seal.Sum)
	}
	rec, recErr := m.o.record(*p, change, &replayed{
		From: done.Stretch.From, To: done.Stretch.To, Records: done.Records, Exact: done.Exact,
	})
	if err == nil {
		err = recErr
	}
	committing := []offset{{partition: p.Partition, next: p.Target, epoch: -1, before: p.Committed}}
	if err != nil {
		_, err = m.s.abort(context.WithoutCancel(ctx), committing, err)
		return err
	}
	seal.Rolling = rolling.Sum()
	m.s.produce(ctx, &kgo.Record{
		Topic: m.o.Topics.Changelog, Partition: p.Partition, Key: []byte(topics.SealKey), Value: seal.Append(nil),
	})
	m.s.produce(ctx, rec)
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), replaceTransaction)
	defer cancel()
	result, err := m.s.end(ending, committing)
	switch result {
	case committed:
		return nil
	case aborted:
		return fmt.Errorf("nothing was written, try again: %w", err)
	}
	return fmt.Errorf("it is not known whether it was written (`tocsin offsets plan` says it): %w", err)
}
