package processor

import (
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.opentelemetry.io/otel/trace"

	"tocsin/processor/engine"
	"tocsin/state"
)

// Topics names the topics the processor reads and writes.
type Topics struct {
	Input      string
	Alerts     string
	DeadLetter string
	Changelog  string // as many partitions as Input
	Seals      string // coverage records
}

// Config is what [New] needs. Fields without a default must be set.
type Config struct {
	// App is the application id: the consumer group's name, and the beginning of member and transactional ids.
	App string
	// Instance tells this process from others of the same App. It must be the same after a restart, and no two running
	// processes may share it: see [InstanceName].
	Instance string
	// Kafka is how the cluster is reached: seed brokers, TLS, SASL. It must not contain group or transaction options.
	Kafka []kgo.Opt
	// Topics names the topics.
	Topics Topics

	// Engine judges; it is shared by all partitions.
	Engine *engine.Engine
	// Store is the open state of this process. Run does not close it.
	Store *state.Store
	// Log takes what an operator should know. Defaults to discarding it.
	Log *slog.Logger
	// Registerer takes the metrics; nil for none.
	Registerer prometheus.Registerer
	// Tracer makes a span of each transaction; nil for none. It must not block.
	Tracer trace.Tracer
	// Now is the clock, used for deadlines, ages and metrics only: no result depends on it. Defaults to time.Now.
	Now func() time.Time

	// Workers is the number of consumers, each with its own transactions. Defaults to 2 × GOMAXPROCS; never more than
	// the input has partitions.
	Workers int
	// CloseAfter ends a transaction this long after its first record was polled. Longer means fewer, larger
	// transactions and later alerts. Defaults to 100 ms.
	CloseAfter time.Duration
	// CloseRecords ends a transaction after this many input records. Defaults to 20,000.
	CloseRecords int
	// CloseBytes ends a transaction when its output has reached this many bytes. Defaults to 8 MB.
	CloseBytes int
	// CloseTimers ends a transaction when one partition has fired this many timers in it. Defaults to 20,000.
	CloseTimers int
	// CacheBytes bounds the decoded windows kept in memory, over all partitions together. Defaults to 176 MiB.
	CacheBytes int64

	// Compression is that of what is produced: none, snappy, lz4, zstd or gzip. Defaults to none: most of it is state,
	// and most of state are digests, which do not shrink.
	Compression string

	// Latest makes a partition that has neither state nor committed offset start at its end. By default it starts at
	// its beginning (configuration: input.start). The end is as of its first assignment to a worker, and is remembered
	// there: one that is handed on, or whose process ends, before anything of it was committed starts at the end of then.
	Latest bool
	// TrustCreateTime accepts an input topic whose record times are set by producers.
	TrustCreateTime bool
	// AllowTransaction1 accepts brokers of transaction.version 1, under which a message that was delayed in the network
	// can end up in a later transaction.
	AllowTransaction1 bool

	// Session is the group's session timeout: how long a dead process keeps its partitions. Defaults to 60 s.
	Session time.Duration
	// Heartbeat is the interval of the group's heartbeats. Defaults to 3 s.
	Heartbeat time.Duration
	// Transaction is the broker's timeout for a transaction. Defaults to 15 s; must be well under Session.
	Transaction time.Duration
	// EndTimeout is the watchdog on the end of a transaction. It must be longer than Transaction. Defaults to 60 s.
	EndTimeout time.Duration
	// Restores is the number of partitions restored at the same time. Defaults to 4.
	Restores int
	// RestoreChunkBytes is how much of a full restore is sorted in memory at a time, per restore and twice over. 0: the
	// state's own default, 32 MiB.
	RestoreChunkBytes int
	// StallAfter is how long a restore may stand still before it says what it waits for. Defaults to 2 min.
	StallAfter time.Duration
	// StateMaxAge is the age of local state (since it was last written) beyond which the changelog may have dropped
	// tombstones that it misses; older state is dropped and restored in full. Half of the changelog's
	// delete.retention.ms. Defaults to 3.5 days.
	StateMaxAge time.Duration
	// Standby makes the process follow the changelogs of the partitions it does not own, so that it can take any of them
	// over by reading the last transactions. Every process then keeps, and receives, the state of all partitions.
	Standby bool
	// WatchEvery is the interval of the check of partition counts and topic ids while running. Defaults to 30 s.
	WatchEvery time.Duration
	// DeadLetterMaxBytes is the largest record the dead-letter topic takes. 0: read from the topic at start.
	DeadLetterMaxBytes int

	// Probe, in tests, is called where a named point is reached, on the goroutine that reaches it, with the partition it
	// is about or -1. In PointAssigned, PointRevoked, PointLost and PointReleased it must not block.
	Probe func(at Point, partition int32)
}

