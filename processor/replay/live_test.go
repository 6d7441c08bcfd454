package replay

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"tocsin/processor"
	"tocsin/processor/detect"
	"tocsin/processor/engine"
	"tocsin/processor/verify"
	"tocsin/state"
	"tocsin/state/window"
	"tocsin/topics"
	"tocsin/topics/provision"
	"tocsin/topics/readlog"
)

const partitions = 3

// live is a fake cluster whose input a processor has judged.
type live struct {
	kafka  []kgo.Opt
	store  *state.Store
	alerts []string
}

func newEngine(t *testing.T, mode string) *engine.Engine {
	t.Helper()
	rules, err := detect.Compile(detect.Default())
	require.NoError(t, err)
	v, err := verify.New(verify.Config{})
	require.NoError(t, err)
	e, err := engine.New(engine.Config{Topic: "audit.events", Rules: rules, Verifier: v, Mode: mode, Ticks: true})
	require.NoError(t, err)
	return e
}

// event spreads over weeks of record time, so that keys expire, with bursts, duplicates and garbage.
func event(partition int32, i int) (string, time.Time) {
	at := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC).Add(time.Duration(i/40) * 26 * time.Hour).Add(time.Duration(i%40) * time.Second)
	switch {
	case i%29 == 28:
		return "{broken", at
	case i%23 == 22:
		value, _ := event(partition, i-1)
		return value, at
	}
	return fmt.Sprintf(`{"id":"e%d-%d","timestamp":%q,"action":"auth.login.failure","status":"failure",`+
		`"principalId":"u%d","organizationId":"acme"}`, partition, i, at.Format(time.RFC3339), i%5+i/40*100), at
}

// judged sends n events a partition through a processor.
func judged(t *testing.T, n int) *live {
	t.Helper()
	c, err := kfake.NewCluster(kfake.NumBrokers(1),
		kfake.BrokerConfigs(map[string]string{"group.min.session.timeout.ms": "100"}))
	require.NoError(t, err)
	t.Cleanup(c.Close)
	l := &live{kafka: []kgo.Opt{kgo.SeedBrokers(c.ListenAddrs()...)}}
	cl, err := kgo.NewClient(append(l.kafka, kgo.RecordPartitioner(kgo.ManualPartitioner()))...)
	require.NoError(t, err)
	t.Cleanup(cl.Close)
	adm := kadm.NewClient(cl)
	specs, err := topics.Specs(topics.SpecConfig{
		App: "live", Names: topics.DefaultNames(), InputPartitions: partitions, ReplicationFactor: 1, MinISR: 1,
		InputMaxMessageBytes: 1 << 20, TrustCreateTime: true,
	})
	require.NoError(t, err)
	_, err = provision.Create(t.Context(), adm, specs, false)
	require.NoError(t, err)
	for p := range int32(partitions) {
		var rs []*kgo.Record
		for i := range n {
			value, at := event(p, i)
			rs = append(rs, &kgo.Record{Topic: "audit.events", Partition: p, Value: []byte(value), Timestamp: at})
		}
		require.NoError(t, cl.ProduceSync(t.Context(), rs...).FirstErr())
	}
	l.run(t, adm, n)
	return l
}

// run judges all of it.
func (l *live) run(t *testing.T, adm *kadm.Client, n int) {
	t.Helper()
	var err error
	l.store, err = state.Open(state.Config{Dir: t.TempDir(), HeadIndex: window.HeadIndex, Now: time.Now})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, l.store.Close()) })
	p, err := processor.New(processor.Config{
		App: "live", Instance: "one", Kafka: l.kafka, Engine: newEngine(t, topics.ModeLive), Store: l.store,
		Topics: processor.Topics{Input: "audit.events", Alerts: "audit.alerts", DeadLetter: "audit.deadletter",
			Changelog: "live-window-changelog", Seals: "live-seals"},
		TrustCreateTime: true, Workers: 2, CloseAfter: 5 * time.Millisecond, CloseRecords: 37, Heartbeat: 100 * time.Millisecond,
	})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	require.Eventually(t, func() bool {
		at, err := adm.FetchOffsets(kadm.RequireStable(t.Context()), "live")
		if err != nil {
			return false
		}
		ready := 0
		at.Each(func(o kadm.OffsetResponse) {
			if o.At == int64(n) {
				ready++
			}
		})
		return ready == partitions
	}, time.Minute, 10*time.Millisecond)
	cancel()
	require.NoError(t, <-done)
	bounds, err := readlog.Bounds(t.Context(), adm, "audit.alerts")
	require.NoError(t, err)
	r := readlog.Reader{Kafka: l.kafka, Topic: "audit.alerts", StallAfter: 10 * time.Second}
	require.NoError(t, r.Read(t.Context(), bounds, func(r *kgo.Record) error {
		l.alerts = append(l.alerts, string(r.Value))
		return nil
	}))
	slices.Sort(l.alerts)
}

