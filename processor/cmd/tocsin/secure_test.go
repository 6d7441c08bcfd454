package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tocsin/processor/processortest/kafkatest"
	"tocsin/processor/processortest/pgtest"
)

// secured is a broker that asks for TLS, a certificate and a user, and the files a client needs.
type secured struct {
	t      *testing.T
	broker *kafkatest.Broker
	dir    string
}

// connection is the section kafka of a configuration.
type connection struct {
	broker, ca, cert, key, server   string
	tls                             bool
	mechanism, user, password, file string
}

func (s *secured) good() connection {
	f := s.broker.Files()
	return connection{broker: s.broker.Addrs()[0], tls: true, ca: f.CA, cert: f.ClientCert, key: f.ClientKey,
		mechanism: "scram-sha-512", user: "tocsin", password: "correct horse"}
}

// config writes a configuration file.
func (s *secured) config(c connection, more string) string {
	s.t.Helper()
	path := filepath.Join(s.t.TempDir(), "tocsin.yaml")
	require.NoError(s.t, os.WriteFile(path, fmt.Appendf(nil, `
app: {id: secured, instance: one, data_dir: %q}
kafka:
  brokers: [%q]
  replication_factor: 1
  min_insync_replicas: 1
  tls: {enabled: %v, ca_file: %q, cert_file: %q, key_file: %q, server_name: %q}
  sasl: {mechanism: %s, username: %q, password: %q, password_file: %q}
topics: {partitions: 2}
%s`, s.dir, c.broker, c.tls, c.ca, c.cert, c.key, c.server, c.mechanism, c.user, c.password, c.file, more), 0o600))
	return path
}

// The program's own commands against a broker that asks for TLS, a client's certificate and a user: topics are made,
// events are written, judged and found again in the state. What is wrong is said with the setting it comes from.
func TestSecuredBroker(t *testing.T) {
	secret("wrong horse")
	s := &secured{t: t, dir: t.TempDir(), broker: kafkatest.Start(t, kafkatest.Config{Security: &kafkatest.Security{
		Users: map[string]string{"tocsin": secret("correct horse")}, ClientCert: true,
	}, Patient: true})}
	t.Run("works", s.works)
	t.Run("mechanisms", s.mechanisms)
	t.Run("faults", s.faults)
}

func (s *secured) works(t *testing.T) {
	secret := filepath.Join(s.dir, "password")
	require.NoError(t, os.WriteFile(secret, []byte("correct horse\n"), 0o600))
	c := s.good()
	c.password, c.file = "", secret
	admin := freeAddress(t)
	config := s.config(c, fmt.Sprintf("http: {listen: %q}\nlog: {level: debug}\npostgres: {url: %q}\n", admin,
		pgtest.NewDatabase(t)))
	tocsin := func(stdin string, args ...string) string {
		t.Helper()
		out, errs, code := call{args: append(args, "--config", config), stdin: stdin}.run(t.Context())
		require.Zero(t, code, "%v: %s%s", args, out, errs)
		return out
	}
	tocsin("", "topics", "init", "--input")
	tocsin("", "migrate", "up")

	ctx, stop := context.WithCancel(t.Context())
	type result struct {
		stderr string
		code   int
	}
	ended := make(chan result, 1)
	go func() {
		_, stderr, code := call{args: []string{"run", "--config", config}}.run(ctx)
		ended <- result{stderr, code}
	}()
	defer func() {
		stop()
		r := <-ended
		require.Zero(t, r.code, r.stderr)
		require.NotContains(t, r.stderr, "horse")
	}()
	waitReady(t, admin, func() bool { return true })
	var events strings.Builder
	for i := range 6 {
		fmt.Fprintf(&events, `{"id":"%d","timestamp":%q,"action":"auth.login.failure","status":"failure",`+
			`"principalId":"mallory","organizationId":"acme"}`+"\n", i, time.Now().UTC().Format(time.RFC3339Nano))
	}
	// It reads the verdicts from changelog, seals and dead letters, and asks for the group.
	require.Contains(t, tocsin(events.String(), "ingest", "-"), `"accepted":6,"duplicate":0`)
	require.Eventually(t, func() bool {
		return strings.Contains(tocsin("", "alerts", "ls"), "failed-auth-burst")
	}, time.Minute, 100*time.Millisecond)
	for _, path := range []string{"metrics", "readyz", "healthz"} {
		search(path, get(t, "http://"+admin+"/"+path))
	}
	searchArguments(t)
	require.Contains(t, tocsin("", "replay"), `"digest"`)
	require.Contains(t, tocsin("", "offsets", "plan"), `"committed":`)
	require.NotContains(t, tocsin("", "config", "print"), "horse")
}

