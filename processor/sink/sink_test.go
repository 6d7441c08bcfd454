package sink

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"tocsin/topics"
)

func state(s string) func(*topics.Alert) { return func(a *topics.Alert) { a.State = s } }

func TestStoresRevisions(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	reg := prometheus.NewPedanticRegistry()
	cfg := e.config()
	cfg.Registerer = reg
	s := e.start(cfg)
	replayed := func(a *topics.Alert) { a.Mode = "replay" }
	e.send(
		newAlert(1, 1), newAlert(1, 2), newAlert(1, 2), newAlert(1, 1), // second deliveries
		newAlert(2, 3), newAlert(2, 2), newAlert(2, 7), // some are missing, one is late
		newAlert(3, 1), newAlert(3, 2, state("closed")), newAlert(3, 3), newAlert(3, 4, state("closed")),
		newAlert(4, 1), newAlert(4, 2, state("merged"), func(a *topics.Alert) { a.MergedInto = alertID(3) }),
		newAlert(5, 1, replayed),
	)
	e.stored()

	history := func(n int) string {
		return query[string](e, `SELECT string_agg(revision || ' ' || state, ', ' ORDER BY seq) FROM alert_history
			WHERE alert_id = $1`, alertID(n))
	}
	outbox := func(n int) string {
		return query[string](e, `SELECT coalesce(string_agg(revision || ' ' || kind, ', ' ORDER BY seq), '') FROM outbox
			WHERE alert_id = $1`, alertID(n))
	}
	require.Equal(t, "1 open, 2 open", history(1))
	require.Equal(t, "1 opened, 2 updated", outbox(1))
	require.Equal(t, "3 open, 7 open", history(2))
	require.Equal(t, "3 opened, 7 updated", outbox(2))
	require.Equal(t, "1 open, 2 closed, 3 open, 4 closed", history(3))
	require.Equal(t, "1 opened, 2 closed, 3 reopened, 4 closed", outbox(3))
	require.Equal(t, "1 opened, 2 merged", outbox(4))
	require.Equal(t, "1 open", history(5))
	require.Empty(t, outbox(5), "a replayed alert is nobody's news")
	require.Equal(t, "35", query[string](e, "SELECT record->>'count' FROM alerts WHERE id = $1", alertID(2)))
	require.Equal(t, alertID(3), query[string](e, "SELECT merged_into FROM alerts WHERE id = $1", alertID(4)))
	require.Equal(t, base.Add(2*time.Minute).Truncate(time.Microsecond),
		query[time.Time](e, "SELECT crossing FROM alerts WHERE id = $1", alertID(2)).UTC())

	require.EqualValues(t, 11, value(t, s.metrics.applied))
	require.EqualValues(t, 3, value(t, s.metrics.duplicates))
	require.True(t, s.Health().OK)
	eventually(t, func() bool { return s.Health().Lag == 0 && collected(s.metrics.lag) == 3 }, "lag of all partitions")
	s.end()
	families, err := reg.Gather()
	require.NoError(t, err)
	for _, f := range families {
		require.Regexp(t, "^tocsin_sink_[a-z_]+$", f.GetName())
	}
}

func TestTransactionsAndTombstones(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	producer, err := kgo.NewClient(append(e.kafka(), kgo.TransactionalID("p"),
		kgo.RecordPartitioner(kgo.ManualPartitioner()))...)
	require.NoError(t, err)
	defer producer.Close()
	transact := func(end kgo.TransactionEndTry, alerts ...*topics.Alert) {
		require.NoError(t, producer.BeginTransaction())
		for _, a := range alerts {
			require.NoError(t, producer.ProduceSync(t.Context(), record(t, a)).FirstErr())
		}
		require.NoError(t, producer.EndTransaction(t.Context(), end))
	}
	transact(kgo.TryCommit, newAlert(1, 1), newAlert(2, 1))
	transact(kgo.TryAbort, newAlert(1, 2), newAlert(3, 1))
	tombstone := record(t, newAlert(2, 1))
	tombstone.Value = nil
	e.produce(tombstone)
	s := e.start(e.config())
	e.stored() // at the very end: the position passes over control records
	s.end()
	require.EqualValues(t, 2, query[int64](e, "SELECT count(*) FROM alerts WHERE revision = 1"))
	require.EqualValues(t, 2, query[int64](e, "SELECT count(*) FROM alert_history"))
	require.Zero(t, query[int64](e, "SELECT count(*) FROM alert_rejects"))
}

// script is a workload with second deliveries, missing and disordered revisions, and evidence.
func script(seed uint64, n int) []*topics.Alert {
	r := rand.New(rand.NewPCG(seed, 1))
	var alerts []*topics.Alert
	for range n {
		alerts = append(alerts, newAlert(r.IntN(20), 1+r.IntN(6), func(a *topics.Alert) {
			for i := range r.IntN(4) {
				a.Evidence = append(a.Evidence, topics.Evidence{Topic: eventsTopic, Offset: int64(1_000_000 + i), Role: "crossing"})
			}
		}))
	}
	return alerts
}

// model is what the alerts, in this order, must come to.
func model(alerts []*topics.Alert) (revision map[string]int, history map[string]string) {
	revision, history = map[string]int{}, map[string]string{}
	for _, a := range alerts {
		if a.Revision > revision[a.ID] {
			revision[a.ID] = a.Revision
			history[a.ID] += fmt.Sprint(a.Revision, " ")
		}
	}
	return revision, history
}

