package app

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"tocsin/processor/app/hospital"
	"tocsin/processor/detect"
	"tocsin/processor/ingest"
	"tocsin/topics"
)

// player writes a day to the input topic, at its pace: the record time is that of the day.
type player struct {
	day       *hospital.Day
	topic     string
	info      ingest.TopicInfo
	client    *kgo.Client
	pace      time.Duration
	now       func() time.Time
	tickAfter time.Duration // behind the end of the day, so that all episodes close

	sent atomic.Int64 // records handed to the client

	mu      sync.Mutex
	written *ingest.Offsets
	failed  error
}

func newPlayer(ctx context.Context, cfg *Loaded, d *hospital.Day, o *DemoOptions) (*player, error) {
	info, err := describeInput(ctx, &cfg.Config)
	if err != nil {
		return nil, err
	}
	rules, err := detect.Compile(cfg.Detect())
	if err != nil {
		return nil, err
	}
	p := &player{
		day: d, topic: cfg.Topics.Input, info: info, pace: o.Pace, now: o.Now, written: ingest.NewOffsets(),
		tickAfter: time.Duration(rules.LongestCooldown()) + time.Second,
	}
	p.client, err = cfg.kafkaClient(ingest.ClientOptions(info)...)
	return p, err
}

// play writes everything and returns when the broker has it.
func (p *player) play(ctx context.Context) error {
	began := p.now()
	for i := range p.day.Records {
		r := &p.day.Records[i]
		if p.pace > 0 {
			part := float64(r.At.Sub(p.day.Start)) / float64(p.day.End.Sub(p.day.Start))
			// Short pauses are left to add up.
			if ahead := time.Duration(part*float64(p.pace)) - p.now().Sub(began); ahead > 10*time.Millisecond {
				if err := pause(ctx, ahead); err != nil {
					return err
				}
			}
		}
		p.client.Produce(ctx, &kgo.Record{Topic: p.topic, Key: r.Key, Value: r.Value, Timestamp: r.At}, p.acknowledged)
		p.sent.Store(int64(i + 1))
	}
	for n := range p.info.Partitions {
		p.client.Produce(ctx, &kgo.Record{
			Topic: p.topic, Partition: n, Timestamp: p.day.End.Add(p.tickAfter),
			Headers: []kgo.RecordHeader{{Key: topics.HeaderTick, Value: []byte("1")}},
		}, p.acknowledged)
	}
	if err := p.client.Flush(ctx); err != nil {
		return fmt.Errorf("write the day: %w", err)
	}
	return p.failed
}

func (p *player) acknowledged(r *kgo.Record, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err == nil {
		p.written.Add(r.Partition, r.Offset)
	} else if p.failed == nil {
		p.failed = fmt.Errorf("write the day: %w", err)
	}
}

// clock is the time of the day that has been reached.
func (p *player) clock() (at time.Time, sent int) {
	sent = int(p.sent.Load())
	if sent == 0 {
		return p.day.Start, 0
	}
	return p.day.Records[sent-1].At, sent
}