// searchArguments looks at what all users of the machine see of this process and those that it has started.
func searchArguments(t *testing.T) {
	t.Helper()
	lines, err := filepath.Glob("/proc/[0-9]*/cmdline")
	require.NoError(t, err)
	for _, path := range lines {
		status, err := os.ReadFile(filepath.Join(filepath.Dir(path), "status"))
		ours := strings.Contains(string(status), fmt.Sprintf("\nPPid:\t%d\n", os.Getpid())) ||
			strings.Contains(string(status), fmt.Sprintf("\nPid:\t%d\n", os.Getpid()))
		if line, lineErr := os.ReadFile(path); err == nil && lineErr == nil && ours {
			search("arguments", string(line))
		}
	}
}

func (s *secured) mechanisms(t *testing.T) {
	for _, mechanism := range []string{"plain", "scram-sha-256"} {
		c := s.good()
		c.mechanism = mechanism
		_, errs, code := call{args: []string{"topics", "check", "--config", s.config(c, "")}}.run(t.Context())
		require.NotContains(t, errs, "SASL", mechanism)
		require.Less(t, code, 2, mechanism)
		c.password = "wrong"
		_, errs, code = call{args: []string{"topics", "check", "--config", s.config(c, "")}}.run(t.Context())
		require.Contains(t, errs, "check kafka.sasl.username and kafka.sasl.password", mechanism)
		require.Equal(t, 1, code, mechanism)
	}
}

func (s *secured) faults(t *testing.T) {
	open := kafkatest.Shared(t).Addrs()[0]
	f := s.broker.Files()
	for name, c := range map[string]struct {
		change func(*connection)
		want   string
	}{
		"wrong password": {func(c *connection) { c.password = "wrong horse" }, "kafka.sasl.password"},
		"unknown user":   {func(c *connection) { c.user = "nobody" }, "kafka.sasl.username"},
		"no user": {func(c *connection) { c.mechanism, c.user, c.password = "none", "", "" },
			"set kafka.sasl"},
		"another authority": {func(c *connection) { c.ca = f.OtherCA },
			"kafka.tls.ca_file does not hold the authority"},
		"the system's authorities": {func(c *connection) { c.ca = "" }, "kafka.tls.ca_file does not hold the authority"},
		"another name":             {func(c *connection) { c.server = "elsewhere" }, "kafka.tls.server_name"},
		"no certificate":           {func(c *connection) { c.cert, c.key = "", "" }, "kafka.tls.cert_file"},
		"no TLS": {func(c *connection) { *c = connection{broker: c.broker, mechanism: "none"} },
			"set kafka.tls.enabled"},
		"TLS to a listener without": {func(c *connection) { c.broker = open }, "unset kafka.tls.enabled"},
		"a user to a listener without": {func(c *connection) {
			*c = connection{broker: open, mechanism: "plain", user: "a", password: "wrong horse"}
		}, "set kafka.sasl.mechanism to none"},
		"nobody there": {func(c *connection) { c.broker = "127.0.0.1:1" }, "no broker answers at kafka.brokers"},
	} {
		t.Run(name, func(t *testing.T) {
			conn := s.good()
			c.change(&conn)
			config := s.config(conn, "http: {listen: \"\"}\npostgres: {url: \"postgres://nobody@127.0.0.1:1/none\"}\n")
			lines := [][]string{{"topics", "init"}, {"offsets", "plan"}, {"run", "--roles", "processor"}}
			if name != "nobody there" { // the sink waits until there is somebody
				lines = append(lines, []string{"run", "--roles", "sink"})
			}
			for _, args := range lines {
				_, errs, code := call{args: append(args, "--config", config)}.run(t.Context())
				require.Equal(t, 1, code, "%v: %s", args, errs)
				last := errs[strings.LastIndex(strings.TrimSpace(errs), "\n")+1:]
				require.Contains(t, last, "tocsin: ", args)
				require.Contains(t, last, c.want, args)
				require.NotContains(t, errs, "horse", args)
			}
		})
	}
}
