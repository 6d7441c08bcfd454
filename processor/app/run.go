package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"go.opentelemetry.io/otel/trace"
	"golang.org/x/sync/errgroup"

	"tocsin/processor"
	"tocsin/processor/detect"
	"tocsin/processor/engine"
	"tocsin/processor/sink"
	"tocsin/processor/verify"
	"tocsin/state"
	"tocsin/state/window"
	"tocsin/topics"
)

// Roles are the parts a process can play.
type Roles struct {
	Processor bool // judges events
	Sink      bool // stores alerts
	Counters  bool // counts alerts in Redis

	byDefault bool // nobody named them: what is not configured is left out
}

// ParseRoles reads a list of names; none means all.
func ParseRoles(names []string) (Roles, error) {
	if len(names) == 0 {
		return Roles{Processor: true, Sink: true, Counters: true, byDefault: true}, nil
	}
	var r Roles
	for _, n := range names {
		switch n {
		case "processor":
			r.Processor = true
		case "sink":
			r.Sink = true
		case "counters":
			r.Counters = true
		default:
			return r, Usagef("role %q is none of: processor, sink, counters", n)
		}
	}
	return r, nil
}

// duties are those without whose rights nothing is started. Counting is none of them: nothing waits for it.
func (r Roles) duties() (duties []topics.Duty) {
	if r.Processor {
		duties = append(duties, topics.DutyProcessor)
	}
	if r.Sink {
		duties = append(duties, topics.DutySink)
	}
	return duties
}

// names lists them.
func (r Roles) names() (names []string) {
	for _, role := range []struct {
		name string
		is   bool
	}{{"processor", r.Processor}, {"sink", r.Sink}, {"counters", r.Counters}} {
		if role.is {
			names = append(names, role.name)
		}
	}
	return names
}

// Options of [Run].
type Options struct {
	Config   *Loaded
	Version  string // of the program
	Roles    Roles
	Embedded bool // start broker and database beside the process
	Log      *slog.Logger
	Now      func() time.Time
	// Started is called once everything is open and the roles have begun; nil for never.
	Started func(Started)
}

// Started says where the process can be reached.
type Started struct {
	Brokers  []string
	Database string // without password
	HTTP     string // address of the admin server; empty: none
	Client   string // with embedded services: the configuration file for other commands
}

// Bounds on the steps of going down.
const (
	closeState    = 30 * time.Second // writes what is in memory to disk
	closePool     = 5 * time.Second
	closeHTTP     = 5 * time.Second
	closeEmbedded = 20 * time.Second
)

// Run starts the roles and works until ctx ends, which is no error: open transactions are finished first and the state
// is flushed. It returns earlier, with the cause, when a role ends by itself.
func Run(ctx context.Context, o Options) (err error) {
	cl := &closers{log: o.Log}
	defer func() { err = errors.Join(err, cl.closeAll(ctx)) }()

	cfg := o.Config
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(int64(cfg.Processor.MemoryLimit))
	}
	if o.Roles.Counters && cfg.Redis.Address == "" {
		if !o.Roles.byDefault {
			return Usagef("redis.address is not set, and the role counters needs it: set TOCSIN_REDIS__ADDRESS")
		}
		o.Roles.Counters = false
	}
	group, working := errgroup.WithContext(ctx)
	if o.Embedded {
		if err := startEmbedded(ctx, cfg, o.Log, cl, func(end func(context.Context) error) {
			group.Go(func() error { return end(working) })
		}); err != nil {
			return err
		}
	}
	if err := cfg.greet(ctx, o.Roles); err != nil {
		return err
	}
	defer func() { err = cfg.named(ctx, err, o.Roles.duties()...) }()
	if o.Roles.Sink && !cfg.Postgres.URL.Set() {
		return Usagef("postgres.url is not set, and the role sink needs it: set TOCSIN_POSTGRES__URL or postgres.url_file," +
			" or run with --roles processor; `tocsin run --embedded` starts a database of its own for trying out")
	}
	if o.Roles.Sink {
		if err := cfg.greetDatabase(ctx); err != nil {
			return err
		}
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	admin := &admin{log: o.Log, registry: registry}

	tracer, err := openTracing(ctx, cfg, o, registry, cl)
	if err != nil {
		return err
	}
	if o.Roles.Processor {
		run, err := openProcessor(tracer, cfg, o, registry, admin, cl)
		if err != nil {
			return err
		}
		group.Go(func() error { return ended(working, "processor", run(working)) })
	}
	if o.Roles.Sink {
		run, err := openSink(ctx, cfg, o, registry, admin, cl)
		if err != nil {
			return err
		}
		group.Go(func() error { return ended(working, "sink", run(working)) })
	}
	if cfg.Redis.Address != "" {
		run, err := openLive(ctx, cfg, o, registry, admin, cl)
		if err != nil {
			return err
		}
		group.Go(func() error { return ended(working, "counters", run(working)) })
	}
	address, err := admin.start(ctx, cfg.HTTP.Listen, cl)
	if err != nil {
		return err
	}
	for _, n := range cfg.Notes {
		o.Log.Warn("configuration", "note", n)
	}
	client := ""
	if o.Embedded {
		client = filepath.Join(cfg.embeddedDir(), clientFile)
	}
	if o.Started != nil {
		o.Started(Started{Brokers: cfg.Kafka.Brokers, Database: cfg.Postgres.URL.String(), HTTP: address, Client: client})
	}
	stopping := context.AfterFunc(working, func() { o.Log.Info("stopping: open transactions are finished first") })
	defer stopping()
	return group.Wait()
}

