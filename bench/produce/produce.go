// Package produce writes a generated stream to a topic, every record at the offset that the stream's expectation gives
// it: the topic must be new and nobody else may write to it.
package produce

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"tocsin/bench/generate"
	"tocsin/topics"
	"tocsin/topics/provision"
)

// Config says where to.
type Config struct {
	Kafka      []kgo.Opt // how the cluster is reached: kgo.SeedBrokers and the like
	Topic      string
	Partitions int32
	From, To   int  // records [From, To) of the stream; a later part goes on where the part before it ended
	Ticks      bool // end every partition with a closing tick
	// Progress is told now and then how many records were handed over; nil for never.
	Progress func(records int)
	// Next are the offsets at which the part begins, by partition, as the part before it ended; nil: they are counted,
	// which makes all records before it once more.
	Next []int64
	// Before is called before each record with its number, and may wait. Its error ends the stream; [ErrEnough] ends it
	// well. nil for never.
	Before func(ctx context.Context, record int) error
}

// ErrEnough ends a part of a stream early: what was handed over is written, closing ticks are not.
var ErrEnough = errors.New("enough")

// Result is what was written.
type Result struct {
	Records int
	Bytes   int64 // of keys and values
	Elapsed time.Duration
	Next    []int64 // the offset after the last record, by partition
}

// maxBytes lets values over the decoder's limit of 1 MiB through.
const maxBytes = 2 << 20

// CreateTopic makes the topic with producers' record times, which the stream needs. It must not exist.
func CreateTopic(ctx context.Context, kafka []kgo.Opt, topic string, partitions int32) error {
	return CreateTopicKeeping(ctx, kafka, topic, partitions, 0)
}

// CreateTopicKeeping is CreateTopic for a stream too long to be kept: of each partition the broker keeps so many bytes
// at least; 0 keeps all.
func CreateTopicKeeping(ctx context.Context, kafka []kgo.Opt, topic string, partitions int32, bytes int64) error {
	cl, err := kgo.NewClient(kafka...)
	if err != nil {
		return fmt.Errorf("create topic %s: %w", topic, err)
	}
	defer cl.Close()
	create, large, always := "CreateTime", fmt.Sprint(maxBytes), "-1"
	config := map[string]*string{"message.timestamp.type": &create, "max.message.bytes": &large, "retention.ms": &always}
	if bytes > 0 {
		keep, segment := fmt.Sprint(bytes), fmt.Sprint(max(maxBytes, bytes/4))
		config["retention.bytes"], config["segment.bytes"] = &keep, &segment
	}
	adm := kadm.NewClient(cl)
	if _, err = adm.CreateTopic(ctx, partitions, 1, config, topic); err != nil {
		return fmt.Errorf("create topic %s: %w", topic, err)
	}
	return provision.WaitVisible(ctx, adm, topic)
}

// Stream writes records and returns when all are acknowledged. It fails when one does not get the offset it must have.
func Stream(ctx context.Context, g *generate.Generator, cfg Config) (Result, error) {
	opts := append(append([]kgo.Opt{}, cfg.Kafka...), kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerBatchMaxBytes(maxBytes), kgo.MaxBufferedRecords(50_000), kgo.MaxBufferedBytes(128<<20),
		kgo.ProducerLinger(5*time.Millisecond))
	cl, err := kgo.NewClient(opts...)
	if err != nil {
		return Result{}, fmt.Errorf("produce to %s: %w", cfg.Topic, err)
	}
	defer cl.Close()
	w := writer{cl: cl, topic: cfg.Topic, next: make([]int64, cfg.Partitions)}
	if err := w.seek(g, cfg); err != nil {
		return Result{}, err
	}
	start := time.Now()
	c := g.Cursor()
	var rec generate.Record
	for i := cfg.From; i < cfg.To && w.failed.Load() == nil; i++ {
		if cfg.Before != nil {
			if err := cfg.Before(ctx, i); errors.Is(err, ErrEnough) {
				cfg.Ticks = false
				break
			} else if err != nil {
				return w.result, err
			}
		}
		c.Write(i, &rec)
		w.send(ctx, generate.Partition(rec.Key, cfg.Partitions), &rec, nil)
		if cfg.Progress != nil && i%50_000 == 0 {
			cfg.Progress(i - cfg.From)
		}
	}
	if cfg.Ticks {
		tick := []kgo.RecordHeader{{Key: topics.HeaderTick}}
		for p := range cfg.Partitions {
			w.send(ctx, p, &generate.Record{Timestamp: g.TickAt()}, tick)
		}
	}
	if err := cl.Flush(ctx); err != nil {
		return w.result, fmt.Errorf("produce to %s: %w", cfg.Topic, err)
	}
	if err := w.failed.Load(); err != nil {
		return w.result, fmt.Errorf("produce to %s: %w", cfg.Topic, *err)
	}
	w.result.Elapsed, w.result.Next = time.Since(start), w.next
	return w.result, nil
}

type writer struct {
	cl     *kgo.Client
	topic  string
	next   []int64 // by partition
	failed atomic.Pointer[error]
	memory []byte // what is left of the block that keys and values are copied into
	result Result
}

// seek counts the records before the part, which give the offsets it begins at.
func (w *writer) seek(g *generate.Generator, cfg Config) error {
	if cfg.From < 0 || cfg.To > g.Records() || cfg.From > cfg.To {
		return fmt.Errorf("produce records %d to %d of %d", cfg.From, cfg.To, g.Records())
	}
	if cfg.Next != nil {
		copy(w.next, cfg.Next)
		return nil
	}
	c := g.Cursor()
	var rec generate.Record
	for i := range cfg.From {
		c.At(i, &rec)
		w.next[generate.Partition(rec.Key, cfg.Partitions)]++
	}
	return nil
}

func (w *writer) send(ctx context.Context, partition int32, rec *generate.Record, headers []kgo.RecordHeader) {
	want := w.next[partition]
	w.next[partition]++
	w.result.Records++
	w.result.Bytes += int64(len(rec.Key) + len(rec.Value))
	r := &kgo.Record{Topic: w.topic, Partition: partition, Timestamp: time.Unix(0, rec.Timestamp), Headers: headers,
		Key: w.keep(rec.Key), Value: w.keep(rec.Value)}
	w.cl.Produce(ctx, r, func(r *kgo.Record, err error) {
		if err == nil && r.Offset != want {
			err = fmt.Errorf("partition %d: offset %d instead of %d: the topic was not new, or somebody else writes to it",
				r.Partition, r.Offset, want)
		}
		if err != nil {
			w.failed.CompareAndSwap(nil, &err)
		}
	})
}

// keep copies what the client holds until it is acknowledged, many records to one block.
func (w *writer) keep(b []byte) []byte {
	if len(b) > len(w.memory) {
		w.memory = make([]byte, max(1<<20, len(b)))
	}
	n := copy(w.memory, b)
	kept := w.memory[:n:n]
	w.memory = w.memory[n:]
	return kept
}

// DeleteTopic removes a topic that CreateTopic made.
func DeleteTopic(ctx context.Context, kafka []kgo.Opt, topic string) error {
	cl, err := kgo.NewClient(kafka...)
	if err != nil {
		return fmt.Errorf("delete topic %s: %w", topic, err)
	}
	defer cl.Close()
	resp, err := kadm.NewClient(cl).DeleteTopics(ctx, topic)
	if err == nil {
		err = resp.Error()
	}
	if err != nil && !errors.Is(err, kerr.UnknownTopicOrPartition) {
		return fmt.Errorf("delete topic %s: %w", topic, err)
	}
	return nil
}
