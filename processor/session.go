package processor

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// session is one client of the group together with its transactions. It is used by one goroutine.
//
// It is written against the client's own transactions and not against its GroupTransactSession; doc.go has the
// reasons.
type session struct {
	cl       *kgo.Client
	group    string
	txnID    string
	instance string // empty: a dynamic member
	input    string
	inputID  [16]byte
	version1 bool // transaction.version 1: offsets must be added to the transaction by a request of their own

	open       bool // between begin and the end
	member     string
	generation int32 // of the group when the transaction began: the fence
	produced   produced
	promise    func(*kgo.Record, error) // of produced, bound once per transaction

	at func(Point) // tells the probe
}

// begin opens a transaction. The records polled before belong to the group generation noted here: rebalances are
// blocked from the poll to allowRebalance, so the member cannot have lost them in between without the generation
// changing, and an offset commit under another generation is refused by the broker.
func (s *session) begin() error {
	member, generation := s.cl.GroupMetadata()
	if member == "" || generation < 0 {
		// The broker takes a transaction's offsets without member and generation from anybody, whoever the members are.
		return errors.New("begin a transaction: not a member of the group")
	}
	if err := s.cl.BeginTransaction(); err != nil {
		return fmt.Errorf("begin a transaction: %w", err)
	}
	s.open, s.member, s.generation = true, member, generation
	s.produced.reset()
	s.promise = s.produced.promise
	return nil
}

// produce adds a record to the transaction. The record and what it points to must stay as they are until end or
// abort.
func (s *session) produce(ctx context.Context, r *kgo.Record) {
	s.produced.expect()
	s.cl.Produce(ctx, r, s.promise)
}

// commitOffsets adds the input offsets to the transaction, under the generation noted by begin.
func (s *session) commitOffsets(ctx context.Context, offsets []offset) error {
	if len(offsets) == 0 {
		return errors.New("a transaction without input offsets is not fenced")
	}
	id, epoch, err := s.cl.ProducerID(ctx)
	if err != nil {
		return fmt.Errorf("producer id: %w", err)
	}
	if s.version1 {
		if err := s.addOffsets(ctx, id, epoch); err != nil {
			return err
		}
	}
	req := kmsg.NewPtrTxnOffsetCommitRequest()
	req.TransactionalID, req.Group = s.txnID, s.group
	req.ProducerID, req.ProducerEpoch = id, epoch
	req.MemberID, req.Generation = s.member, s.generation
	if s.instance != "" {
		req.InstanceID = &s.instance
	}
	t := kmsg.NewTxnOffsetCommitRequestTopic()
	t.Topic, t.TopicID = s.input, s.inputID
	for _, o := range offsets {
		p := kmsg.NewTxnOffsetCommitRequestTopicPartition()
		mark := s.mark(&o)
		p.Partition, p.Offset, p.LeaderEpoch, p.Metadata = o.partition, o.next, o.epoch, &mark
		t.Partitions = append(t.Partitions, p)
	}
	req.Topics = append(req.Topics, t)
	resp, err := req.RequestWith(ctx, s.cl)
	if err != nil {
		return err
	}
	n := 0
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
				return fmt.Errorf("partition %d: %w", p.Partition, err)
			}
			n++
		}
	}
	if n != len(offsets) {
		return fmt.Errorf("%d of %d partitions were answered", n, len(offsets))
	}
	return nil
}

// mark is the metadata of a committed offset: which transaction committed it. A transaction may commit the offset that
// is there already, and must be recognised all the same.
func (s *session) mark(o *offset) string { return fmt.Sprintf("%s %d", s.txnID, o.sequence) }

func (s *session) addOffsets(ctx context.Context, id int64, epoch int16) error {
	req := kmsg.NewPtrAddOffsetsToTxnRequest()
	req.TransactionalID, req.ProducerID, req.ProducerEpoch, req.Group = s.txnID, id, epoch, s.group
	resp, err := req.RequestWith(ctx, s.cl)
	if err == nil {
		err = kerr.ErrorForCode(resp.ErrorCode)
	}
	if err != nil {
		return fmt.Errorf("add the offsets to the transaction: %w", err)
	}
	return nil
}

// produced collects the acknowledgements of one transaction: how many, the first error, and the end of each changelog
// partition. Acknowledgements come on a goroutine of the client.
type produced struct {
	changelog string

	mu    sync.Mutex
	acked int
	err   error
	ends  []int64 // changelog partition → offset after the last record acknowledged, -1 for none

	waiting int // only used by the goroutine of the session
}

func (p *produced) reset() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.acked, p.err, p.waiting = 0, nil, 0
	for i := range p.ends {
		p.ends[i] = -1
	}
}

func (p *produced) expect() { p.waiting++ }

func (p *produced) promise(r *kgo.Record, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err != nil {
		if p.err == nil {
			p.err = fmt.Errorf("a record of topic %s partition %d: %w", r.Topic, r.Partition, err)
		}
		return
	}
	p.acked++
	if r.Topic == p.changelog && int(r.Partition) < len(p.ends) {
		p.ends[r.Partition] = max(p.ends[r.Partition], r.Offset+1)
	}
}

// failure is the first error, or one that says records are not acknowledged yet.
func (p *produced) failure() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err == nil && p.acked != p.waiting {
		return fmt.Errorf("%d of %d records were acknowledged", p.acked, p.waiting)
	}
	return p.err
}

func (p *produced) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.acked
}

func (p *produced) end(partition int32) int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ends[partition]
}

// seek moves the client's reading position. It reports whether the client knew all of the partitions: one of which it
// has neither read a record nor seen a committed offset cannot be moved. It may be called only while rebalances are
// blocked.
func (s *session) seek(to map[int32]kgo.EpochOffset) bool {
	if len(to) == 0 {
		return true
	}
	s.cl.SetOffsets(map[string]map[int32]kgo.EpochOffset{s.input: to})
	known := s.cl.CommittedOffsets()[s.input] // set by SetOffsets for each it knows
	for p := range to {
		if _, ok := known[p]; !ok {
			return false
		}
	}
	return true
}

// replaced asks the group whether another process has taken this member's place. The answer is nil when it has not,
// or cannot be had.
func (s *session) replaced(ctx context.Context) error {
	req := kmsg.NewPtrHeartbeatRequest()
	req.Group, req.MemberID, req.Generation, req.InstanceID = s.group, s.member, s.generation, &s.instance
	resp, err := req.RequestWith(ctx, s.cl)
	if err == nil {
		err = kerr.ErrorForCode(resp.ErrorCode)
	}
	if errors.Is(err, kerr.FencedInstanceID) {
		return err
	}
	return nil // an answer that cannot be had says nothing
}