// ended makes an error of a role that ended although nobody asked it to.
func ended(ctx context.Context, role string, err error) error {
	switch {
	case err != nil && (ctx.Err() == nil || !errors.Is(err, context.Canceled)):
		return fmt.Errorf("%s: %w", role, err)
	case ctx.Err() == nil:
		return fmt.Errorf("%s ended by itself", role)
	}
	return nil
}

// stateDir is the folder of the state.
func (c *Config) stateDir() string {
	if c.State.Dir != "" {
		return c.State.Dir
	}
	return filepath.Join(c.App.DataDir, "state")
}

// instance is the name of this process.
func (c *Config) instance() (string, error) {
	if c.App.Instance != "" {
		return c.App.Instance, nil
	}
	host, err := os.Hostname()
	if err != nil {
		return "", fmt.Errorf("app.instance is empty and the host has no name: set it: %w", err)
	}
	dir, err := filepath.Abs(c.stateDir())
	if err != nil {
		return "", fmt.Errorf("app.instance is empty: %w", err)
	}
	return processor.InstanceName(host, dir), nil
}

// newEngine compiles the rules and makes what judges.
func (c *Config) newEngine(mode string) (*engine.Engine, error) {
	rules, err := detect.Compile(c.Detect())
	if err != nil {
		return nil, err
	}
	vc, err := c.Verifier()
	if err != nil {
		return nil, err
	}
	verifier, err := verify.New(vc)
	if err != nil {
		return nil, err
	}
	key, err := topics.ParseKeyTemplate(c.Input.Key)
	if err != nil {
		return nil, err
	}
	return engine.New(engine.Config{
		Topic: c.Topics.Input, Rules: rules, Verifier: verifier, Mode: mode, Ticks: c.Input.Ticks, Key: key,
		Limits:      topics.Limits{MaxBytes: int(c.Input.MaxBytes), MaxDepth: c.Input.MaxDepth},
		WriteFormat: c.State.WriteFormat,
	})
}

// openState opens the state on disk.
func (c *Config) openState(o Options, reg prometheus.Registerer) (*state.Store, error) {
	if err := os.MkdirAll(c.stateDir(), 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of the state: %w", err)
	}
	return state.Open(state.Config{
		Dir: c.stateDir(), CacheBytes: int64(c.State.CacheBytes), MemTableBytes: int64(c.State.MemTableBytes),
		FlushEvery: time.Duration(c.State.FlushInterval), HeadIndex: window.HeadIndex, Now: o.Now, Log: o.Log,
		Registerer: reg, SetAside: true,
	})
}

