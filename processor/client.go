package processor

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"tocsin/topics/readlog"
)

const (
	batchBytes = 1_000_012 // of every topic but the dead letters: under max.message.bytes of all of them
	// What one fetch may bring, compressed: a worker has one answer in hand, one waiting, and one under way, and unpacked
	// they are several times as large.
	fetchMaxBytes   = 2 << 20
	fetchMaxPerPart = 256 << 10
)

// groupCallbacks are the calls the client makes on its own goroutines while no poll's result is being worked on
// (rebalances are blocked from poll to allowRebalance). blocked is the exception: it is made while a rebalance waits.
type groupCallbacks struct {
	assigned, revoked, lost func(context.Context, *kgo.Client, map[string][]int32)
	blocked                 func()
	// starts is called between assigned and the first read, with where the partitions are to begin.
	starts func(context.Context, map[string]map[int32]kgo.Offset) (map[string]map[int32]kgo.Offset, error)
}

// newGroupClient makes the client of a worker: a static member of the group with transactions of its own. All its
// requests end with ctx.
func (p *Processor) newGroupClient(ctx context.Context, worker int, calls groupCallbacks) (*kgo.Client, error) {
	c := &p.config
	start := kgo.NewOffset().AtStart()
	if c.Latest {
		start = kgo.NewOffset().AtEnd()
	}
	opts := append(p.baseOptions(),
		kgo.WithContext(ctx),
		kgo.ConsumerGroup(c.App),
		kgo.InstanceID(c.memberID(worker)),
		kgo.TransactionalID(c.memberID(worker)),
		kgo.TransactionTimeout(c.Transaction),
		kgo.SessionTimeout(c.Session),
		kgo.HeartbeatInterval(c.Heartbeat),
		kgo.RebalanceTimeout(c.Session),
		kgo.Balancers(kgo.CooperativeStickyBalancer()),
		kgo.ConsumeTopics(c.Topics.Input),
		// A partition without a committed offset starts here; at which offset the end is, fixStarts says. An offset that is
		// out of range is an operator's decision and never a jump: the partition stops.
		kgo.ConsumeStartOffset(start),
		kgo.ConsumeResetOffset(kgo.NoResetOffset()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), // producers of audit events may use transactions
		kgo.FetchMaxBytes(fetchMaxBytes),
		kgo.FetchMaxPartitionBytes(fetchMaxPerPart),
		// A partition that is admitted waits for the fetch under way, which may wait for records of the others. Kafka's
		// fetch.max.wait.ms; the client's own is 5 s.
		kgo.FetchMaxWait(500*time.Millisecond),
		kgo.MaxDecompressBatchBytes(readlog.MaxDecompress), // a larger one is a dead letter
		kgo.WithPools(newPool()),
		kgo.BlockRebalanceOnPoll(),
		kgo.OnPartitionsAssigned(calls.assigned),
		kgo.OnPartitionsRevoked(calls.revoked),
		kgo.OnPartitionsLost(calls.lost),
		kgo.OnPartitionsCallbackBlocked(func(context.Context, *kgo.Client) { calls.blocked() }),
		kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.RecordPartitioner(partitioner{}),
		kgo.ProducerBatchCompression(codec(c.Compression)),
		kgo.ProducerBatchMaxBytesFn(func(topic string) int32 {
			if topic == c.Topics.DeadLetter {
				return int32(p.deadLetterMax)
			}
			return batchBytes
		}),
		// A batch is sent when it is full or the transaction ends. Sent any earlier, the few alerts and dead letters of a
		// transaction would come as a request each, of which every one costs the brokers as much as a full one.
		kgo.ProducerLinger(time.Minute),
		kgo.MaxBufferedRecords(1<<20), // a transaction is bounded by its own limits; blocking in produce would deadlock none
	)
	if c.Latest {
		opts = append(opts, kgo.AdjustFetchOffsetsFn(calls.starts))
	}
	if p.cluster.version1 {
		// Kafka's versions of this request from 5 on add the offsets implicitly, which only transaction.version 2 knows.
		v := kversion.Tip()
		v.SetMaxKeyVersion(int16(kmsg.TxnOffsetCommit), 4)
		opts = append(opts, kgo.MaxVersions(v))
	}
	cl, err := kgo.NewClient(opts...)
	if err != nil {
		return nil, fmt.Errorf("make the client of worker %d: %w", worker, err)
	}
	return cl, nil
}

func (p *Processor) baseOptions() []kgo.Opt {
	opts := make([]kgo.Opt, 0, len(p.config.Kafka)+32)
	opts = append(opts, p.config.Kafka...)
	return append(opts,
		kgo.ClientID(p.config.App),
		kgo.WithLogger(clientLog{p.config.Log}),
		// With the client's own 5 s, a transaction can stand still for as long when it is the first to write to a topic, or
		// when a leader has moved.
		kgo.MetadataMinAge(250*time.Millisecond),
	)
}

// partitioner sends what came of an input partition to the partition of the same number: changelog records exactly, the
// rest as far as the topic has as many. So all revisions of an alert are in one partition, whose order they keep, and a
// transaction writes to few partitions: each costs the brokers a batch and a marker.
type partitioner struct{}

// ForTopic implements kgo.Partitioner.
func (p partitioner) ForTopic(string) kgo.TopicPartitioner { return p }

// RequiresConsistency implements kgo.TopicPartitioner: a partition that cannot be written to is waited for.
func (partitioner) RequiresConsistency(*kgo.Record) bool { return true }

// Partition implements kgo.TopicPartitioner. The record names the input partition.
func (partitioner) Partition(r *kgo.Record, n int) int { return int(r.Partition) % n }

// DefaultCompression is that of Config.Compression.
const DefaultCompression = "none"

// Compressions are the names that Config.Compression takes.
func Compressions() []string { return []string{"none", "snappy", "lz4", "zstd", "gzip"} }

func codec(name string) kgo.CompressionCodec {
	switch name {
	case "snappy":
		return kgo.SnappyCompression()
	case "lz4":
		return kgo.Lz4Compression()
	case "zstd":
		return kgo.ZstdCompression()
	case "gzip":
		return kgo.GzipCompression()
	}
	return kgo.NoCompression()
}
