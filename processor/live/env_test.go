package live

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"

	"tocsin/processor/processortest/redistest"
	"tocsin/topics"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	alertsTopic = "audit.alerts"
	partitions  = 2
	wait        = 2 * time.Minute // these tests share a machine with others
	tick        = 10 * time.Millisecond
)

// env is a broker and a Redis.
type env struct {
	t       *testing.T
	cluster *kfake.Cluster
	redis   *redistest.Server
	client  *redis.Client // of the test
	kafka   *kgo.Client
	now     time.Time
}

func newEnv(t *testing.T, cfg redistest.Config) *env {
	t.Helper()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(partitions, alertsTopic))
	require.NoError(t, err)
	t.Cleanup(cluster.Close)
	server := redistest.Start(t, cfg)
	e := &env{t: t, cluster: cluster, redis: server, client: server.Client(), now: time.Now()}
	e.kafka, err = kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	require.NoError(t, err)
	t.Cleanup(e.kafka.Close)
	return e
}

// config is that of a process under a name.
func (e *env) config(instance string) Config {
	return Config{
		Redis: e.patient(), Prefix: "test:", Instance: instance,
		Timeout: 2 * time.Second, RetryMin: time.Millisecond, RetryMax: 50 * time.Millisecond,
		Alerts: &Alerts{
			Kafka: []kgo.Opt{kgo.SeedBrokers(e.cluster.ListenAddrs()...)}, Topic: alertsTopic, Group: "tocsin-counters",
			Heartbeat: 50 * time.Millisecond, MaxBatch: 7,
		},
		Log: slog.New(slog.DiscardHandler), Registerer: prometheus.NewRegistry(),
	}
}

// patient is a client as the program has one: it does not try again by itself.
func (e *env) patient() *redis.Client {
	cl := redis.NewClient(&redis.Options{Addr: e.redis.Addr(), MaxRetries: -1, DialerRetries: 1, Protocol: 2,
		ReadTimeout: 2 * time.Second, ContextTimeoutEnabled: true})
	e.t.Cleanup(func() { _ = cl.Close() })
	return cl
}

// running is a process at work.
type running struct {
	*Counters
	t    *testing.T
	stop context.CancelFunc
	done chan error
}

func (e *env) start(cfg Config) *running {
	e.t.Helper()
	c, err := New(cfg)
	require.NoError(e.t, err)
	ctx, cancel := context.WithCancel(context.Background())
	r := &running{Counters: c, t: e.t, stop: cancel, done: make(chan error, 1)}
	go func() { r.done <- c.Run(ctx) }()
	e.t.Cleanup(r.end)
	return r
}

// end stops the process, once, and expects that it was content.
func (r *running) end() {
	r.stop()
	select {
	case err, first := <-r.done:
		if first {
			require.NoError(r.t, err)
			close(r.done)
		}
	case <-time.After(wait):
		r.t.Error("it does not end")
	}
}

// alert writes a revision of an alert, raised some time ago.
func (e *env) alert(n int, k Kind, revision int, ago time.Duration) {
	e.t.Helper()
	e.write(n, topics.Alert{
		ID: fmt.Sprintf("%032d", n), Revision: revision, Rule: topics.AlertRule{ID: k.Rule}, Severity: k.Severity,
		Organization: k.Organization, Mode: topics.ModeLive,
	}, ago)
}

func (e *env) write(n int, a topics.Alert, ago time.Duration) {
	e.t.Helper()
	value, err := json.Marshal(map[string]any{
		"id": a.ID, "revision": a.Revision, "rule": a.Rule, "severity": a.Severity, "organization": a.Organization,
		"mode": a.Mode,
	})
	require.NoError(e.t, err)
	e.produce(n, value, ago)
}

func (e *env) produce(n int, value []byte, ago time.Duration) {
	e.t.Helper()
	require.NoError(e.t, e.kafka.ProduceSync(e.t.Context(), &kgo.Record{
		Topic: alertsTopic, Partition: int32(n % partitions), Value: value, Timestamp: e.now.Add(-ago),
	}).FirstErr())
}

// numbers reads what Redis holds of the last time.
func (e *env) numbers(ctx context.Context, last time.Duration) (*Numbers, error) {
	return Read(ctx, Query{
		Redis: e.client, Prefix: "test:", Last: last, KeepMinutes: DefaultKeepMinutes, KeepHours: DefaultKeepHours,
		Now: e.now,
	})
}

// counts waits until Redis holds these numbers of alerts of the last hour, by kind.
func (e *env) counts(want map[Kind]int64) {
	e.t.Helper()
	e.eventually(func(t require.TestingT) {
		n, err := e.numbers(context.Background(), time.Hour)
		require.NoError(t, err)
		got := map[Kind]int64{}
		for _, c := range n.Alerts {
			got[c.Kind] = c.Alerts
		}
		require.Equal(t, want, got)
	})
}

// settled waits until the positions in Redis are the ends of the topic: whatever was to be counted has been.
func (e *env) settled(ends ...int64) {
	e.t.Helper()
	e.eventually(func(t require.TestingT) {
		found, err := e.client.Keys(context.Background(), "test:alerts:position:*").Result()
		require.NoError(t, err)
		require.Len(t, found, 1)
		at, err := e.client.HGetAll(context.Background(), found[0]).Result()
		require.NoError(t, err)
		want := map[string]string{}
		for p, end := range ends {
			want[fmt.Sprint(p)] = fmt.Sprint(end)
		}
		require.Equal(t, want, at)
	})
}

func (e *env) eventually(ok func(require.TestingT)) {
	e.t.Helper()
	require.EventuallyWithT(e.t, func(c *assert.CollectT) { ok(c) }, wait, tick)
}