func (e *env) requireModel(alerts []*topics.Alert) {
	e.t.Helper()
	revisions, history := model(alerts)
	require.EqualValues(e.t, len(revisions), query[int64](e, "SELECT count(*) FROM alerts"))
	for id, revision := range revisions {
		require.EqualValues(e.t, revision, query[int64](e, "SELECT revision FROM alerts WHERE id = $1", id))
		require.Equal(e.t, history[id],
			query[string](e, "SELECT string_agg(revision || ' ', '' ORDER BY seq) FROM alert_history WHERE alert_id = $1", id))
		require.Equal(e.t, history[id],
			query[string](e, "SELECT string_agg(revision || ' ', '' ORDER BY seq) FROM outbox WHERE alert_id = $1", id))
	}
}

func TestRedeliveryOfEverything(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	alerts := script(1, 300)
	e.send(alerts...)
	s := e.start(e.config())
	e.stored()
	s.end()
	e.requireModel(alerts)
	before := e.snapshot()

	// The position is lost: everything comes again.
	_, err := e.pool.Exec(t.Context(), "DELETE FROM sink_offsets")
	require.NoError(t, err)
	s = e.start(e.config())
	e.stored()
	s.end()
	require.Equal(t, before, e.snapshot())
	// And nothing when it is not.
	s = e.start(e.config())
	eventually(t, func() bool { return s.Health().OK }, "assignment")
	s.end()
	require.Equal(t, before, e.snapshot())
	require.EqualValues(t, 0, value(t, s.metrics.duplicates))
}

func TestRejects(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	raw := func(n int, value string) *kgo.Record {
		r := record(t, newAlert(n, 1))
		r.Value = []byte(value)
		return r
	}
	edit := func(n int, old, replacement string) *kgo.Record {
		r := record(t, newAlert(n, 1))
		require.Contains(t, string(r.Value), old)
		r.Value = []byte(strings.Replace(string(r.Value), old, replacement, 1))
		return r
	}
	wrongKey := record(t, newAlert(10, 1))
	wrongKey.Key = []byte("other")
	bad := []*kgo.Record{
		raw(1, "{"),
		raw(2, `{"schema":99,"id":"`+alertID(2)+`"}`),
		edit(3, `"revision":1`, `"revision":0`),
		edit(4, alertID(4), strings.ToUpper(alertID(4))),
		edit(5, "Many failed", `Many \u0000`),           // 22021: text parameter
		edit(6, "user-6 failed", `user-6 \u0000`),       // 22P05: only in the record
		edit(7, "user-7 failed", `user-7 \ud83d`),       // 22P02: lone surrogate
		edit(8, "user-8 failed", "user-8 \xff"),         // 22021: not UTF-8
		edit(9, `"state":"open"`, `"state":"ajar"`),     // not ours
		edit(11, `"org-a"`, `"`+randomText(20_000)+`"`), // 54000: too long for an index
		wrongKey,
	}
	var all []*kgo.Record
	for i := range 40 {
		all = append(all, record(t, newAlert(100+i, 1)))
		if i < len(bad) {
			all = append(all, bad[i])
		}
	}
	// A revision after a refused one of the same alert is stored.
	all = append(all, record(t, newAlert(5, 2)))
	e.produce(all...)
	s := e.start(e.config())
	e.stored()
	s.end()
	require.EqualValues(t, 41, query[int64](e, "SELECT count(*) FROM alerts"))
	require.EqualValues(t, 41, query[int64](e, "SELECT count(*) FROM alert_history"))
	for _, r := range bad {
		state := query[string](e, `SELECT sqlstate || ' ' || error FROM alert_rejects
			WHERE partition = $1 AND key = $2 AND value = $3`,
			r.Partition, r.Key, r.Value)
		t.Log(state)
	}
	require.EqualValues(t, len(bad), query[int64](e, "SELECT count(*) FROM alert_rejects"))
	require.EqualValues(t, 6, value(t, s.metrics.rejects.WithLabelValues("decode")))
	require.EqualValues(t, 4, value(t, s.metrics.rejects.WithLabelValues("sqlstate_22")))
	require.EqualValues(t, 1, value(t, s.metrics.rejects.WithLabelValues("sqlstate_54")))
	require.True(t, s.Health().OK)
}

func randomText(n int) string {
	r := rand.New(rand.NewPCG(1, 2))
	b := make([]byte, n)
	for i := range b {
		b[i] = 'a' + byte(r.IntN(26))
	}
	return string(b)
}

func TestEscapedTextIsStored(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	text := "a\x00b\xed\xa0\x80␛"
	e.send(newAlert(1, 1, func(a *topics.Alert) {
		a.Organization, a.Title = topics.Escape(text), topics.Escape(text)
		a.Group = map[string]string{"principal": topics.Escape(text)}
	}))
	s := e.start(e.config())
	e.stored()
	s.end()
	require.Equal(t, text, topics.Unescape(query[string](e, "SELECT organization FROM alerts")))
	require.Equal(t, text, topics.Unescape(query[string](e, "SELECT group_values->>'principal' FROM alerts")))
}

func TestConfig(t *testing.T) {
	t.Parallel()
	_, err := New(Config{RetryMin: 2 * time.Second, RetryMax: time.Second})
	for _, name := range []string{"Pool", "Kafka", "Topic", "Group", "Log", "RetryMin"} {
		require.ErrorContains(t, err, name)
	}
}

func TestRunEndsWithItsContext(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	s, err := New(e.config())
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.NoError(t, s.Run(ctx))
	require.False(t, s.Health().OK)
	require.Contains(t, s.Health().Reason, "starting")
}
