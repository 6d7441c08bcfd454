package main

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"tocsin/bench/generate"
	"tocsin/bench/produce"
	"tocsin/topics"
)

// alertTopics are topics of alerts that point into a topic of events.
type alertTopics struct {
	w      *world
	events string
	next   []int64 // offsets after the events, by partition
}

// writeEvents makes the topic of events: as many as the alerts with most evidence point at.
func (w *world) writeEvents(ctx context.Context, topic string, n int) (*alertTopics, error) {
	if err := produce.CreateTopic(ctx, w.reach(), topic, int32(w.partitions)); err != nil {
		return nil, err
	}
	g, err := generate.New(generate.Default(max(n, w.partitions*100)))
	if err != nil {
		return nil, err
	}
	r, err := produce.Stream(ctx, g, produce.Config{Kafka: w.reach(), Topic: topic, To: g.Records(),
		Partitions: int32(w.partitions)})
	return &alertTopics{w, topic, r.Next}, err
}

// write fills a topic with alerts, which must exist, each with so many rows of evidence. Those of one alert lie one
// behind the other in one partition, as those of a principal do, and those of the next alert behind them.
func (t *alertTopics) write(ctx context.Context, topic string, evidence int) error {
	cl, err := kgo.NewClient(append(t.w.reach(), kgo.ProducerBatchMaxBytes(4<<20))...)
	if err != nil {
		return err
	}
	defer cl.Close()
	var failed atomic.Pointer[error]
	at := make([]int64, len(t.next))
	for i := range t.w.alerts {
		a := newAlert(i)
		partition := i % len(at)
		for range evidence {
			e := topics.Evidence{Role: "crossing", ID: fmt.Sprintf("evt-%d", at[partition]), Topic: t.events,
				Partition: int32(partition), Offset: at[partition] % t.next[partition], Timestamp: a.Crossing,
				Hash: hex.EncodeToString(make([]byte, 32)), Outcome: topics.OutcomeVerified.String()}
			at[partition]++
			a.Evidence = append(a.Evidence, e)
		}
		value, err := json.Marshal(a)
		if err != nil {
			return err
		}
		cl.Produce(ctx, &kgo.Record{Topic: topic, Key: []byte(a.ID), Value: value}, func(_ *kgo.Record, err error) {
			if err != nil {
				failed.CompareAndSwap(nil, &err)
			}
		})
	}
	if err := cl.Flush(ctx); err != nil {
		return err
	}
	if err := failed.Load(); err != nil {
		return fmt.Errorf("write alerts: %w", *err)
	}
	return nil
}

// newAlert is the first revision of an alert about a principal of its own.
func newAlert(i int) *topics.Alert {
	id := make([]byte, 16)
	// Ids are digests: neighbours in the log are none in the database.
	binary.BigEndian.PutUint64(id, uint64(i)*0x9e3779b97f4a7c15)
	binary.BigEndian.PutUint64(id[8:], uint64(i))
	crossing := topics.Timestamp(time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC).Add(time.Duration(i) * time.Second).UnixNano())
	who := fmt.Sprintf("user-%d", i)
	return &topics.Alert{
		Schema: topics.AlertSchema, ID: hex.EncodeToString(id), Revision: 1, State: topics.StateOpen,
		Rule:         topics.AlertRule{ID: "failed-auth-burst", Version: "00112233aabbccdd", Kind: "count"},
		Organization: fmt.Sprintf("org-%02d", i%20), OrganizationTrusted: true, Group: map[string]string{"principal": who},
		Severity: "HIGH", Type: "SECURITY", Title: "Many failed logins",
		Sentence:  who + " failed to log in 5 times within 5 minutes",
		FirstSeen: crossing - topics.Timestamp(time.Minute), LastSeen: crossing, Crossing: crossing,
		Span: topics.Span{First: crossing, Last: crossing}, Count: 5, Threshold: 5, Window: "5m0s",
		Verification: map[string]int64{topics.OutcomeVerified.String(): 5}, Tags: []string{"auth"}, Mode: topics.ModeLive,
	}
}
