package readlog

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Batch is a record batch as its header describes it.
type Batch struct {
	Range

	Epoch int32 // of the leader that wrote it
}

// BatchAt is the place of a batch.
type BatchAt struct {
	Topic     string
	TopicID   [16]byte
	Partition int32
	Offset    int64 // of the batch, or within it
}

// BrokenBatch says whether an error of a fetch means a batch that cannot be decompressed, and where that batch is. at
// is where the reading stands; only the header is read there, which is not compressed.
func BrokenBatch(ctx context.Context, cl *kgo.Client, at BatchAt, why error) (b Batch, ok bool, err error) {
	var tooLarge *kgo.ErrDecompressTooLarge
	if errors.As(why, &tooLarge) {
		return Batch{Range{tooLarge.Offset, tooLarge.NextOffset}, tooLarge.Epoch}, true, nil
	}
	// The client's error for a batch that does not decompress has no type of its own.
	if !strings.Contains(why.Error(), "unable to decompress batch") {
		return Batch{}, false, nil
	}
	b, err = batchBounds(ctx, cl, at)
	if err != nil {
		return Batch{}, true, fmt.Errorf("find the end of the broken batch at offset %d: %w", at.Offset, err)
	}
	return b, true, nil
}

// Places in the header of a record batch (Kafka protocol guide, message format version 2).
const (
	batchBaseOffset      = 0
	batchLeaderEpoch     = 12
	batchMagic           = 16
	batchLastOffsetDelta = 23
	batchHeaderBytes     = 61
)

// batchBounds fetches from one offset and reads the header of the first batch that comes.
func batchBounds(ctx context.Context, cl *kgo.Client, at BatchAt) (Batch, error) {
	leader, err := leaderOf(ctx, cl, at.Topic, at.Partition)
	if err != nil {
		return Batch{}, err
	}
	req := kmsg.NewPtrFetchRequest()
	req.MaxWaitMillis, req.MinBytes, req.MaxBytes = 1000, 1, 1
	t := kmsg.NewFetchRequestTopic()
	t.Topic, t.TopicID = at.Topic, at.TopicID
	p := kmsg.NewFetchRequestTopicPartition()
	p.Partition, p.FetchOffset, p.PartitionMaxBytes = at.Partition, at.Offset, 1
	t.Partitions = append(t.Partitions, p)
	req.Topics = append(req.Topics, t)
	resp, err := req.RequestWith(ctx, cl.Broker(int(leader)))
	if err != nil {
		return Batch{}, err
	}
	if len(resp.Topics) != 1 || len(resp.Topics[0].Partitions) != 1 {
		return Batch{}, errors.New("no answer for the partition")
	}
	answer := &resp.Topics[0].Partitions[0]
	if err := kerr.ErrorForCode(answer.ErrorCode); err != nil {
		return Batch{}, err
	}
	b := answer.RecordBatches
	if len(b) < batchHeaderBytes || b[batchMagic] != 2 {
		return Batch{}, fmt.Errorf("%d bytes, not a record batch", len(b))
	}
	be := binary.BigEndian
	first := int64(be.Uint64(b[batchBaseOffset:]))
	next := first + int64(be.Uint32(b[batchLastOffsetDelta:])) + 1
	return Batch{Range{first, next}, int32(be.Uint32(b[batchLeaderEpoch:]))}, nil
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
