package sink

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Defaults of [Config].
const (
	DefaultMaxBatch      = 2000
	DefaultBatchTimeout  = 30 * time.Second
	DefaultRetryMin      = 100 * time.Millisecond
	DefaultRetryMax      = 5 * time.Second
	DefaultEvidenceEvery = 5 * time.Second
	DefaultWatchEvery    = 15 * time.Second
	DefaultSession       = 45 * time.Second
	DefaultHeartbeat     = 3 * time.Second
)

// Config is what a [Sink] needs. Kafka, Pool or Database, Topic, Group and Log must be set.
type Config struct {
	// Kafka holds what it takes to reach the cluster: seed brokers, TLS, SASL, client id. The sink adds what concerns
	// consuming.
	Kafka []kgo.Opt
	// Pool reaches the database the migrations were run on. It stays the caller's to close. Four connections suffice.
	Pool *pgxpool.Pool
	// Database is where to store in place of Pool's.
	Database Database
	// Topic is the alerts topic, e.g. audit.alerts.
	Topic string
	// Group is the consumer group that shares the partitions out among sinks. It holds no offsets.
	Group string
	// Instance is this sink's name in the group (group.instance.id), the same after a restart and no other's: a sink that
	// was killed and comes back has its partitions at once. Empty: none, and the partitions of a killed sink are given
	// away when its session has timed out.
	Instance string
	// Session is how long the group waits for a sink that is silent, in a rebalance too, before its partitions are given
	// away; Heartbeat how often a sink gives a sign of life. Default to 45 s and 3 s.
	Session, Heartbeat time.Duration
	// MaxBatch is the largest number of records stored in one SQL transaction. A larger one is faster and holds more
	// in memory. Defaults to 2,000.
	MaxBatch int
	// BatchTimeout is how long one SQL transaction may take before it is given up and tried again: it finds out that a
	// database does not answer. Defaults to 30 s.
	BatchTimeout time.Duration
	// RetryMin and RetryMax are the first and the longest pause between two tries. Default to 100 ms and 5 s.
	RetryMin, RetryMax time.Duration
	// EvidenceOff lists organisations whose evidence records are not copied; ids, offsets and hashes still are.
	EvidenceOff []string
	// EvidenceEvery is how often the queue of evidence is looked at, besides after each stored batch. Defaults to 5 s.
	EvidenceEvery time.Duration
	// WatchEvery is how often lag and identity of the topic are looked at. Defaults to 15 s.
	WatchEvery time.Duration
	// Log must not be nil.
	Log *slog.Logger
	// Registerer takes the metrics; nil for none.
	Registerer prometheus.Registerer
	// Now is the wall clock for health and durations, never for what is stored. Defaults to time.Now.
	Now func() time.Time

	// Explain adds to an error of the brokers what can be done about it, for health and log; nil: nothing.
	Explain func(error) error

	// Probe, in tests, is called where a named point is reached; an error ends what the sink is doing there.
	Probe func(at Point) error

	// beyondGrace is how long a position may lie beyond the end of the log before the sink stops.
	beyondGrace time.Duration
}

// withDefaults returns c with every optional field set, or says what is missing.
func (c Config) withDefaults() (Config, error) {
	var errs []error
	need := func(ok bool, name string) {
		if !ok {
			errs = append(errs, fmt.Errorf("sink: %s must be set", name))
		}
	}
	need(c.Pool != nil || c.Database != nil, "Pool")
	need(len(c.Kafka) > 0, "Kafka")
	need(c.Topic != "", "Topic")
	need(c.Group != "", "Group")
	need(c.Log != nil, "Log")
	orDefault(&c.Session, DefaultSession)
	orDefault(&c.Heartbeat, DefaultHeartbeat)
	orDefault(&c.MaxBatch, DefaultMaxBatch)
	orDefault(&c.BatchTimeout, DefaultBatchTimeout)
	orDefault(&c.RetryMin, DefaultRetryMin)
	orDefault(&c.RetryMax, DefaultRetryMax)
	orDefault(&c.EvidenceEvery, DefaultEvidenceEvery)
	orDefault(&c.WatchEvery, DefaultWatchEvery)
	orDefault(&c.beyondGrace, 30*time.Second)
	need(c.RetryMin <= c.RetryMax, "RetryMin <= RetryMax")
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Explain == nil {
		c.Explain = func(err error) error { return err }
	}
	if c.Probe == nil {
		c.Probe = func(Point) error { return nil }
	}
	if c.Database == nil {
		c.Database = postgres{c.Pool}
	}
	return c, errors.Join(errs...)
}

func orDefault[T int | time.Duration](field *T, value T) {
	if *field <= 0 {
		*field = value
	}
}