func (l *live) replay(t *testing.T, change func(*Config)) (Result, string) {
	t.Helper()
	var out bytes.Buffer
	c := Config{Kafka: l.kafka, Topic: "audit.events", To: End(), Engine: newEngine(t, topics.ModeReplay), Dir: t.TempDir(),
		Alerts: &out}
	change(&c)
	r, err := Run(t.Context(), c)
	require.NoError(t, err)
	return r, out.String()
}

// From the beginning, a replay finds the alerts and the state of the live processor, however it divides the work.
func TestEqualsLive(t *testing.T) {
	const n = 600
	l := judged(t, n)
	var first string
	for _, every := range []int{7, 100, DefaultApplyEvery} {
		result, out := l.replay(t, func(c *Config) { c.ApplyEvery = every })
		require.Equal(t, int64(n*partitions), result.Records)
		require.Equal(t, int64(n*partitions), result.Counts.Total())
		got := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
		require.EqualValues(t, len(got), result.Alerts)
		for i := range got {
			got[i] = strings.Replace(got[i], `"mode":"replay"`, `"mode":"live"`, 1)
		}
		slices.Sort(got)
		require.NotEmpty(t, got)
		require.Equal(t, l.alerts, got)
		require.Len(t, result.Partitions, partitions)
		for _, p := range result.Partitions {
			lease, err := l.store.Acquire(t.Context(), state.Partition{ID: p.Partition}, "test")
			require.NoError(t, err)
			pos, ok, err := lease.Position()
			lease.Release()
			require.NoError(t, err)
			require.True(t, ok)
			require.Equal(t, pos.Seal.RecordTime, p.RecordTime)
			want, err := l.store.Digest(state.Partition{ID: p.Partition}, newEngine(t, topics.ModeLive).Live(p.RecordTime))
			require.NoError(t, err)
			require.NotZero(t, want.Keys)
			require.Equal(t, want, p.Digest, "partition %d, applied every %d records", p.Partition, every)
		}
		if first == "" {
			first = out
		}
		require.Equal(t, first, out)
	}
}

// Bounds are offsets or times, and a second state in the same folder is refused.
func TestStretch(t *testing.T) {
	l := judged(t, 100)
	result, _ := l.replay(t, func(c *Config) {
		c.Partitions = []int32{1}
		c.From, c.To = mustBound(t, "10"), mustBound(t, "60")
	})
	require.Equal(t, int64(50), result.Records)
	require.Len(t, result.Partitions, 1)
	_, second := event(1, 40)
	result, _ = l.replay(t, func(c *Config) { c.From, c.To = mustBound(t, second.Format(time.RFC3339)), mustBound(t, "end") })
	require.Equal(t, int64(60*partitions), result.Records)
	dir := t.TempDir()
	l.replay(t, func(c *Config) { c.Dir = dir })
	_, err := Run(t.Context(), Config{Kafka: l.kafka, Topic: "audit.events", To: End(), Engine: newEngine(t, ""), Dir: dir})
	require.ErrorContains(t, err, "holds a state already")
}

func mustBound(t *testing.T, s string) Bound {
	t.Helper()
	b, err := ParseBound(s)
	require.NoError(t, err)
	return b
}