// openProcessor opens the state and makes the processor. The returned function works until its context ends.
func openProcessor(
	tracer trace.Tracer, cfg *Loaded, o Options, reg prometheus.Registerer, admin *admin, cl *closers,
) (func(context.Context) error, error) {
	eng, err := cfg.newEngine(topics.ModeLive)
	if err != nil {
		return nil, err
	}
	instance, err := cfg.instance()
	if err != nil {
		return nil, err
	}
	kafka, err := cfg.KafkaOptions()
	if err != nil {
		return nil, err
	}
	store, err := cfg.openState(o, reg)
	if err != nil {
		return nil, err
	}
	cl.add("state", closeState, func(context.Context) error { return store.Close() })
	p, err := processor.New(processor.Config{
		App: cfg.App.ID, Instance: instance, Kafka: kafka,
		Topics: cfg.processorTopics(),
		Engine: eng, Store: store, Log: o.Log.With("role", "processor"), Registerer: reg, Now: o.Now,
		Tracer:       tracer,
		Workers:      cfg.Processor.Workers,
		CloseAfter:   time.Duration(cfg.Processor.TransactionTime),
		CloseRecords: cfg.Processor.TransactionRecords,
		CloseBytes:   int(cfg.Processor.TransactionBytes),
		CloseTimers:  cfg.Processor.TransactionTimers,
		CacheBytes:   int64(cfg.Processor.CacheBytes),
		Compression:  cfg.Kafka.Compression,

		Latest:            cfg.Input.Start == "latest",
		TrustCreateTime:   cfg.Input.TrustCreateTime,
		AllowTransaction1: cfg.Kafka.AllowTransaction1,

		Session: time.Duration(cfg.Kafka.SessionTimeout), Heartbeat: time.Duration(cfg.Kafka.HeartbeatInterval),
		Transaction: time.Duration(cfg.Kafka.TransactionTimeout),
		EndTimeout:  time.Duration(cfg.Kafka.TransactionWatchdog),
		Restores:    cfg.Processor.Restores, StallAfter: time.Duration(cfg.Processor.RestoreStall),
		StateMaxAge: time.Duration(cfg.State.MaxAge), WatchEvery: time.Duration(cfg.Processor.WatchInterval),
		Standby: cfg.Processor.Standby == "all",
	})
	if err != nil {
		return nil, err
	}
	asking, err := cfg.kafkaClient()
	if err != nil {
		return nil, err
	}
	cl.add("Kafka client of the admin server", closeHTTP, func(context.Context) error {
		asking.Close()
		return nil
	})
	admin.processor = p.Health
	admin.lag = func(ctx context.Context) (map[int32]int64, error) { return groupLag(ctx, asking, &cfg.Config) }
	return func(ctx context.Context) error {
		// The flusher belongs to the processor's life: it ends after the last worker has applied.
		flushCtx, stop := context.WithCancel(context.WithoutCancel(ctx))
		flushed := make(chan error, 1)
		go func() { flushed <- store.Run(flushCtx) }()
		err := p.Run(ctx)
		stop()
		if flushErr := <-flushed; !errors.Is(flushErr, context.Canceled) {
			err = errors.Join(err, flushErr)
		}
		return err
	}, nil
}

// openSink makes the sink and its connections.
func openSink(
	ctx context.Context, cfg *Loaded, o Options, reg prometheus.Registerer, admin *admin, cl *closers,
) (func(context.Context) error, error) {
	pool, err := cfg.openPool(ctx, int32(cfg.Sink.Connections))
	if err != nil {
		return nil, err
	}
	cl.add("connections to the database", closePool, func(context.Context) error {
		pool.Close()
		return nil
	})
	kafka, err := cfg.KafkaOptions()
	if err != nil {
		return nil, err
	}
	instance, err := cfg.instance()
	if err != nil {
		return nil, err
	}
	s, err := sink.New(sink.Config{
		Instance: cfg.sinkGroup() + "-" + instance,
		Kafka:    kafka, Pool: pool, Topic: cfg.Topics.Alerts, Group: cfg.sinkGroup(),
		Session: time.Duration(cfg.Kafka.SessionTimeout), Heartbeat: time.Duration(cfg.Kafka.HeartbeatInterval),
		MaxBatch: cfg.Sink.BatchRecords, BatchTimeout: time.Duration(cfg.Sink.BatchTimeout),
		RetryMin: time.Duration(cfg.Sink.RetryMin), RetryMax: time.Duration(cfg.Sink.RetryMax),
		EvidenceOff: cfg.EvidenceOff(), EvidenceEvery: time.Duration(cfg.Sink.EvidenceInterval),
		Log: o.Log.With("role", "sink"), Registerer: reg, Now: o.Now,
		Explain: func(err error) error { return cfg.named(ctx, err, topics.DutySink) },
	})
	if err != nil {
		return nil, err
	}
	admin.sink = s.Health
	return s.Run, nil
}
