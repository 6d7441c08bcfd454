package live

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Defaults of [Config].
const (
	DefaultPrefix      = "tocsin:"
	DefaultKeepMinutes = 3 * time.Hour
	DefaultKeepHours   = 24 * time.Hour
	DefaultEvery       = 5 * time.Second
	DefaultTimeout     = 5 * time.Second
	DefaultRetryMin    = 100 * time.Millisecond
	DefaultRetryMax    = 5 * time.Second
	DefaultMaxBatch    = 500
)

// keepTotals is how long totals, positions and what processes told are kept after they were last written, at least.
const keepTotals = 7 * 24 * time.Hour

// Config is what [New] needs. Redis, Log and Instance must be set, and Alerts or Sample.
type Config struct {
	// Redis is a client of one server. Each request must have a bound on its time that does not depend on its context
	// alone; it need not try again. It stays the caller's to close.
	Redis *redis.Client
	// Prefix begins the names of all keys. Two installations that share a server need two.
	Prefix string
	// Instance names this process among those of the installation.
	Instance string
	// Timeout bounds one request. Defaults to 5 s.
	Timeout time.Duration
	// RetryMin and RetryMax are the first and the longest pause between two tries. Default to 100 ms and 5 s.
	RetryMin, RetryMax time.Duration

	// Alerts says how alerts are read; nil: this process counts none.
	Alerts *Alerts
	// KeepMinutes and KeepHours are how long buckets of a minute and of an hour are kept, from their end. Default to 3 h
	// and 24 h.
	KeepMinutes, KeepHours time.Duration

	// Sample says how this process fares; nil: it tells nothing. It is called every Every, on a goroutine of its own.
	Sample func() (Sample, error)
	// Every is the interval. Defaults to 5 s.
	Every time.Duration

	// Log must not be nil.
	Log *slog.Logger
	// Registerer takes the metrics; nil for none.
	Registerer prometheus.Registerer
	// Now is the wall clock: what is too old to be counted, and when things were told. Defaults to time.Now.
	Now func() time.Time
	// Explain adds to an error what can be done about it, for health and log; nil: nothing.
	Explain func(error) error
}

// Alerts is how the alerts topic is read.
type Alerts struct {
	Kafka              []kgo.Opt // to reach the cluster: seed brokers, TLS, SASL
	Topic              string
	Group              string        // shares the partitions out among processes; it holds no offsets
	Member             string        // name of this process in the group (group.instance.id); empty: none
	Session, Heartbeat time.Duration // of the group; 0: the client's own defaults
	MaxBatch           int           // most records counted by one request. Defaults to 500
}

// withDefaults returns c with every optional field set, or says what is missing.
func (c Config) withDefaults() (Config, error) {
	var errs []error
	need := func(ok bool, name string) {
		if !ok {
			errs = append(errs, fmt.Errorf("live: %s must be set", name))
		}
	}
	need(c.Redis != nil, "Redis")
	need(c.Log != nil, "Log")
	need(c.Instance != "", "Instance")
	need(c.Alerts != nil || c.Sample != nil, "Alerts or Sample")
	orDefault(&c.Timeout, DefaultTimeout)
	orDefault(&c.RetryMin, DefaultRetryMin)
	orDefault(&c.RetryMax, DefaultRetryMax)
	orDefault(&c.KeepMinutes, DefaultKeepMinutes)
	orDefault(&c.KeepHours, DefaultKeepHours)
	orDefault(&c.Every, DefaultEvery)
	if c.Alerts != nil {
		a := *c.Alerts
		need(len(a.Kafka) > 0 && a.Topic != "" && a.Group != "", "Alerts.Kafka, Alerts.Topic and Alerts.Group")
		orDefault(&a.MaxBatch, DefaultMaxBatch)
		c.Alerts = &a
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Explain == nil {
		c.Explain = func(err error) error { return err }
	}
	return c, errors.Join(errs...)
}

func orDefault[T int | time.Duration](field *T, value T) {
	if *field <= 0 {
		*field = value
	}
}

// horizon is how far back anything is counted.
func (c *Config) horizon() time.Duration { return max(c.KeepMinutes, c.KeepHours) }

// keepAll is how long keys are kept that are no buckets: longer than any of these.
func (c *Config) keepAll() time.Duration { return max(keepTotals, 2*c.horizon()) }
