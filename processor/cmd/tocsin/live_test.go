package main

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tocsin/processor/processortest/otlptest"
	"tocsin/processor/processortest/pgtest"
	"tocsin/processor/processortest/redistest"
)

// numbers are those of `tocsin metrics` that are looked at here.
type numbers struct {
	Events int64 `json:"eventsProcessed"`
	Total  int64 `json:"alertsGenerated"`
	Alerts []struct {
		Rule, Severity, Organization string
		Alerts                       int64
	} `json:"alerts"`
	Processes []struct{ Instance string }
}

// TestLiveNumbers runs everything with a Redis that asks for TLS and a password, and a collector of traces. Both go away
// and nothing is held up.
func TestLiveNumbers(t *testing.T) {
	server := redistest.Start(t, redistest.Config{TLS: true, Mutual: true, Password: secret("live-password-1")})
	collector := otlptest.StartHTTP(t, nil)
	dir := pgtest.TempDir(t)
	t.Chdir(dir)
	admin, files := freeAddress(t), server.Files()
	env := []string{
		"NO_COLOR=1", "TOCSIN_REDIS__ADDRESS=" + server.Addr(), "TOCSIN_REDIS__PASSWORD=live-password-1",
		"TOCSIN_REDIS__TLS__ENABLED=true", "TOCSIN_REDIS__TLS__CA_FILE=" + files.CA,
		"TOCSIN_REDIS__TLS__CERT_FILE=" + files.ClientCert, "TOCSIN_REDIS__TLS__KEY_FILE=" + files.ClientKey,
		"TOCSIN_REDIS__INTERVAL=1s", "OTEL_EXPORTER_OTLP_ENDPOINT=" + collector.URL,
		"OTLP_API_KEY=" + secret("collector-key-1"),
	}
	stop, ended := runEmbedded(t, env, admin, dir)
	client := filepath.Join(dir, "embedded", "client.yaml")
	discretion(t, client)
	metrics := func() (n numbers) {
		t.Helper()
		out, errs, code := call{env: env, args: []string{"--config", client, "metrics"}}.run(t.Context())
		if code == 0 {
			require.NoError(t, json.Unmarshal([]byte(out), &n), out+errs)
		}
		return n
	}
	ingest := func(text string) {
		t.Helper()
		out, errs, code := call{env: env, args: []string{"--config", client, "ingest", "-"}, stdin: text}.run(t.Context())
		require.Zero(t, code, out+errs)
	}
	ingest(failures())
	require.Eventually(t, func() bool {
		n := metrics()
		return n.Total == 1 && n.Events > 0 && len(n.Processes) == 1 && n.Processes[0].Instance == "test"
	}, time.Minute, 100*time.Millisecond)
	n := metrics()
	require.Len(t, n.Alerts, 1)
	require.Equal(t, "failed-auth-burst", n.Alerts[0].Rule)
	require.EqualValues(t, 1, n.Alerts[0].Alerts)
	out, _, code := call{env: env, terminal: true, args: []string{"--config", client, "metrics"}}.run(t.Context())
	require.Zero(t, code)
	require.Regexp(t, `(?m)^1 +HIGH +failed-auth-burst `, out)

	require.Eventually(t, func() bool { return len(collector.Spans()) > 0 }, time.Minute, 100*time.Millisecond)
	require.Equal(t, "process audit.events", collector.Spans()[0].Name)
	require.Equal(t, "test", collector.Spans()[0].Resource["service.instance.id"])

	server.Kill()
	release := make(chan struct{})
	collector.Handle(func() int { <-release; return 503 })
	health := func(ok bool) {
		t.Helper()
		require.Eventually(t, func() bool {
			body := get(t, "http://"+admin+"/readyz")
			require.Contains(t, body, `"ok": true`, "it is ready with Redis and without")
			var c struct{ Live struct{ OK bool } }
			require.NoError(t, json.Unmarshal([]byte(body), &c))
			return c.Live.OK == ok
		}, time.Minute, 100*time.Millisecond)
	}
	health(false)
	require.Eventually(t, func() bool {
		out, _, code = call{env: env, args: []string{"--config", client, "health"}}.run(t.Context())
		require.Zero(t, code, "a warning is no failure")
		require.Contains(t, out, "the live numbers in Redis stand still")
		return strings.Contains(out, "no server answers at redis.address")
	}, time.Minute, 100*time.Millisecond)
	_, errs, code := call{env: env, args: []string{"--config", client, "metrics"}}.run(t.Context())
	require.Equal(t, 1, code)
	require.Contains(t, errs, "no server answers at redis.address")
	ingest(strings.ReplaceAll(failures(), "mallory", "trudy"))
	server.Restart() // empty
	health(true)
	require.Eventually(t, func() bool { return metrics().Total == 2 }, time.Minute, 100*time.Millisecond,
		"the lost one is counted again, and the one found meanwhile")

	began := time.Now()
	stop()
	select {
	case r := <-ended:
		require.Zero(t, r.code, r.stderr)
	case <-time.After(2 * time.Minute):
		t.Fatal("run did not end")
	}
	close(release)
	t.Logf("ended in %v", time.Since(began))
}
