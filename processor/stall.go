package processor

import (
	"context"
	"fmt"
	"strings"
	"time"
	"unicode/utf16"

	"github.com/twmb/franz-go/pkg/kadm"
)

// describeStall says what holds back the readers of one partition: the transactions that are open on it, by name. It
// is what an operator needs when a restore stands still.
func describeStall(ctx context.Context, adm *kadm.Client, topic string, partition int32) string {
	set := kadm.TopicsSet{}
	set.Add(topic, partition)
	topics, err := adm.DescribeProducers(ctx, set)
	if err != nil {
		return fmt.Sprintf("the producers of %s partition %d cannot be described: %v", topic, partition, err)
	}
	var ids []int64
	var open []kadm.DescribedProducer
	for _, p := range topics.SortedProducers() {
		if p.CurrentTxnStartOffset >= 0 {
			ids = append(ids, p.ProducerID)
			open = append(open, p)
		}
	}
	if len(open) == 0 {
		return fmt.Sprintf("no transaction is open on %s partition %d; compare its end with its leader's log: records may "+
			"have been truncated", topic, partition)
	}
	names := transactionNames(ctx, adm, ids)
	texts := make([]string, len(open))
	for i, p := range open {
		name := names[p.ProducerID]
		if name == "" {
			name = "of unknown name"
		}
		texts[i] = fmt.Sprintf("transaction %s (producer id %d epoch %d), open from offset %d, last written %s",
			name, p.ProducerID, p.ProducerEpoch, p.CurrentTxnStartOffset,
			time.UnixMilli(p.LastTimestamp).UTC().Format(time.RFC3339))
	}
	return fmt.Sprintf("%s partition %d waits for: %s; a broker ends a transaction after its timeout; one that hangs for "+
		"longer was lost by its coordinator and is ended with: kafka-transactions.sh --bootstrap-server … abort --topic %s "+
		"--partition %d --start-offset %d", topic, partition, strings.Join(texts, "; "), topic, partition,
		open[0].CurrentTxnStartOffset)
}

// describeGroupStall says what keeps a group's offsets pending.
func describeGroupStall(ctx context.Context, adm *kadm.Client, group string) string {
	const topic = "__consumer_offsets"
	listed, err := adm.ListTopicsWithInternal(ctx, topic)
	if err == nil {
		err = listed[topic].Err
	}
	if err != nil {
		return fmt.Sprintf("what keeps them pending is not known: %v", err)
	}
	partitions := len(listed[topic].Partitions)
	if partitions == 0 {
		return "what keeps them pending is not known: the brokers do not show " + topic
	}
	return describeStall(ctx, adm, topic, groupPartition(group, partitions))
}

// groupPartition is the partition of __consumer_offsets that holds a group: Java's String.hashCode without its sign,
// modulo their number.
func groupPartition(group string, partitions int) int32 {
	var h int32
	for _, u := range utf16.Encode([]rune(group)) {
		h = 31*h + int32(u)
	}
	return (h & 0x7fffffff) % int32(partitions)
}

// transactionNames finds the transactional ids of producers, with their state, as far as the cluster tells.
func transactionNames(ctx context.Context, adm *kadm.Client, producers []int64) map[int64]string {
	listed, err := adm.ListTransactions(ctx, producers, nil)
	if err != nil && len(listed) == 0 {
		return nil // a diagnosis without names is better than none
	}
	names := make(map[int64]string, len(listed))
	for _, t := range listed.Sorted() {
		names[t.ProducerID] = fmt.Sprintf("%q, state %s", t.TxnID, t.State)
	}
	return names
}
