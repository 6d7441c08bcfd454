package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"tocsin/processor"
	"tocsin/processor/app/settings"
	"tocsin/processor/live"
	"tocsin/processor/sink"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestClosersGoBackwardsAndLeaveBehindWhatHangs(t *testing.T) {
	var order []string
	c := &closers{log: slog.New(slog.DiscardHandler)}
	step := func(name string, err error) {
		c.add(name, time.Second, func(ctx context.Context) error {
			require.NoError(t, ctx.Err(), "the context of the run has ended, that of the step has not")
			order = append(order, name)
			return err
		})
	}
	broken := errors.New("broken")
	release := make(chan struct{})
	step("first", nil)
	c.add("hanging", 10*time.Millisecond, func(context.Context) error { <-release; return nil })
	step("third", broken)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := c.closeAll(ctx)
	close(release)
	require.ErrorIs(t, err, broken)
	require.ErrorContains(t, err, "close third")
	require.ErrorContains(t, err, "close hanging: not done after 10ms, left behind")
	require.Equal(t, []string{"third", "first"}, order)
	require.NoError(t, c.closeAll(ctx), "twice is harmless")
}

func TestAdminSaysWhatIsMissing(t *testing.T) {
	health := processor.Health{Ready: true, Joined: true, Partitions: []processor.PartitionHealth{
		{Partition: 0, State: processor.Running, Lag: -1},
	}}
	stored := sink.Health{OK: true}
	lags, lagErr := map[int32]int64{0: 7}, error(nil)
	a := &admin{
		log: slog.New(slog.DiscardHandler), registry: prometheus.NewRegistry(),
		processor: func() processor.Health {
			h := health
			h.Partitions = append([]processor.PartitionHealth(nil), health.Partitions...)
			return h
		},
		sink: func() sink.Health { return stored },
		lag:  func(context.Context) (map[int32]int64, error) { return lags, lagErr },
	}
	ask := func(judge func(context.Context, *condition)) (int, string) {
		w := httptest.NewRecorder()
		a.answer(w, httptest.NewRequest(http.MethodGet, "/", nil), judge)
		return w.Code, w.Body.String()
	}
	code, body := ask(a.ready)
	require.Equal(t, http.StatusOK, code, body)
	require.Contains(t, body, `"lag": 7`)
	require.Contains(t, body, `"status": "OK"`)

	health.Warnings = []string{"keys are wrong"}
	for _, judge := range []func(context.Context, *condition){a.ready, a.alive} {
		code, body = ask(judge)
		require.Equal(t, http.StatusOK, code, "a warning fails neither")
		require.Contains(t, body, `"ok": true`)
		require.Contains(t, body, `"status": "WARNING"`)
		require.Contains(t, body, "keys are wrong")
	}

	health.Warnings = nil
	numbers := live.Health{OK: true}
	a.live = func() live.Health { return numbers }
	_, body = ask(a.ready)
	require.Contains(t, body, `"status": "OK"`)
	numbers = live.Health{Reason: "no Redis"}
	code, body = ask(a.ready)
	require.Equal(t, http.StatusOK, code, "it is ready without Redis")
	require.Contains(t, body, `"status": "WARNING"`)
	require.Contains(t, body, "no Redis")

	lagErr = errors.New("no broker")
	code, body = ask(a.ready)
	require.Equal(t, http.StatusServiceUnavailable, code)
	require.Contains(t, body, "lag of 1 partitions is not known")
	require.Contains(t, body, `"status": "FAILING"`)

	health.Partitions[0].State, health.Ready = processor.Stopped, false
	stored = sink.Health{Reason: "no database"}
	code, body = ask(a.ready)
	require.Equal(t, http.StatusServiceUnavailable, code)
	require.Contains(t, body, "partition 0 is stopped")
	require.Contains(t, body, "alerts are not being stored: no database")
	code, _ = ask(a.alive)
	require.Equal(t, http.StatusOK, code, "not ready is alive")

	hang := make(chan struct{})
	a.sink = func() sink.Health { <-hang; return stored }
	code, body = ask(a.alive)
	close(hang)
	require.Equal(t, http.StatusServiceUnavailable, code)
	require.Contains(t, body, "does not answer")
}

func TestKafkaOptions(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "none.pem"), []byte("nothing"), 0o600))
	base := func() Config {
		c := Default()
		c.Kafka.Brokers = []string{"a:1"}
		return c
	}
	for name, tc := range map[string]struct {
		change func(*Config)
		err    string
	}{
		"plain text": {func(*Config) {}, ""},
		"no brokers": {func(c *Config) { c.Kafka.Brokers = nil }, "kafka.brokers is not set"},
		"no such authority": {func(c *Config) {
			c.Kafka.TLS = TLSConfig{Enabled: true, CAFile: filepath.Join(dir, "missing.pem")}
		}, "kafka.tls.ca_file"},
		"no certificate in it": {func(c *Config) {
			c.Kafka.TLS = TLSConfig{Enabled: true, CAFile: filepath.Join(dir, "none.pem")}
		}, "holds no certificate"},
		"no own certificate": {func(c *Config) {
			c.Kafka.TLS = TLSConfig{Enabled: true, CertFile: filepath.Join(dir, "none.pem"), KeyFile: filepath.Join(dir, "none.pem")}
		}, "kafka.tls.cert_file"},
		"scram over TLS": {func(c *Config) {
			c.Kafka.TLS.Enabled = true
			c.Kafka.SASL = SASLConfig{Mechanism: "scram-sha-512", Username: "u", Password: settings.NewSecret("p")}
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			c := base()
			tc.change(&c)
			cl, err := c.kafkaClient()
			if tc.err != "" {
				require.ErrorContains(t, err, tc.err)
				return
			}
			require.NoError(t, err)
			cl.Close()
		})
	}
}

func TestNoSecretInConfiguration(t *testing.T) {
	c := Default()
	c.Postgres.URL = settings.NewURL("postgres://u:hunter2@h/d")
	c.Verify.HMACSecret = settings.NewSecret("hunter2")
	require.NotContains(t, fmt.Sprintf("%v %+v %#v", c, c, c), "hunter2")
}
