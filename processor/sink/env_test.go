package sink

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"

	"tocsin/processor/processortest/pgtest"
	"tocsin/topics"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(pgtest.Wrap(m)) }

const (
	alertsTopic = "audit.alerts"
	eventsTopic = "audit.events"
	wait        = 30 * time.Second
	tick        = 5 * time.Millisecond
)

// env is a broker, a migrated database and a producer.
type env struct {
	t       testing.TB
	cluster *kfake.Cluster
	dsn     string
	pool    *pgxpool.Pool
	client  *kgo.Client
	adm     *kadm.Client
}

func newEnv(t testing.TB) *env {
	t.Helper()
	return newEnvOn(t, pgtest.NewDatabase(t))
}

func newEnvOn(t testing.TB, dsn string) *env {
	t.Helper()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(3, alertsTopic),
		kfake.SeedTopics(2, eventsTopic))
	require.NoError(t, err)
	t.Cleanup(cluster.Close)
	_, err = Migrate(t.Context(), dsn)
	require.NoError(t, err)
	e := &env{t: t, cluster: cluster, dsn: dsn, pool: newPool(t, dsn)}
	e.client, err = kgo.NewClient(append(e.kafka(), kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerBatchMaxBytes(4<<20))...)
	require.NoError(t, err)
	t.Cleanup(e.client.Close)
	e.adm = kadm.NewClient(e.client)
	return e
}

func newPool(t testing.TB, dsn string) *pgxpool.Pool {
	t.Helper()
	pool, err := pgxpool.New(t.Context(), dsn)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	return pool
}

func (e *env) kafka() []kgo.Opt { return []kgo.Opt{kgo.SeedBrokers(e.cluster.ListenAddrs()...)} }

func (e *env) config() Config {
	return Config{
		Kafka: e.kafka(), Pool: e.pool, Topic: alertsTopic, Group: "tocsin-sink",
		RetryMin: time.Millisecond, RetryMax: 20 * time.Millisecond, EvidenceEvery: 20 * time.Millisecond,
		WatchEvery: 50 * time.Millisecond, Log: slog.New(slog.DiscardHandler),
	}
}

// running is a sink at work.
type running struct {
	*Sink
	t    testing.TB
	stop context.CancelFunc
	done chan struct{}
	err  error
}

func (e *env) start(cfg Config) *running {
	e.t.Helper()
	s, err := New(cfg)
	require.NoError(e.t, err)
	ctx, cancel := context.WithCancel(context.Background())
	r := &running{Sink: s, t: e.t, stop: cancel, done: make(chan struct{})}
	go func() {
		defer close(r.done)
		r.err = s.Run(ctx)
	}()
	e.t.Cleanup(func() { cancel(); <-r.done })
	return r
}

// end stops the sink and expects that it was content.
func (r *running) end() {
	r.t.Helper()
	r.stop()
	<-r.done
	require.NoError(r.t, r.err)
}

// failure waits for the sink to stop by itself.
func (r *running) failure() error {
	r.t.Helper()
	select {
	case <-r.done:
		return r.err
	case <-time.After(wait):
		r.t.Fatal("the sink did not stop")
		return nil
	}
}

// eventually waits for a condition. It is asked on the goroutine of the test, where it may fail the test itself.
func eventually(t testing.TB, ok func() bool, what string, args ...any) {
	t.Helper()
	again, enough := time.NewTicker(tick), time.After(wait)
	defer again.Stop()
	for !ok() {
		select {
		case <-again.C:
		case <-enough:
			t.Fatalf("waited in vain: "+what, args...)
		}
	}
}

// stored waits until the positions have reached the end of the topic.
func (e *env) stored() {
	e.t.Helper()
	ends, err := e.adm.ListEndOffsets(e.t.Context(), alertsTopic)
	require.NoError(e.t, err)
	var want int64
	ends.Each(func(o kadm.ListedOffset) { want += o.Offset })
	eventually(e.t, func() bool {
		return query[int64](e, "SELECT coalesce(sum(next), 0)::bigint FROM sink_offsets") == want
	}, "positions at the end of the topic")
}

// query reads one value as the superuser, whom no policy binds.
func query[T any](e *env, sql string, args ...any) (v T) {
	e.t.Helper()
	require.NoError(e.t, e.super().QueryRow(context.Background(), sql, args...).Scan(&v), sql)
	return v
}

