package telemetry

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"tocsin/processor/processortest/otlptest"
)

const wait = time.Minute

func tracing(t *testing.T, c TraceConfig) *Tracing {
	t.Helper()
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	c.Service, c.Version, c.Instance = "tocsin", "1.2.3", "one"
	tr, err := NewTracing(t.Context(), c)
	require.NoError(t, err)
	return tr
}

func leaks(t *testing.T) {
	t.Helper()
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, before) })
}

func TestSpansArrive(t *testing.T) {
	for protocol, start := range map[string]func() *otlptest.Collector{
		ProtocolHTTP: func() *otlptest.Collector { return otlptest.StartHTTP(t, nil) },
		ProtocolGRPC: func() *otlptest.Collector { return otlptest.StartGRPC(t) },
	} {
		t.Run(protocol, func(t *testing.T) {
			collector := start()
			reg := prometheus.NewRegistry()
			url := collector.URL
			if protocol == ProtocolHTTP {
				url += "/custom/v1/traces"
			}
			tr := tracing(t, TraceConfig{URL: url, Protocol: protocol, Registerer: reg,
				Headers: map[string]string{"authorization": "Bearer secret"}})
			_, span := tr.Tracer("test").Start(t.Context(), "one")
			span.End()
			require.NoError(t, tr.Close(t.Context()), "what waits is sent at the end")
			spans := collector.Spans()
			require.Len(t, spans, 1)
			require.Equal(t, "one", spans[0].Name)
			about := spans[0].Resource
			require.Equal(t, "tocsin", about["service.name"])
			require.Equal(t, "1.2.3", about["service.version"])
			require.Equal(t, "one", about["service.instance.id"])
			paths, headers := collector.Requests()
			require.Equal(t, "Bearer secret", headers[0].Get("Authorization"))
			if protocol == ProtocolHTTP {
				require.Equal(t, []string{"/custom/v1/traces"}, paths)
			}
			require.NoError(t, testutil.GatherAndCompare(reg, strings.NewReader(`
# HELP tocsin_telemetry_spans_total Spans by what became of them: ended, and of these sent and failed. The rest waits, or was dropped because too many waited.
# TYPE tocsin_telemetry_spans_total counter
tocsin_telemetry_spans_total{result="ended"} 1
tocsin_telemetry_spans_total{result="sent"} 1
`)))
		})
	}
}

// A collector that hangs holds up neither those who make spans nor the end.
func TestCollectorHangs(t *testing.T) {
	leaks(t)
	collector := otlptest.StartHTTP(t, nil)
	release := make(chan struct{})
	collector.Handle(func() int { <-release; return http.StatusOK })
	defer close(release)
	tr := tracing(t, TraceConfig{URL: collector.URL, Protocol: ProtocolHTTP})
	began := time.Now()
	for range 10_000 { // more than may wait
		_, span := tr.Tracer("test").Start(t.Context(), "one")
		span.End()
	}
	require.Less(t, time.Since(began), wait/2, "making spans does not wait")
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	began = time.Now()
	require.NoError(t, tr.Close(ctx))
	require.Less(t, time.Since(began), wait/2)
}

func TestFailuresAreToldOnce(t *testing.T) {
	t.Setenv("OTEL_BSP_SCHEDULE_DELAY", "5")
	leaks(t)
	collector := otlptest.StartHTTP(t, nil)
	collector.Handle(func() int { return http.StatusForbidden })
	var log locked
	reg := prometheus.NewRegistry()
	tr := tracing(t, TraceConfig{URL: collector.URL, Protocol: ProtocolHTTP, Registerer: reg,
		Log: slog.New(slog.NewTextHandler(&log, nil))})
	counted := func(result string) float64 { return testutil.ToFloat64(tr.exporter.spans.WithLabelValues(result)) }
	send := func(result string, n float64) {
		t.Helper()
		_, span := tr.Tracer("test").Start(t.Context(), "one")
		span.End()
		require.Eventually(t, func() bool { return counted(result) == n }, wait, time.Millisecond)
	}
	send("failed", 1)
	send("failed", 2)
	collector.Handle(func() int { return http.StatusOK })
	send("sent", 1)
	require.NoError(t, tr.Close(t.Context()))
	require.Equal(t, 1, strings.Count(log.String(), "traces are not being sent"), log.String())
	require.Equal(t, 1, strings.Count(log.String(), "traces are being sent again"), log.String())
	require.Contains(t, log.String(), "403")
}

func TestTraceConfigFaults(t *testing.T) {
	for url, want := range map[string]string{"http://u:hunter2@h:x": "no URL", "http://h": "protocol"} {
		_, err := NewTracing(t.Context(), TraceConfig{URL: url, Protocol: "carrier pigeon"})
		require.ErrorContains(t, err, want)
		require.NotContains(t, err.Error(), "hunter2")
	}
}

// locked is a buffer for several goroutines.
type locked struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *locked) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *locked) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
