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

// evidenceStream is a topic of events that alerts point into.
type evidenceStream struct {
	w         *world
	topic     string
	generator *generate.Generator
}

// writeEvents makes the topic, with enough events for so many rows of evidence for each alert.
func (w *world) writeEvents(ctx context.Context, topic string, evidence int) (*evidenceStream, error) {
	// What is left over in a partition makes no alert.
	cfg := generate.Default((w.alerts + w.partitions) * max(evidence, 1))
	cfg.Malformed = 0
	g, err := generate.New(cfg)
	if err != nil {
		return nil, err
	}
	if err := produce.CreateTopic(ctx, w.reach(), topic, int32(w.partitions)); err != nil {
		return nil, err
	}
	_, err = produce.Stream(ctx, g, produce.Config{Kafka: w.reach(), Topic: topic, To: g.Records(),
		Partitions: int32(w.partitions)})
	return &evidenceStream{w, topic, g}, err
}

// writeAlerts fills a topic, which must exist, with alerts, each with so many rows of evidence. Those of one alert lie
// close together in one partition, and those of the next one in that partition behind them.
func (s *evidenceStream) writeAlerts(ctx context.Context, topic string, evidence int) error {
	cl, err := kgo.NewClient(append(s.w.reach(), kgo.ProducerBatchMaxBytes(4<<20))...)
	if err != nil {
		return err
	}
	defer cl.Close()
	var failed atomic.Pointer[error]
	write := func(a *topics.Alert) error {
		value, err := json.Marshal(a)
		if err != nil {
			return err
		}
		cl.Produce(ctx, &kgo.Record{Topic: topic, Key: []byte(a.ID), Value: value}, func(_ *kgo.Record, err error) {
			if err != nil {
				failed.CompareAndSwap(nil, &err)
			}
		})
		return nil
	}
	if err := s.each(evidence, write); err != nil {
		return err
	}
	if err := cl.Flush(ctx); err != nil {
		return err
	}
	if err := failed.Load(); err != nil {
		return fmt.Errorf("write alerts: %w", *err)
	}
	return nil
}

// each makes the alerts.
func (s *evidenceStream) each(evidence int, write func(*topics.Alert) error) error {
	if evidence == 0 {
		for i := range s.w.alerts {
			if err := write(newAlert(i)); err != nil {
				return err
			}
		}
		return nil
	}
	var (
		rec   generate.Record
		event topics.Event
		c     = s.generator.Cursor()
		next  = make([]int64, s.w.partitions) // offsets
		rows  = make([][]topics.Evidence, s.w.partitions)
	)
	for i, made := 0, 0; made < s.w.alerts; i++ {
		c.Write(i, &rec)
		if reason, err := event.Decode(rec.Value, nil, topics.DefaultLimits()); reason != topics.ReasonNone {
			return fmt.Errorf("event %d: %w", i, err)
		}
		p := generate.Partition(rec.Key, int32(s.w.partitions))
		rows[p] = append(rows[p], topics.Evidence{Role: "crossing", ID: string(event.ID), Topic: s.topic, Partition: p,
			Offset: next[p], Timestamp: topics.Timestamp(event.Time), Hash: hex.EncodeToString(make([]byte, 32)),
			Outcome: topics.OutcomeVerified.String()})
		next[p]++
		if len(rows[p]) < evidence {
			continue
		}
		a := newAlert(made)
		a.Evidence, rows[p] = rows[p], nil
		if err := write(a); err != nil {
			return err
		}
		made++
	}
	return nil
}

// newAlert is the first revision of an alert about a principal of its own.
func newAlert(i int) *topics.Alert {
	id := make([]byte, 16)
	// Ids are digests: neighbours in the log are none in the database.
	binary.BigEndian.PutUint64(id, uint64(i)*0x9e3779b97f4a7c15)
	binary.BigEndian.PutUint64(id[8:], uint64(i))
	first := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	crossing := topics.Timestamp(first.Add(time.Duration(i) * time.Second).UnixNano())
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
