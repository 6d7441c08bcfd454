package live

import (
	"context"
	"errors"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"
)

// Counters keeps the numbers in Redis; see the package comment.
type Counters struct {
	cfg       Config
	keys      keys
	scripts   scripts
	metrics   *metrics
	condition condition
	run       string // tells this run of the process from earlier ones under the same name
	began     time.Time
}

// New checks the configuration and registers the metrics. It connects to nothing: that is [Counters.Run]'s.
func New(cfg Config) (*Counters, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	m, err := newMetrics(cfg.Registerer)
	if err != nil {
		return nil, err
	}
	c := &Counters{cfg: cfg, keys: keys{cfg.Prefix}, scripts: newScripts(), metrics: m, began: cfg.Now()}
	c.run = c.began.UTC().Format(time.RFC3339Nano)
	c.condition.since = c.began
	if cfg.Alerts != nil {
		c.condition.set(starting, "starting: no partition of the alerts topic has been assigned yet", c.began)
	} else {
		c.metrics.healthy.Set(1)
	}
	return c, nil
}

// Health says how the numbers fare. It may be called at any time, from any goroutine.
func (c *Counters) Health() Health { return c.condition.get() }

// Run keeps the numbers up to date until ctx ends, and then returns nil. Nothing that goes wrong ends it: what is in
// the way is in Health, and tried again. The one error it returns is of a configuration that no client can be made of.
func (c *Counters) Run(ctx context.Context) error {
	group, working := errgroup.WithContext(ctx)
	if c.cfg.Alerts != nil {
		r, err := c.newReader(working)
		if err != nil {
			return err
		}
		defer r.close()
		group.Go(func() error { return r.run(working) })
	}
	if c.cfg.Sample != nil {
		group.Go(func() error { return c.report(working) })
	}
	err := group.Wait()
	if ctx.Err() != nil && (err == nil || errors.Is(err, ctx.Err())) {
		return nil
	}
	return err
}

// client makes a Kafka client from the caller's options and some of our own.
func (c *Counters) client(more ...kgo.Opt) (*kgo.Client, error) {
	cl, err := kgo.NewClient(append(append([]kgo.Opt(nil), c.cfg.Alerts.Kafka...), more...)...)
	return cl, wrap("make a Kafka client", err)
}

// request bounds one request to Redis.
func (c *Counters) request(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, c.cfg.Timeout)
}

// errGivenAway says that a partition is no longer where it was when its records were polled: nothing is left to do.
var errGivenAway = errors.New("the partition was given away")

// retry calls do until it succeeds, ctx ends or there is nothing left to do. Between two tries it waits, longer each
// time.
func (c *Counters) retry(ctx context.Context, what concern, do func() error) error {
	pause := c.newPause()
	for {
		err := do()
		if err == nil {
			c.well(what)
			return nil
		}
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, errGivenAway):
			return err
		}
		c.ill(what, err)
		if err := sleep(ctx, pause.NextBackOff()); err != nil {
			return err
		}
	}
}

func (c *Counters) newPause() *backoff.ExponentialBackOff {
	pause := backoff.NewExponentialBackOff()
	pause.InitialInterval, pause.MaxInterval = c.cfg.RetryMin, c.cfg.RetryMax
	pause.Reset()
	return pause
}

// well and ill move health; a change is logged, each further failure is not.
func (c *Counters) well(what concern) {
	changed, ok := c.condition.set(what, "", c.cfg.Now())
	if changed && what != starting {
		c.cfg.Log.Info("live counters: recovered", "from", what.String())
	}
	if ok {
		c.metrics.healthy.Set(1)
	}
}

func (c *Counters) ill(what concern, err error) {
	err = c.cfg.Explain(err)
	c.metrics.failures.WithLabelValues(what.String()).Inc()
	if changed, _ := c.condition.set(what, err.Error(), c.cfg.Now()); changed {
		c.cfg.Log.Warn("live counters: the numbers in Redis stand still; nothing else is affected", "with", what.String(),
			"error", err)
	}
	c.metrics.healthy.Set(0)
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
