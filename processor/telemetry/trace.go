package telemetry

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc/credentials"
)

// The protocols of OTLP, in the words of OTEL_EXPORTER_OTLP_PROTOCOL.
const (
	ProtocolHTTP = "http/protobuf"
	ProtocolGRPC = "grpc"
)

// TraceConfig says where spans go. URL, Service and Log must be set.
type TraceConfig struct {
	URL      string // http or https; https encrypts
	Protocol string // ProtocolHTTP or ProtocolGRPC; of HTTP the URL is that to post to
	Headers  map[string]string
	TLS      *tls.Config // nil: the system's authorities

	Service, Version, Instance string // of the process

	Log        *slog.Logger
	Registerer prometheus.Registerer // nil for none
}

// Tracing makes tracers and sends their spans. Sending happens beside everything else: at most 2,048 spans wait, more
// are dropped, and a collector that is away holds up nothing. What else can be set are the variables OTEL_BSP_*,
// OTEL_SPAN_*, OTEL_TRACES_SAMPLER, OTEL_RESOURCE_ATTRIBUTES and those of the exporter, which the library reads itself.
type Tracing struct {
	provider *sdktrace.TracerProvider
	exporter *countedExporter
}

// NewTracing makes one. It connects when the first span is sent.
func NewTracing(ctx context.Context, c TraceConfig) (*Tracing, error) {
	if _, err := url.Parse(c.URL); err != nil {
		return nil, errors.New("the endpoint is no URL") // the URL may hold a password, and so does the error
	}
	var client otlptrace.Client
	secure := strings.HasPrefix(c.URL, "https://")
	switch c.Protocol {
	case ProtocolHTTP:
		opts := []otlptracehttp.Option{otlptracehttp.WithEndpointURL(c.URL), otlptracehttp.WithHeaders(c.Headers)}
		if secure && c.TLS != nil {
			opts = append(opts, otlptracehttp.WithTLSClientConfig(c.TLS))
		}
		client = otlptracehttp.NewClient(opts...)
	case ProtocolGRPC:
		opts := []otlptracegrpc.Option{otlptracegrpc.WithEndpointURL(c.URL), otlptracegrpc.WithHeaders(c.Headers)}
		if secure && c.TLS != nil {
			opts = append(opts, otlptracegrpc.WithTLSCredentials(credentials.NewTLS(c.TLS)))
		}
		client = otlptracegrpc.NewClient(opts...)
	default:
		return nil, fmt.Errorf("protocol %q is neither %s nor %s", c.Protocol, ProtocolHTTP, ProtocolGRPC)
	}
	exporter, err := otlptrace.New(ctx, client)
	if err != nil {
		return nil, fmt.Errorf("make an exporter of spans: %w", err)
	}
	counted, err := newCountedExporter(exporter, c)
	if err != nil {
		return nil, err
	}
	about, err := resource.New(ctx, resource.WithTelemetrySDK(), resource.WithFromEnv(), resource.WithAttributes(
		attribute.String("service.name", c.Service),
		attribute.String("service.version", c.Version),
		attribute.String("service.instance.id", c.Instance),
	))
	if err != nil && !errors.Is(err, resource.ErrPartialResource) {
		return nil, fmt.Errorf("describe the process: %w", err)
	}
	return &Tracing{sdktrace.NewTracerProvider(sdktrace.WithResource(about),
		sdktrace.WithSpanProcessor(countedSpans{sdktrace.NewBatchSpanProcessor(counted), counted})), counted}, nil
}

// Tracer makes a tracer for one part of the program.
func (t *Tracing) Tracer(name string) trace.Tracer { return t.provider.Tracer(name) }

// Close sends what waits, until ctx ends. It is called once.
func (t *Tracing) Close(ctx context.Context) error {
	defer close(t.exporter.closed)
	if err := t.provider.Shutdown(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return nil // the last spans are not worth an error
}

// countedExporter counts what is sent, and says when that begins to fail and when it works again. Its errors go no
// further: the library would print each of them.
type countedExporter struct {
	sdktrace.SpanExporter

	log     *slog.Logger
	spans   *prometheus.CounterVec // by result
	failing atomic.Bool
	closed  chan struct{} // ends what is being sent
}

func newCountedExporter(e sdktrace.SpanExporter, c TraceConfig) (*countedExporter, error) {
	spans := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "tocsin_telemetry_spans_total",
		Help: "Spans by what became of them: ended, and of these sent and failed. The rest waits, or was dropped because " +
			"too many waited.",
	}, []string{"result"})
	if c.Registerer != nil {
		if err := c.Registerer.Register(spans); err != nil {
			return nil, fmt.Errorf("register metrics: %w", err)
		}
	}
	return &countedExporter{SpanExporter: e, log: c.Log, spans: spans, closed: make(chan struct{})}, nil
}

// patience bounds one try to send, with all that the exporter does in it.
const patience = 15 * time.Second

// ExportSpans implements sdktrace.SpanExporter.
func (e *countedExporter) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	go func() {
		select {
		case <-e.closed:
			cancel()
		case <-ctx.Done():
		}
	}()
	if err := e.SpanExporter.ExportSpans(ctx, spans); err != nil {
		e.spans.WithLabelValues("failed").Add(float64(len(spans)))
		if !e.failing.Swap(true) {
			e.log.Warn("traces are not being sent; nothing else is affected", "error", err)
		}
		return nil // see the type
	}
	e.spans.WithLabelValues("sent").Add(float64(len(spans)))
	if e.failing.Swap(false) {
		e.log.Info("traces are being sent again")
	}
	return nil
}

// countedSpans counts spans that have ended, whether or not there is room for them.
type countedSpans struct {
	sdktrace.SpanProcessor

	to *countedExporter
}

// OnEnd implements sdktrace.SpanProcessor.
func (c countedSpans) OnEnd(s sdktrace.ReadOnlySpan) {
	if s.SpanContext().IsSampled() {
		c.to.spans.WithLabelValues("ended").Inc()
	}
	c.SpanProcessor.OnEnd(s)
}
