package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"tocsin/processor/replay"
	"tocsin/topics"
)

// ReplayOptions of [Replay].
type ReplayOptions struct {
	Topic      string // empty: the input topic
	From, To   string // beginning, end, an offset or a time; empty: the whole topic
	Partitions []int32
	Dir        string    // keeps the state; empty: a temporary folder, removed at the end
	Alerts     io.Writer // one line of JSON per revision; nil: they are only counted
	Now        func() time.Time
	// Progress is told how far it has come; nil for never.
	Progress func(done, total int64)
}

// Replay judges a stretch of a topic again, beside whatever runs: it commits nothing and writes to no topic.
func Replay(ctx context.Context, cfg *Loaded, o ReplayOptions) (result replay.Result, err error) {
	c := cfg.Config
	if o.Topic != "" {
		c.Topics.Input = o.Topic
	}
	defer func() { err = c.named(ctx, err, topics.DutyReplay) }()
	from, err := replay.ParseBound(o.From)
	if err != nil {
		return result, Usagef("--from: %w", err)
	}
	to := replay.End()
	if o.To != "" {
		if to, err = replay.ParseBound(o.To); err != nil {
			return result, Usagef("--to: %w", err)
		}
	}
	cfg, giveBack, err := cfg.borrowBroker(ctx)
	if err != nil {
		return result, err
	}
	defer func() { err = errors.Join(err, giveBack()) }()
	kafka, err := cfg.KafkaOptions()
	if err != nil {
		return result, err
	}
	eng, err := c.newEngine(topics.ModeReplay)
	if err != nil {
		return result, err
	}
	dir := o.Dir
	if dir == "" {
		if dir, err = os.MkdirTemp("", "tocsin-replay-"); err != nil {
			return result, fmt.Errorf("replay: make a folder for the state: %w", err)
		}
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	}
	rc := replay.Config{
		Kafka: kafka, Topic: c.Topics.Input, From: from, To: to, Partitions: o.Partitions, Engine: eng, Dir: dir,
		Alerts: o.Alerts, Now: o.Now,
	}
	if o.Progress != nil {
		rc.Progress = func(p replay.Progress) { o.Progress(p.Records, p.Records+p.Left) }
	}
	return replay.Run(ctx, rc)
}
