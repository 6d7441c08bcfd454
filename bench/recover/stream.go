package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tocsin/bench/generate"
	"tocsin/bench/produce"
	"tocsin/bench/run"
	"tocsin/topics"
)

// stream is the events of one topic, which are written a part at a time: first one of each key, then ordinary ones.
type stream struct {
	generator *generate.Generator
	config    produce.Config // of the next part
}

// loadTime is how long a stream can keep its rate.
const loadTime = 2 * time.Hour

// newStream makes a topic and the events for it. They are -rate a second by their own times too, in the daytime of
// off-hours-access.
func (w *world) newStream(ctx context.Context, topic string) (*stream, error) {
	cfg := generate.Default(w.keys + w.rate*int(loadTime/time.Second))
	cfg.Seed, cfg.Census, cfg.Principals, cfg.Attacks, cfg.Downgrades = w.seed, w.keys, int64(w.keys), 0, 0
	cfg.Start = time.Date(2026, 3, 2, 6, 0, 0, 0, time.UTC)
	cfg.Duration = min(time.Duration(float64(cfg.Records)/float64(w.rate)*float64(time.Second)), 15*time.Hour)
	g, err := generate.New(cfg)
	if err != nil {
		return nil, err
	}
	if err := produce.CreateTopic(ctx, w.reach(), topic, int32(w.partitions)); err != nil {
		return nil, err
	}
	return &stream{g, produce.Config{Kafka: w.reach(), Topic: topic, Partitions: int32(w.partitions),
		Next: make([]int64, w.partitions)}}, nil
}

// makeState makes a process's topics and an event of each key, lets it judge them and stops it. What comes next in the
// stream are ordinary events.
func (w *world) makeState(ctx context.Context, n *node) (*stream, error) {
	s, err := w.newStream(ctx, n.Input)
	if err != nil {
		return nil, err
	}
	roles := run.Roles
	if n.kind == kindStreams { // it makes its changelog itself
		roles = []topics.Role{topics.RoleAlerts, topics.RoleDeadLetter}
	}
	if err := n.MakeTopics(ctx, w.adm, roles...); err != nil {
		return nil, fmt.Errorf("make topics: %w", err)
	}
	if err := s.write(ctx, w.keys, nil); err != nil {
		return nil, err
	}
	w.say("%s: an event of each of %d keys is written", n.kind, w.keys)
	if err := n.start(ctx); err != nil {
		return nil, err
	}
	if err := w.drained(ctx, n); err != nil {
		return nil, err
	}
	w.say("%s: a state of %d keys is made", n.kind, w.keys)
	return s, n.stop()
}

// write writes the next n events, or fewer when before says that it is enough.
func (s *stream) write(ctx context.Context, n int, before func(context.Context, int) error) error {
	cfg := s.config
	cfg.To, cfg.Before = min(cfg.From+n, s.generator.Records()), before
	if cfg.To == cfg.From {
		return fmt.Errorf("%s: all %d events are written, fewer -rounds or a lower -rate are needed", cfg.Topic, cfg.To)
	}
	r, err := produce.Stream(ctx, s.generator, cfg)
	if err != nil {
		return err
	}
	s.config.From, s.config.Next = cfg.From+r.Records, r.Next
	return nil
}

// each writes until every partition has another event.
func (s *stream) each(ctx context.Context) error {
	const part = 64
	before := s.config.Next
	for {
		if err := s.write(ctx, part*len(before), nil); err != nil {
			return err
		}
		missing := false
		for id, next := range s.config.Next {
			missing = missing || next == before[id]
		}
		if !missing {
			return nil
		}
	}
}

// underLoad writes at a rate, which nothing slows down, while something happens.
func (s *stream) underLoad(ctx context.Context, rate int, happens func(context.Context) error) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	enough, done := make(chan struct{}), make(chan error, 1)
	begin, from := time.Now(), s.config.From
	go func() {
		err := s.write(ctx, s.generator.Records(), func(ctx context.Context, i int) error {
			due := begin.Add(time.Duration(i-from) * time.Second / time.Duration(rate))
			for now := time.Now(); ; now = time.Now() {
				select {
				case <-enough:
					return produce.ErrEnough
				default:
				}
				if !now.Before(due) {
					return nil
				}
				if !run.Pause(ctx, max(due.Sub(now), time.Millisecond)) {
					return ctx.Err()
				}
			}
		})
		if err != nil {
			stop(err) // nothing will happen any more
		}
		done <- err
	}()
	err := happens(ctx)
	close(enough)
	return errors.Join(err, <-done)
}