// Defaults, see the fields of [Config].
const (
	DefaultCloseAfter   = 100 * time.Millisecond
	DefaultCloseRecords = 20_000
	DefaultCloseBytes   = 8 << 20
	DefaultCloseTimers  = 20_000
	DefaultCacheBytes   = 176 << 20
	DefaultSession      = 60 * time.Second
	DefaultHeartbeat    = 3 * time.Second
	DefaultTransaction  = 15 * time.Second
	DefaultEndTimeout   = 60 * time.Second
	DefaultRestores     = 4
	DefaultStallAfter   = 2 * time.Minute
	DefaultStateMaxAge  = 84 * time.Hour
	DefaultWatchEvery   = 30 * time.Second
)

func orDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

func (c Config) withDefaults() Config {
	orDefault(&c.Workers, 2*runtime.GOMAXPROCS(0))
	orDefault(&c.CloseAfter, DefaultCloseAfter)
	orDefault(&c.CloseRecords, DefaultCloseRecords)
	orDefault(&c.CloseBytes, DefaultCloseBytes)
	orDefault(&c.CloseTimers, DefaultCloseTimers)
	orDefault(&c.CacheBytes, DefaultCacheBytes)
	orDefault(&c.Compression, DefaultCompression)
	orDefault(&c.Session, DefaultSession)
	orDefault(&c.Heartbeat, DefaultHeartbeat)
	orDefault(&c.Transaction, DefaultTransaction)
	orDefault(&c.EndTimeout, DefaultEndTimeout)
	orDefault(&c.Restores, DefaultRestores)
	orDefault(&c.StallAfter, DefaultStallAfter)
	orDefault(&c.StateMaxAge, DefaultStateMaxAge)
	orDefault(&c.WatchEvery, DefaultWatchEvery)
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

func (c *Config) validate() error {
	var errs []error
	need := func(ok bool, text string) {
		if !ok {
			errs = append(errs, errors.New(text))
		}
	}
	need(c.App != "", "App (the application id) is not set")
	need(c.Instance != "", "Instance is not set")
	need(len(c.Kafka) > 0, "Kafka (at least the seed brokers) is not set")
	need(c.Engine != nil, "Engine is not set")
	need(c.Store != nil, "Store is not set")
	t := c.Topics
	for _, name := range []string{t.Input, t.Alerts, t.DeadLetter, t.Changelog, t.Seals} {
		need(name != "", "a topic has no name")
	}
	need(!strings.ContainsAny(c.App+c.Instance, " \t\r\n"), "App and Instance must not contain spaces")
	need(c.Workers > 0, "Workers must be positive")
	need(slices.Contains(Compressions(), c.Compression), "Compression is not one that there is")
	need(c.CloseRecords > 0 && c.CloseBytes > 0 && c.CloseTimers > 0, "the transaction limits must be positive")
	need(c.Transaction < c.Session, "Transaction must be under Session: else a dead member's partitions are given away "+
		"before its transaction has ended")
	need(c.EndTimeout > c.Transaction, "EndTimeout must be over Transaction: the watchdog must not fire before the broker")
	need(c.Restores > 0, "Restores must be positive")
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("processor configuration: %w", err)
	}
	return nil
}

// memberID is the name of one worker: group.instance.id and transactional.id.
func (c *Config) memberID(worker int) string {
	return fmt.Sprintf("%s-%s-%d", c.App, c.Instance, worker)
}
