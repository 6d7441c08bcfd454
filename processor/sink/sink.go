package sink

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"
)

// Sink stores the alerts topic in Postgres; see the package comment.
type Sink struct {
	cfg       Config
	store     *store
	metrics   *metrics
	condition condition
}

// New checks the configuration and registers the metrics. It connects to nothing: that is [Sink.Run]'s.
func New(cfg Config) (*Sink, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	m, err := newMetrics(cfg.Registerer)
	if err != nil {
		return nil, err
	}
	s := &Sink{cfg: cfg, metrics: m}
	off := make(map[string]bool, len(cfg.EvidenceOff))
	for _, organization := range cfg.EvidenceOff {
		off[organization] = true
	}
	s.store = &store{
		db: cfg.Database, topic: cfg.Topic, timeout: cfg.BatchTimeout, evidenceOff: off, probe: cfg.Probe,
	}
	s.condition.since = cfg.Now()
	s.condition.set(starting, "starting: no partition has been assigned yet", cfg.Now())
	return s, nil
}

// Health says how the sink fares. It may be called at any time, from any goroutine.
func (s *Sink) Health() Health { return s.condition.get() }

// Run stores alerts and copies evidence until ctx ends, and then returns nil: what was stored is stored, what was not
// comes again. It returns an error only for what it cannot mend by waiting: see ErrTopicRecreated, ErrTruncated and
// ErrBeyondEnd. Health keeps that reason. Run may be called once at a time.
func (s *Sink) Run(ctx context.Context) error {
	stop, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	group, groupCtx := errgroup.WithContext(stop)
	living, kill := context.WithCancel(context.WithoutCancel(ctx)) // the client outlives ctx, to leave its group
	defer kill()
	c, err := s.newConsumer(living, kill, cancel)
	if err != nil {
		return err
	}
	defer c.close()
	copier, err := s.newCopier()
	if err != nil {
		return err
	}
	defer copier.close()
	group.Go(func() error { return c.run(groupCtx, copier.wake) })
	group.Go(func() error { return c.watch(groupCtx) })
	group.Go(func() error { return copier.run(groupCtx) })
	err = group.Wait()
	if cause := context.Cause(stop); ctx.Err() == nil && cause != nil && !errors.Is(cause, context.Canceled) {
		err = cause
	}
	if ctx.Err() != nil && (err == nil || errors.Is(err, ctx.Err())) {
		return nil
	}
	if err != nil {
		s.ill(storing, err)
		return fmt.Errorf("sink stopped: %w", err)
	}
	return nil
}

// client makes a Kafka client from the caller's options and some of our own.
func (s *Sink) client(more ...kgo.Opt) (*kgo.Client, error) {
	opts := append(append([]kgo.Opt(nil), s.cfg.Kafka...), more...)
	cl, err := kgo.NewClient(opts...)
	return cl, wrap("make kafka client", err)
}

// retry calls do until it succeeds, ctx ends, or final says that the error will not pass. Between two tries it waits,
// longer each time; what it waits for is in Health.
func (s *Sink) retry(ctx context.Context, what concern, doing string, final func(error) bool, do func() error) error {
	pause := s.newPause()
	for {
		err := do()
		if err == nil {
			s.well(what)
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if final(err) {
			return err
		}
		s.metrics.retries.Inc()
		s.ill(what, fmt.Errorf("%s: %w", doing, withRemedy(err)))
		if err := sleep(ctx, pause.NextBackOff()); err != nil {
			return err
		}
	}
}

func (s *Sink) newPause() *backoff.ExponentialBackOff {
	pause := backoff.NewExponentialBackOff()
	pause.InitialInterval, pause.MaxInterval = s.cfg.RetryMin, s.cfg.RetryMax
	pause.Reset()
	return pause
}

// well and ill move health; a change is logged, each further failure is not.
func (s *Sink) well(what concern) {
	if s.condition.set(what, "", s.cfg.Now()) && what != starting {
		s.cfg.Log.Info("the sink has recovered", "from", what.String())
	}
	s.showHealth()
}

func (s *Sink) ill(what concern, err error) {
	err = s.cfg.Explain(err)
	if s.condition.set(what, err.Error(), s.cfg.Now()) {
		s.cfg.Log.Error("the sink is in trouble", "with", what.String(), "error", err)
	}
	s.showHealth()
}

func (s *Sink) showHealth() {
	healthy := 0.0
	if s.condition.get().OK {
		healthy = 1
	}
	s.metrics.healthy.Set(healthy)
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
