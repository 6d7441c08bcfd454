package readlog

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
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
// is where the reading stands. What was read and not passed on, as markers and the records of an aborted transaction,
// may lie between there and the batch.
func BrokenBatch(ctx context.Context, cl *kgo.Client, at BatchAt, why error) (b Batch, ok bool, err error) {
	var tooLarge *kgo.ErrDecompressTooLarge
	if errors.As(why, &tooLarge) {
		return Batch{Range{tooLarge.Offset, tooLarge.NextOffset}, tooLarge.Epoch}, true, nil
	}
	// The client's error for a batch that does not decompress has no type of its own.
	if !strings.Contains(why.Error(), "unable to decompress batch") {
		return Batch{}, false, nil
	}
	b, err = findBroken(ctx, cl, at)
	if err != nil {
		return Batch{}, true, fmt.Errorf("find the end of the broken batch at offset %d: %w", at.Offset, err)
	}
	return b, true, nil
}

// Places in the header of a record batch (Kafka protocol guide, message format version 2).
const (
	batchBaseOffset      = 0
	batchLeaderEpoch     = 12
	batchLength          = 8
	batchMagic           = 16
	batchAttributes      = 21
	batchLastOffsetDelta = 23
	batchHeaderBytes     = 61

	batchLengthEnd = 12 // what the length counts begins here
	batchCodec     = 7  // of the attributes
)

// probeBytes is what is fetched at a time to find a batch. Brokers send at least one whole batch.
const probeBytes = 1 << 20

// findBroken looks for the first batch that cannot be decompressed.
func findBroken(ctx context.Context, cl *kgo.Client, at BatchAt) (Batch, error) {
	leader, err := leaderOf(ctx, cl, at.Topic, at.Partition)
	if err != nil {
		return Batch{}, err
	}
	// The client has a limit to what comes out, and its error was another: this one cannot be exceeded up to the batch.
	decompressor := kgo.DefaultDecompressor()
	for begin := at.Offset; ; {
		raw, err := fetchBatches(ctx, cl, leader, at, begin)
		if errors.Is(err, kerr.OffsetOutOfRange) { // who has read nothing stands at 0, where the log may not begin any more
			bounds, failed := Bounds(ctx, kadm.NewClient(cl), at.Topic, at.Partition)
			if start := bounds[at.Partition].From; failed == nil && start > begin {
				begin = start
				continue
			}
		}
		if err != nil {
			return Batch{}, err
		}
		before := begin
		for len(raw) > 0 {
			b, body, codec, rest, err := cutBatch(raw)
			if err != nil {
				return Batch{}, err
			}
			if rest == nil {
				break // the last one is not whole
			}
			if _, err := decompressor.Decompress(body, codec); err != nil {
				return b, nil //nolint:nilerr // it is what was looked for
			}
			begin, raw = max(begin, b.To), rest
		}
		if begin == before {
			return Batch{}, fmt.Errorf("all batches from offset %d to %d can be decompressed", at.Offset, begin)
		}
	}
}

// cutBatch takes the first batch off. rest is nil when it is not whole.
func cutBatch(raw []byte) (b Batch, body []byte, codec kgo.CompressionCodecType, rest []byte, err error) {
	if len(raw) < batchHeaderBytes {
		return b, nil, 0, nil, nil
	}
	be := binary.BigEndian
	length := int64(int32(be.Uint32(raw[batchLength:])))
	end := batchLengthEnd + length
	if raw[batchMagic] != 2 || end < batchHeaderBytes {
		return b, nil, 0, nil, fmt.Errorf("%d bytes, not a record batch", len(raw))
	}
	if end > int64(len(raw)) {
		return b, nil, 0, nil, nil
	}
	first := int64(be.Uint64(raw[batchBaseOffset:]))
	next := first + int64(be.Uint32(raw[batchLastOffsetDelta:])) + 1
	b = Batch{Range{first, next}, int32(be.Uint32(raw[batchLeaderEpoch:]))}
	codec = kgo.CompressionCodecType(be.Uint16(raw[batchAttributes:]) & batchCodec)
	return b, raw[batchHeaderBytes:end], codec, raw[end:], nil
}

// fetchBatches fetches what lies at an offset, as it is stored.
func fetchBatches(ctx context.Context, cl *kgo.Client, leader int32, at BatchAt, offset int64) ([]byte, error) {
	req := kmsg.NewPtrFetchRequest()
	req.MaxWaitMillis, req.MinBytes, req.MaxBytes = 1000, 1, probeBytes
	t := kmsg.NewFetchRequestTopic()
	t.Topic, t.TopicID = at.Topic, at.TopicID
	p := kmsg.NewFetchRequestTopicPartition()
	p.Partition, p.FetchOffset, p.PartitionMaxBytes = at.Partition, offset, probeBytes
	t.Partitions = append(t.Partitions, p)
	req.Topics = append(req.Topics, t)
	resp, err := req.RequestWith(ctx, cl.Broker(int(leader)))
	if err != nil {
		return nil, err
	}
	if len(resp.Topics) != 1 || len(resp.Topics[0].Partitions) != 1 {
		return nil, errors.New("no answer for the partition")
	}
	answer := &resp.Topics[0].Partitions[0]
	return answer.RecordBatches, kerr.ErrorForCode(answer.ErrorCode)
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
