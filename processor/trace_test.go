package processor

import (
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
)

// recorder keeps spans.
func recorder() (*tracetest.SpanRecorder, trace.Tracer) {
	r := tracetest.NewSpanRecorder()
	return r, sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(r)).Tracer("test")
}

func valuesOf(s sdktrace.ReadOnlySpan) map[string]attribute.Value {
	out := map[string]attribute.Value{}
	for _, a := range s.Attributes() {
		out[string(a.Key)] = a.Value
	}
	return out
}

// Each transaction is one span, and together they tell of every record once.
func TestASpanForEachTransaction(t *testing.T) {
	e := newEnv(t, 2)
	r, tracer := recorder()
	x := e.start(t.TempDir(), func(c *Config) { c.Tracer, c.Workers = tracer, 1 })
	e.sendMany(0, 60)
	e.sendMany(30, 60)
	e.drain()
	require.NoError(t, x.stop())
	m := x.p.metrics
	var records, alerts, judged, duplicates, dead int64
	seen := map[int64]bool{}
	for _, s := range r.Ended() {
		v := valuesOf(s)
		require.Equal(t, "process audit.events", s.Name())
		require.Equal(t, trace.SpanKindConsumer, s.SpanKind())
		require.Equal(t, codes.Unset, s.Status().Code, s.Status().Description)
		require.Empty(t, s.Events())
		require.False(t, s.EndTime().Before(s.StartTime()))
		require.Equal(t, "kafka", v["messaging.system"].AsString())
		require.Equal(t, "test", v["messaging.consumer.group.name"].AsString())
		require.Equal(t, "test-one-0", v["messaging.client.id"].AsString())
		if v["tocsin.transaction.outcome"].AsString() != "committed" {
			continue
		}
		records += v["messaging.batch.message_count"].AsInt64()
		alerts += v["tocsin.alert_revisions"].AsInt64()
		judged += v["tocsin.events.judged"].AsInt64()
		duplicates += v["tocsin.events.duplicates"].AsInt64()
		dead += v["tocsin.events.dead_letters"].AsInt64()
		partitions := v["tocsin.partitions"].AsInt64Slice()
		require.NotEmpty(t, partitions)
		require.True(t, slices.IsSorted(partitions))
		for _, p := range partitions {
			seen[p] = true
		}
		_, single := v["messaging.destination.partition.id"]
		require.Equal(t, len(partitions) == 1, single)
	}
	require.Len(t, seen, 2)
	require.EqualValues(t, e.sent[0]+e.sent[1], records)
	require.EqualValues(t, testutil.ToFloat64(m.records.WithLabelValues("judged", "")), judged)
	require.EqualValues(t, testutil.ToFloat64(m.records.WithLabelValues("duplicate", "")), duplicates)
	require.EqualValues(t, testutil.ToFloat64(m.alerts), alerts)
	require.Equal(t, records-judged-duplicates, dead)
	total := testutil.ToFloat64(m.transactions.WithLabelValues("committed")) +
		testutil.ToFloat64(m.transactions.WithLabelValues("aborted"))
	require.Len(t, r.Ended(), int(total), "a span for each")
	require.Len(t, r.Started(), len(r.Ended()), "all have ended")
}

// What goes wrong is in the span.
func TestASpanTellsWhatWentWrong(t *testing.T) {
	for name, c := range map[string]struct {
		fault   kfake.Fault
		outcome string
		reason  string
		status  codes.Code
	}{
		"aborted": {kfake.Fault{Keys: []kmsg.Key{kmsg.TxnOffsetCommit}, Err: kerr.GroupIDNotFound}, "aborted", "other", codes.Error},
		"rebalance": {kfake.Fault{Keys: []kmsg.Key{kmsg.TxnOffsetCommit}, Err: kerr.IllegalGeneration}, "aborted", "group",
			codes.Unset},
		"unknown": {kfake.Fault{Keys: []kmsg.Key{kmsg.EndTxn}, Err: kerr.UnknownServerError}, "unknown", "", codes.Error},
	} {
		t.Run(name, func(t *testing.T) {
			e := newEnv(t, 1)
			r, tracer := recorder()
			var once atomic.Bool
			fault := c.fault
			fault.Count, fault.When = -1, func(kmsg.Request) bool { return !once.Swap(true) }
			x := e.start(t.TempDir(), func(c *Config) { c.Tracer, c.Workers = tracer, 1 })
			x.waitRunning(1)
			e.cluster.Fault(fault)
			e.sendMany(0, 30)
			e.drain()
			require.NoError(t, x.stop())
			var found sdktrace.ReadOnlySpan
			for _, s := range r.Ended() {
				if valuesOf(s)["tocsin.transaction.outcome"].AsString() == c.outcome && found == nil {
					found = s
				}
			}
			require.NotNil(t, found)
			v := valuesOf(found)
			require.Equal(t, c.reason, v["tocsin.transaction.reason"].AsString())
			require.Equal(t, c.status, found.Status().Code)
			require.Len(t, found.Events(), map[codes.Code]int{codes.Error: 1, codes.Unset: 0}[c.status])
			require.Equal(t, []int64{0}, v["tocsin.partitions"].AsInt64Slice(), "they are still part of it")
			require.WithinRange(t, found.EndTime(), found.StartTime(), found.StartTime().Add(time.Hour))
		})
	}
}

// Without a tracer there is no work for one: begin and end are not even called.
func TestNoTracerNoSpan(t *testing.T) {
	w := &worker{proc: &Processor{}}
	require.Zero(t, testing.AllocsPerRun(100, func() {
		w.tellOutcome(committed, nil)
	}))
}
