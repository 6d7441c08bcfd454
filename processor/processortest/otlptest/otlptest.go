// Package otlptest is a collector for tests: it takes traces over OTLP, by HTTP and by gRPC, in this process.
package otlptest

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	traces "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"
)

// Collector keeps what it is sent.
type Collector struct {
	collector.UnimplementedTraceServiceServer

	URL string // its base address

	mu       sync.Mutex
	spans    []Span
	headers  []http.Header
	paths    []string
	handling func() int // gives the status code to answer with
}

// Span is a span with what its sender says of itself.
type Span struct {
	*traces.Span

	Resource map[string]any
}

// Values are the attributes of the span.
func (s Span) Values() map[string]any { return values(s.Attributes) }

// StartHTTP starts a collector that takes traces over HTTP, with TLS if that is not nil. It ends with the test.
func StartHTTP(t testing.TB, secure *tls.Config) *Collector {
	t.Helper()
	c := &Collector{handling: func() int { return http.StatusOK }}
	s := httptest.NewUnstartedServer(http.HandlerFunc(c.serve))
	if secure != nil {
		s.TLS = secure
		s.StartTLS()
	} else {
		s.Start()
	}
	t.Cleanup(s.Close)
	c.URL = s.URL
	return c
}

// StartGRPC starts a collector that takes traces over gRPC. It ends with the test.
func StartGRPC(t testing.TB) *Collector {
	t.Helper()
	c := &Collector{handling: func() int { return http.StatusOK }}
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := grpc.NewServer()
	collector.RegisterTraceServiceServer(s, c)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = s.Serve(l)
	}()
	t.Cleanup(func() { s.Stop(); <-done })
	c.URL = "http://" + l.Addr().String()
	return c
}

// Handle makes an HTTP collector call a function for each request, and answer with its status code.
func (c *Collector) Handle(do func() int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.handling = do
}

func (c *Collector) serve(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	handling := c.handling
	c.mu.Unlock()
	body, err := io.ReadAll(r.Body)
	if code := handling(); code != http.StatusOK || err != nil {
		w.WriteHeader(code)
		return
	}
	var req collector.ExportTraceServiceRequest
	if err := proto.Unmarshal(body, &req); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	c.take(&req, r.URL.Path, r.Header)
	w.Header().Set("Content-Type", "application/x-protobuf")
	answer, _ := proto.Marshal(&collector.ExportTraceServiceResponse{}) // of nothing
	_, _ = w.Write(answer)                                              // who asked finds out
}

// Export implements the service of gRPC.
func (c *Collector) Export(ctx context.Context, req *collector.ExportTraceServiceRequest) (
	*collector.ExportTraceServiceResponse, error,
) {
	headers := http.Header{}
	if md, ok := metadata.FromIncomingContext(ctx); ok {
		for k, v := range md {
			for _, one := range v {
				headers.Add(k, one)
			}
		}
	}
	c.take(req, "", headers)
	return &collector.ExportTraceServiceResponse{}, nil
}

func (c *Collector) take(req *collector.ExportTraceServiceRequest, path string, headers http.Header) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.paths, c.headers = append(c.paths, path), append(c.headers, headers)
	for _, r := range req.GetResourceSpans() {
		about := values(r.GetResource().GetAttributes())
		for _, s := range r.GetScopeSpans() {
			for _, span := range s.GetSpans() {
				c.spans = append(c.spans, Span{span, about})
			}
		}
	}
}

// Spans are those that came so far.
func (c *Collector) Spans() []Span {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]Span(nil), c.spans...)
}

// Requests are the paths and headers of the requests that came so far.
func (c *Collector) Requests() (paths []string, headers []http.Header) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]string(nil), c.paths...), append([]http.Header(nil), c.headers...)
}

func values(attributes []*common.KeyValue) map[string]any {
	out := map[string]any{}
	for _, a := range attributes {
		switch v := a.GetValue().GetValue().(type) {
		case *common.AnyValue_StringValue:
			out[a.GetKey()] = v.StringValue
		case *common.AnyValue_IntValue:
			out[a.GetKey()] = v.IntValue
		case *common.AnyValue_ArrayValue:
			var all []int64
			for _, item := range v.ArrayValue.GetValues() {
				all = append(all, item.GetIntValue())
			}
			out[a.GetKey()] = all
		}
	}
	return out
}