func (e *env) super() *pgxpool.Pool { return e.pool } // the owner inherits the operator's and the sink's rights

// value reads a counter or gauge.
func value(t testing.TB, m prometheus.Metric) float64 {
	t.Helper()
	var d dto.Metric
	require.NoError(t, m.Write(&d))
	return d.GetCounter().GetValue() + d.GetGauge().GetValue()
}

func collected(c prometheus.Collector) int {
	all := make(chan prometheus.Metric, 100)
	c.Collect(all)
	return len(all)
}

func alertID(n int) string {
	sum := sha256.Sum256(fmt.Append(nil, "alert", n))
	return hex.EncodeToString(sum[:16])
}

var base = time.Date(2026, 3, 1, 12, 0, 0, 123456789, time.UTC)

// newAlert is revision r of alert n, as the processor would write it.
func newAlert(n, r int, change ...func(*topics.Alert)) *topics.Alert {
	at := func(d time.Duration) topics.Timestamp { return topics.Timestamp(base.Add(d).UnixNano()) }
	crossing := at(time.Duration(n) * time.Minute)
	a := &topics.Alert{
		Schema: topics.AlertSchema, ID: alertID(n), Revision: r, State: topics.StateOpen,
		Rule:         topics.AlertRule{ID: "failed-auth-burst", Version: "00112233aabbccdd", Kind: "count"},
		Organization: "org-a", OrganizationTrusted: true, Group: map[string]string{"principal": fmt.Sprintf("user-%d", n)},
		Severity: "HIGH", Type: "SECURITY", Title: "Many failed logins",
		Sentence:  fmt.Sprintf("user-%d failed to log in %d times within 5 minutes", n, 5*r),
		FirstSeen: crossing - topics.Timestamp(time.Minute), LastSeen: crossing + topics.Timestamp(r), Crossing: crossing,
		Span: topics.Span{First: crossing, Last: crossing + topics.Timestamp(r)}, Count: int64(5 * r), Threshold: 5,
		Window: "5m0s", Verification: map[string]int64{"verified": int64(5 * r)}, Tags: []string{"auth"}, Mode: "live",
	}
	for _, f := range change {
		f(a)
	}
	return a
}

func record(t testing.TB, a *topics.Alert) *kgo.Record {
	t.Helper()
	value, err := json.Marshal(a)
	require.NoError(t, err)
	return &kgo.Record{Topic: alertsTopic, Partition: int32(a.ID[0]) % 3, Key: []byte(a.ID), Value: value}
}

func (e *env) produce(records ...*kgo.Record) {
	e.t.Helper()
	require.NoError(e.t, e.client.ProduceSync(e.t.Context(), records...).FirstErr())
}

func (e *env) send(alerts ...*topics.Alert) {
	e.t.Helper()
	for _, a := range alerts {
		e.produce(record(e.t, a))
	}
}

// snapshot is all that was stored of alerts, as text, without wall-clock times and sequence numbers.
func (e *env) snapshot() string {
	e.t.Helper()
	return query[string](e, `
		SELECT coalesce(string_agg(line, E'\n' ORDER BY line), '') FROM (
			SELECT 'alert ' || id || ' ' || revision || ' ' || state || ' ' || status || ' '
				|| count || ' ' || (record->>'sentence')
			FROM alerts
			UNION ALL SELECT 'history ' || alert_id || ' ' || lpad(revision::text, 4) || ' ' || kind
				|| ' ' || state || ' ' || actor
			FROM alert_history
			UNION ALL SELECT 'outbox ' || alert_id || ' ' || revision || ' ' || kind FROM outbox
			UNION ALL SELECT 'evidence ' || alert_id || ' ' || topic || ' ' || partition || ' ' || "offset" FROM alert_evidence
			UNION ALL SELECT 'reject ' || partition || ' ' || "offset" || ' ' || sqlstate FROM alert_rejects
		) l (line)`)
}

// remedy is the statement an error ends with.
func remedy(err error) string {
	_, sql, _ := strings.Cut(err.Error(), "run in the database: ")
	return sql
}

func kadmOffset(topic string, partition int32, at int64) kadm.Offsets {
	var o kadm.Offsets
	o.AddOffset(topic, partition, at, -1)
	return o
}
