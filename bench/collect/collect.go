// Package collect reads what a run has written, as far as it is committed, for comparison with what it should have.
package collect

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"tocsin/bench/generate"
	"tocsin/topics"
)

// Records reads a topic from its start to its end of now, read committed, and visits every record, each partition in
// order. Open transactions below that end are waited for.
func Records(ctx context.Context, kafka []kgo.Opt, topic string, visit func(*kgo.Record) error) error {
	adminClient, err := kgo.NewClient(kafka...)
	if err != nil {
		return fmt.Errorf("read %s: %w", topic, err)
	}
	defer adminClient.Close()
	adm := kadm.NewClient(adminClient)
	starts, err := adm.ListStartOffsets(ctx, topic)
	if err == nil {
		err = starts.Error()
	}
	if err != nil {
		return fmt.Errorf("read %s: start offsets: %w", topic, err)
	}
	ends, err := adm.ListEndOffsets(ctx, topic)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return fmt.Errorf("read %s: end offsets: %w", topic, err)
	}
	from := map[int32]kgo.Offset{}
	ends.Each(func(end kadm.ListedOffset) {
		if start, _ := starts.Lookup(topic, end.Partition); start.Offset < end.Offset {
			from[end.Partition] = kgo.NewOffset().At(start.Offset)
		}
	})
	if len(from) == 0 {
		return nil
	}
	cl, err := kgo.NewClient(append(append([]kgo.Opt{}, kafka...), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.KeepControlRecords(), // the last record before the end may be one
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: from}))...)
	if err != nil {
		return fmt.Errorf("read %s: %w", topic, err)
	}
	defer cl.Close()
	for len(from) > 0 {
		fetches := cl.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return fmt.Errorf("read %s: %w", topic, err)
		}
		for it := fetches.RecordIter(); !it.Done(); {
			r := it.Next()
			if end, _ := ends.Lookup(topic, r.Partition); r.Offset >= end.Offset-1 {
				delete(from, r.Partition)
			}
			if r.Attrs.IsControl() {
				continue
			}
			if err := visit(r); err != nil {
				return fmt.Errorf("read %s: partition %d offset %d: %w", topic, r.Partition, r.Offset, err)
			}
		}
	}
	return nil
}

// Alerts reads all revisions in an alerts topic.
func Alerts(ctx context.Context, kafka []kgo.Opt, topic string) ([]topics.Alert, error) {
	var alerts []topics.Alert
	err := Records(ctx, kafka, topic, func(r *kgo.Record) error {
		var a topics.Alert
		if err := json.Unmarshal(r.Value, &a); err != nil {
			return err
		}
		if string(r.Key) != a.ID {
			return fmt.Errorf("key %q of alert %s", r.Key, a.ID)
		}
		alerts = append(alerts, a)
		return nil
	})
	return alerts, err
}

// DeadLetters reads where the records of a dead-letter topic come from and why they were set aside.
func DeadLetters(ctx context.Context, kafka []kgo.Opt, topic string) ([]generate.DeadLetter, error) {
	var letters []generate.DeadLetter
	err := Records(ctx, kafka, topic, func(r *kgo.Record) error {
		headers := map[string]string{}
		for _, h := range r.Headers {
			headers[h.Key] = string(h.Value)
		}
		partition, err := strconv.ParseInt(headers[topics.HeaderOriginPartition], 10, 32)
		if err != nil {
			return fmt.Errorf("origin partition: %w", err)
		}
		offset, err := strconv.ParseInt(headers[topics.HeaderOriginOffset], 10, 64)
		if err != nil {
			return fmt.Errorf("origin offset: %w", err)
		}
		reason, ok := topics.ParseReason(headers[topics.HeaderReason])
		if !ok {
			return fmt.Errorf("reason %q is none of ours", headers[topics.HeaderReason])
		}
		letters = append(letters, generate.DeadLetter{Partition: int32(partition), Offset: offset, Reason: reason})
		return nil
	})
	return letters, err
}
