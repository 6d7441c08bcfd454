package app

import (
	"crypto/tls"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"tocsin/processor/app/settings"
	"tocsin/processor/processortest/certificates"
	"tocsin/processor/processortest/otlptest"
)

// traced sends a span as the program does with this environment, and returns what the collector got.
func traced(t *testing.T, collector *otlptest.Collector, env ...string) (path, authorization string, about map[string]any) {
	t.Helper()
	cfg, err := Load(LoadInput{NoFile: true, Env: env, Flags: []settings.Flag{{Name: "--set", Path: "app.instance", Value: "one"}}})
	require.NoError(t, err)
	log := slog.New(slog.DiscardHandler)
	cl := &closers{log: log}
	tracer, err := openTracing(t.Context(), cfg, Options{Log: log, Now: time.Now, Version: "1.2.3"},
		prometheus.NewRegistry(), cl)
	require.NoError(t, err)
	_, span := tracer.Start(t.Context(), "one")
	span.End()
	require.NoError(t, cl.closeAll(t.Context()))
	spans := collector.Spans()
	require.Len(t, spans, 1)
	paths, headers := collector.Requests()
	return paths[0], headers[0].Get("Authorization"), spans[0].Resource
}

func TestTracesGoWhereTheEnvironmentSays(t *testing.T) {
	for name, tc := range map[string]struct {
		env  func(url string) []string
		path string
		auth string
	}{
		"standard":    {func(u string) []string { return []string{"OTEL_EXPORTER_OTLP_ENDPOINT=" + u} }, "/v1/traces", ""},
		"with a path": {func(u string) []string { return []string{"OTEL_EXPORTER_OTLP_ENDPOINT=" + u + "/api/x/"} }, "/api/x/v1/traces", ""},
		"traces alone": {func(u string) []string {
			return []string{"OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:1", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=" + u + "/here"}
		}, "/here", ""},
		"the worker's": {func(u string) []string { return []string{"OTLP_ENDPOINT=" + u + "/v1/traces", "OTLP_API_KEY=k"} }, "/v1/traces", "Bearer k"},
		"a header": {func(u string) []string {
			return []string{"OTLP_ENDPOINT=" + u, "OTLP_API_KEY=k", "OTLP_AUTH_HEADER=Authorization: Basic a:b"}
		}, "/v1/traces", "Basic a:b"},
		"headers": {func(u string) []string {
			return []string{"OTLP_ENDPOINT=" + u, "OTEL_EXPORTER_OTLP_HEADERS=x-tenant=1,authorization=Basic%20c"}
		}, "/v1/traces", "Basic c"},
	} {
		t.Run(name, func(t *testing.T) {
			c := otlptest.StartHTTP(t, nil)
			path, auth, about := traced(t, c, append(tc.env(c.URL), "OTEL_SERVICE_NAME=audit")...)
			require.Equal(t, tc.path, path)
			require.Equal(t, tc.auth, auth)
			require.Equal(t, "audit", about["service.name"])
			require.Equal(t, "1.2.3", about["service.version"])
		})
	}
	t.Run("gRPC", func(t *testing.T) {
		c := otlptest.StartGRPC(t)
		_, auth, _ := traced(t, c, "TOCSIN_OTEL__ENDPOINT="+c.URL, "OTEL_EXPORTER_OTLP_PROTOCOL=grpc", "OTLP_API_KEY=k")
		require.Equal(t, "Bearer k", auth)
	})
	t.Run("TLS", func(t *testing.T) {
		f, err := certificates.Make(t.TempDir(), "otel")
		require.NoError(t, err)
		pair, err := tls.LoadX509KeyPair(f.Server, f.Server)
		require.NoError(t, err)
		c := otlptest.StartHTTP(t, &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12})
		traced(t, c, "OTEL_EXPORTER_OTLP_ENDPOINT="+c.URL, "OTEL_EXPORTER_OTLP_CERTIFICATE="+f.CA)
	})
}

func TestNoTracesUnlessAsked(t *testing.T) {
	none := filepath.Join(t.TempDir(), "none.pem")
	require.NoError(t, os.WriteFile(none, []byte("nothing"), 0o600))
	for name, tc := range map[string]struct {
		env []string
		err string
	}{
		"not configured": {nil, ""},
		"disabled":       {[]string{"OTLP_ENDPOINT=http://127.0.0.1:1", "OTEL_SDK_DISABLED=true"}, ""},
		"no certificate": {[]string{"OTLP_ENDPOINT=https://127.0.0.1:1", "TOCSIN_OTEL__TLS__CA_FILE=" + none}, "otel.tls.ca_file"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg, err := Load(LoadInput{NoFile: true, Env: tc.env})
			require.NoError(t, err)
			tracer, err := openTracing(t.Context(), cfg, Options{Log: slog.New(slog.DiscardHandler)}, nil, &closers{})
			if tc.err != "" {
				require.ErrorContains(t, err, tc.err)
				return
			}
			require.NoError(t, err)
			require.Nil(t, tracer)
		})
	}
}

func TestOtelSecretsAreNotShown(t *testing.T) {
	for _, env := range []string{"OTLP_AUTH_HEADER=hunter2", "OTEL_EXPORTER_OTLP_HEADERS=hunter2", "OTLP_API_KEY=hunter2\n",
		"OTLP_ENDPOINT=http://user:hunter2@collector:4318", "OTEL_EXPORTER_OTLP_HEADERS=a=hunter2\r\nb"} {
		_, err := Load(LoadInput{NoFile: true, Env: []string{env}})
		if err == nil {
			require.Contains(t, env, "\n", "trimmed")
			continue
		}
		require.ErrorContains(t, err, "otel.")
		require.NotContains(t, err.Error(), "hunter2")
	}
}
