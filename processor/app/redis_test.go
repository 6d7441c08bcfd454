package app

import (
	"context"
	"io"
	"net"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"tocsin/processor/app/settings"
	"tocsin/processor/live"
	"tocsin/processor/processortest/redistest"
)

// redisConfig is a configuration for a server.
func redisConfig(s *redistest.Server) Config {
	c := Default()
	c.Redis.Address = s.Addr()
	return c
}

// pingRedis asks the server of a configuration, as the program does.
func pingRedis(ctx context.Context, c *Config) error {
	client, err := c.redisClient()
	if err != nil {
		return err
	}
	defer client.Close() //nolint:errcheck // a test
	return c.Redis.explain(client.Ping(ctx).Err())
}

// What a server refuses is explained with the setting that it comes from, and shows no password.
func TestRedisRefusals(t *testing.T) {
	open := redistest.Start(t, redistest.Config{})
	guarded := redistest.Start(t, redistest.Config{Password: "right-one"})
	secure := redistest.Start(t, redistest.Config{TLS: true, Password: "right-one"})
	mutual := redistest.Start(t, redistest.Config{TLS: true, Mutual: true})
	silent, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0") // takes connections and says nothing
	require.NoError(t, err)
	defer silent.Close() //nolint:errcheck // a test
	files := secure.Files()
	tls := TLSConfig{Enabled: true, CAFile: files.CA}
	own := mutual.Files()
	for name, tc := range map[string]struct {
		server *redistest.Server
		change func(*RedisConfig)
		want   string // empty: it lets us in
	}{
		"open":               {open, func(*RedisConfig) {}, ""},
		"password":           {guarded, func(r *RedisConfig) { r.Password = settings.NewSecret("right-one") }, ""},
		"user and password":  {guarded, func(r *RedisConfig) { r.Username, r.Password = "default", settings.NewSecret("right-one") }, ""},
		"wrong password":     {guarded, func(r *RedisConfig) { r.Password = settings.NewSecret("hunter2") }, "check redis.username and redis.password"},
		"unknown user":       {open, func(r *RedisConfig) { r.Username, r.Password = "mallory", settings.NewSecret("hunter2") }, "check redis.username and redis.password"},
		"no password":        {guarded, func(*RedisConfig) {}, "set redis.password"},
		"password for none":  {open, func(r *RedisConfig) { r.Password = settings.NewSecret("hunter2") }, ""},
		"no such database":   {open, func(r *RedisConfig) { r.Database = 99 }, "redis.database is none"},
		"TLS":                {secure, func(r *RedisConfig) { r.TLS, r.Password = tls, settings.NewSecret("right-one") }, ""},
		"wrong authority":    {secure, func(r *RedisConfig) { r.TLS = TLSConfig{Enabled: true, CAFile: files.OtherCA} }, "redis.tls.ca_file does not hold"},
		"system's authority": {secure, func(r *RedisConfig) { r.TLS = TLSConfig{Enabled: true} }, "redis.tls.ca_file does not hold"},
		"wrong name": {secure, func(r *RedisConfig) {
			r.TLS = TLSConfig{Enabled: true, CAFile: files.CA, ServerName: "elsewhere"}
		}, "redis.tls.server_name"},
		"name that is right": {secure, func(r *RedisConfig) {
			r.TLS, r.Password = TLSConfig{Enabled: true, CAFile: files.CA, ServerName: "localhost"}, settings.NewSecret("right-one")
		}, ""},
		"TLS where there is none": {open, func(r *RedisConfig) { r.TLS = tls }, "unset redis.tls.enabled"},
		"no TLS where it is":      {secure, func(*RedisConfig) {}, "it may speak TLS at this port (redis.tls.enabled)"},
		"own certificate": {mutual, func(r *RedisConfig) {
			r.TLS = TLSConfig{Enabled: true, CAFile: own.CA, CertFile: own.ClientCert, KeyFile: own.ClientKey}
		}, ""},
		"no certificate":         {mutual, func(r *RedisConfig) { r.TLS = TLSConfig{Enabled: true, CAFile: own.CA} }, "redis.tls.cert_file"},
		"authority is no file":   {secure, func(r *RedisConfig) { r.TLS = TLSConfig{Enabled: true, CAFile: "/missing"} }, "redis.tls.ca_file: open /missing"},
		"certificate is no file": {secure, func(r *RedisConfig) { r.TLS = TLSConfig{Enabled: true, CertFile: "/x", KeyFile: "/y"} }, "redis.tls.cert_file: open /x"},
		"nobody there":           {open, func(r *RedisConfig) { r.Address = "127.0.0.1:1" }, "no server answers at redis.address"},
		"no answer":              {open, func(r *RedisConfig) { r.Address = silent.Addr().String() }, "does not answer in time"},
	} {
		t.Run(name, func(t *testing.T) {
			c := redisConfig(tc.server)
			tc.change(&c.Redis)
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			if name == "no answer" {
				ctx, cancel = context.WithTimeout(ctx, 200*time.Millisecond)
			}
			defer cancel()
			err := pingRedis(ctx, &c)
			if tc.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, tc.want)
			require.NotContains(t, err.Error(), "hunter2")
		})
	}
}

func TestSampleIsTheProcessesOwnMetrics(t *testing.T) {
	reg := prometheus.NewRegistry()
	vec := func(name string, labels ...string) *prometheus.CounterVec {
		v := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name}, labels)
		reg.MustRegister(v)
		return v
	}
	records := vec("tocsin_processor_records_total", "verdict", "reason")
	records.WithLabelValues("judged", "").Add(5)
	records.WithLabelValues("duplicate", "").Add(2)
	records.WithLabelValues("dead_letter", "late").Add(3)
	records.WithLabelValues("dead_letter", "not_json").Add(4)
	records.WithLabelValues("tick", "").Add(1)
	verified := vec("tocsin_processor_verifications_total", "outcome")
	verified.WithLabelValues("tampered").Add(6)
	verified.WithLabelValues("verified").Add(7)
	vec("tocsin_processor_alert_revisions_total").WithLabelValues().Add(8)
	lag := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "tocsin_processor_lag_records"}, []string{"partition"})
	lag.WithLabelValues("0").Set(9)
	lag.WithLabelValues("1").Set(-1) // not known
	took := prometheus.NewHistogram(prometheus.HistogramOpts{Name: "tocsin_processor_transaction_seconds"})
	took.Observe(2)
	reg.MustRegister(lag, took)
	s, err := sample(reg, []string{"processor", "counters"})
	require.NoError(t, err)
	require.Equal(t, live.Sample{Roles: "processor,counters", Judged: 5, Duplicates: 2, DeadLetters: 7, Ticks: 1,
		IntegrityViolations: 6, AlertRevisions: 8, Lag: 9, Transactions: 1, TransactionSeconds: 2}, s)
}

func TestLiveNeedsRedis(t *testing.T) {
	c := Default()
	_, err := Live(t.Context(), &c, time.Hour, nil, time.Now())
	require.ErrorContains(t, err, "redis.address is not set")
	c.Redis.Address = "127.0.0.1:1"
	_, err = Live(t.Context(), &c, 48*time.Hour, nil, time.Now())
	require.ErrorContains(t, err, "1s to 1d (redis.keep_hours)")
	_, err = Live(t.Context(), &c, time.Hour, nil, time.Now())
	require.ErrorContains(t, err, "no server answers at redis.address")
	require.NotErrorIs(t, err, io.EOF)
}
