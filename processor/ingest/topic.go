package ingest

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"tocsin/topics"
)

// TopicInfo is what a run must know of the input topic.
type TopicInfo struct {
	Partitions      int32
	MaxMessageBytes int32         // largest batch the topic takes
	LogAppendTime   bool          // the broker stamps records, what the producer says is overwritten
	Retention       time.Duration // how long records are kept by their record time; negative: for ever
}

// DescribeTopic asks the cluster.
func DescribeTopic(ctx context.Context, client *kgo.Client, topic string) (TopicInfo, error) {
	adm := kadm.NewClient(client)
	details, err := adm.ListTopics(ctx, topic)
	if err != nil {
		return TopicInfo{}, fmt.Errorf("describe topic %s: %w", topic, err)
	}
	if err := details[topic].Err; err != nil {
		return TopicInfo{}, fmt.Errorf("describe topic %s: %w", topic, err)
	}
	info := TopicInfo{
		Partitions:      int32(len(details[topic].Partitions)),
		MaxMessageBytes: 1 << 20,
		Retention:       -1,
	}
	configs, err := adm.DescribeTopicConfigs(ctx, topic)
	if err != nil {
		return TopicInfo{}, fmt.Errorf("describe settings of topic %s: %w", topic, err)
	}
	rc, err := configs.On(topic, nil)
	if err != nil {
		return TopicInfo{}, fmt.Errorf("describe settings of topic %s: %w", topic, err)
	}
	if rc.Err != nil {
		return TopicInfo{}, fmt.Errorf("describe settings of topic %s: %w", topic, rc.Err)
	}
	for _, c := range rc.Configs {
		switch c.Key {
		case "message.timestamp.type":
			info.LogAppendTime = c.MaybeValue() == "LogAppendTime"
		case "max.message.bytes":
			if n, err := strconv.ParseInt(c.MaybeValue(), 10, 32); err == nil {
				info.MaxMessageBytes = int32(n)
			}
		case "retention.ms":
			if n, err := strconv.ParseInt(c.MaybeValue(), 10, 64); err == nil {
				info.Retention = -1
				if n >= 0 && n < int64(1<<63-1)/int64(time.Millisecond) {
					info.Retention = time.Duration(n) * time.Millisecond
				}
			}
		}
	}
	return info, nil
}

// CheckHistoric says whether history can be written to the topic, and if not what to do.
func (t TopicInfo) CheckHistoric(topic string, ticks bool) error {
	if t.LogAppendTime {
		return fmt.Errorf("topic %s has message.timestamp.type=LogAppendTime: the broker would overwrite the record"+
			" time of history with the present; write history to a topic with CreateTime", topic)
	}
	if !ticks {
		return fmt.Errorf("input.ticks is false: the tick that ends a historic run would be judged as an event;" +
			" set input.ticks: true for the processor and here")
	}
	return nil
}

// ClientOptions are the options of the client that a run produces with: Kafka's default partitioner (murmur2 of the
// key), ticks to the partition they name, and batches as large as the topic takes.
func ClientOptions(t TopicInfo) []kgo.Opt {
	byKey := kgo.StickyKeyPartitioner(nil)
	return []kgo.Opt{
		kgo.RecordPartitioner(kgo.BasicConsistentPartitioner(func(topic string) func(*kgo.Record, int) int {
			keyed := byKey.ForTopic(topic)
			return func(r *kgo.Record, n int) int {
				if isTick(r) {
					return int(r.Partition)
				}
				return keyed.Partition(r, n)
			}
		})),
		kgo.ProducerBatchMaxBytes(t.MaxMessageBytes),
		kgo.ProducerLinger(5 * time.Millisecond),
		kgo.MaxBufferedRecords(20_000),
		kgo.MaxBufferedBytes(64 << 20),
	}
}

func isTick(r *kgo.Record) bool {
	for _, h := range r.Headers {
		if h.Key == topics.HeaderTick {
			return true
		}
	}
	return false
}
