package processor

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// probeBatch finds the offsets of the batch at which a partition stands, from its header, which is not compressed.
func (w *worker) probeBatch(ctx context.Context, s *session, id int32, why error) (brokenBatch, error) {
	at, ok := s.cl.UncommittedOffsets()[s.input][id]
	if !ok {
		at, ok = s.cl.CommittedOffsets()[s.input][id]
	}
	if !ok {
		at.Offset = 0
	}
	probing, cancel := context.WithTimeout(context.WithoutCancel(ctx), w.proc.config.EndTimeout)
	defer cancel()
	first, next, epoch, err := batchBounds(probing, s.cl, s.input, s.inputID, id, at.Offset)
	if err != nil {
		return brokenBatch{}, fmt.Errorf("find the end of the broken batch at offset %d: %w", at.Offset, err)
	}
	return brokenBatch{first: first, next: next, epoch: epoch, err: why}, nil
}

// Places in the header of a record batch (Kafka protocol guide, message format version 2).
const (
	batchBaseOffset      = 0
	batchLeaderEpoch     = 12
	batchMagic           = 16
	batchLastOffsetDelta = 23
	batchHeaderBytes     = 61
)

// batchBounds fetches from one offset and reads the header of the first batch that comes: its first offset, the
// offset after its last, and its leader epoch.
func batchBounds(
	ctx context.Context, cl *kgo.Client, topic string, id [16]byte, partition int32, from int64,
) (first, next int64, epoch int32, err error) {
	leader, err := leaderOf(ctx, cl, topic, partition)
	if err != nil {
		return 0, 0, 0, err
	}
	req := kmsg.NewPtrFetchRequest()
	req.MaxWaitMillis, req.MinBytes, req.MaxBytes = 1000, 1, 1
	t := kmsg.NewFetchRequestTopic()
	t.Topic, t.TopicID = topic, id
	p := kmsg.NewFetchRequestTopicPartition()
	p.Partition, p.FetchOffset, p.PartitionMaxBytes = partition, from, 1
	t.Partitions = append(t.Partitions, p)
	req.Topics = append(req.Topics, t)
	resp, err := req.RequestWith(ctx, cl.Broker(int(leader)))
	if err != nil {
		return 0, 0, 0, err
	}
	if len(resp.Topics) != 1 || len(resp.Topics[0].Partitions) != 1 {
		return 0, 0, 0, errors.New("no answer for the partition")
	}
	answer := &resp.Topics[0].Partitions[0]
	if err := kerr.ErrorForCode(answer.ErrorCode); err != nil {
		return 0, 0, 0, err
	}
	b := answer.RecordBatches
	if len(b) < batchHeaderBytes || b[batchMagic] != 2 {
		return 0, 0, 0, fmt.Errorf("%d bytes, not a record batch", len(b))
	}
	be := binary.BigEndian
	first = int64(be.Uint64(b[batchBaseOffset:]))
	return first, first + int64(be.Uint32(b[batchLastOffsetDelta:])) + 1, int32(be.Uint32(b[batchLeaderEpoch:])), nil
}

func leaderOf(ctx context.Context, cl *kgo.Client, topic string, partition int32) (int32, error) {
	req := kmsg.NewPtrMetadataRequest()
	t := kmsg.NewMetadataRequestTopic()
	t.Topic = &topic
	req.Topics = append(req.Topics, t)
	resp, err := req.RequestWith(ctx, cl)
	if err != nil {
		return 0, err
	}
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			if p.Partition == partition && p.ErrorCode == 0 {
				return p.Leader, nil
			}
		}
	}
	return 0, fmt.Errorf("topic %s partition %d has no leader", topic, partition)
}
