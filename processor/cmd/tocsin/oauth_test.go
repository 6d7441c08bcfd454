package main

import (
	"context"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"tocsin/processor/app"
	"tocsin/processor/processortest/kafkatest"
)

// writeToken puts a token into a file in the way of those who rotate: whole or not at all.
func writeToken(t *testing.T, path, subject string, expires time.Time) {
	t.Helper()
	part := func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
	claims := part(fmt.Sprintf(`{"sub":%q,"iat":%d,"exp":%d}`, subject, time.Now().Add(-time.Minute).Unix(),
		expires.Unix()))
	secret(claims)
	require.NoError(t, os.WriteFile(path+".new", []byte(part(`{"alg":"none"}`)+"."+claims+".\n"), 0o600))
	require.NoError(t, os.Rename(path+".new", path))
}

// A token comes from a file that is read again: a client outlives the token it began with. One that the brokers do not
// take is told with the setting.
func TestTokenIsReadAgain(t *testing.T) {
	const life = 10 * time.Second
	broker := guard(t, kafkatest.Security{Reauthenticate: life / 2}).broker
	token := filepath.Join(t.TempDir(), "token")
	config := filepath.Join(t.TempDir(), "tocsin.yaml")
	require.NoError(t, os.WriteFile(config, fmt.Appendf(nil, `
kafka:
  brokers: [%q]
  replication_factor: 1
  min_insync_replicas: 1
  tls: {enabled: true, ca_file: %q}
  sasl: {mechanism: oauthbearer, token_file: %q, extensions: {tenant: one}}
`, broker.Addrs()[0], broker.Files().CA, token), 0o600))
	check := func() string {
		_, errs, code := call{args: []string{"topics", "check", "--config", config}}.run(t.Context())
		require.Equal(t, 1, code, errs)
		return errs
	}
	require.Contains(t, check(), "kafka.sasl.token_file")
	require.NoError(t, os.WriteFile(token, []byte(" \n"), 0o600))
	require.Contains(t, check(), "token is empty: whoever rotates")
	require.NoError(t, os.WriteFile(token, []byte(secret("two token-words")), 0o600))
	require.Contains(t, check(), "holds more than a token")
	require.NoError(t, os.WriteFile(token, []byte(secret("opaque-token")), 0o600))
	require.Contains(t, check(), "has not expired and is meant for these brokers")

	first := time.Now()
	writeToken(t, token, "tocsin", first.Add(life))
	// Known by the token's subject, and known to have no rights.
	require.Contains(t, check(), "do not allow User:tocsin: ")

	l, err := app.Load(app.LoadInput{File: config})
	require.NoError(t, err)
	opts, err := l.KafkaOptions()
	require.NoError(t, err)
	cl, err := kgo.NewClient(append(opts, kgo.RequestRetries(0))...)
	require.NoError(t, err)
	defer cl.Close()
	require.Eventually(t, func() bool {
		writeToken(t, token, "tocsin", time.Now().Add(life))
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		require.NoError(t, cl.Ping(ctx))
		return time.Since(first) > 2*life
	}, time.Minute, 500*time.Millisecond)

	writeToken(t, token, "tocsin", time.Now().Add(-time.Second))
	require.Contains(t, check(), "has not expired")
}

// With mTLS alone the certificate's name is the user.
func TestCertificateIsTheUser(t *testing.T) {
	g := guard(t, kafkatest.Security{CertificateOnly: true})
	f := g.broker.Files()
	config := filepath.Join(t.TempDir(), "tocsin.yaml")
	require.NoError(t, os.WriteFile(config, fmt.Appendf(nil, `
kafka:
  brokers: [%q]
  replication_factor: 1
  min_insync_replicas: 1
  tls: {enabled: true, ca_file: %q, cert_file: %q, key_file: %q}
`, g.broker.Addrs()[0], f.CA, f.ClientCert, f.ClientKey), 0o600))
	line := []string{"topics", "init", "--input", "--config", config}
	_, errs, code := call{args: line}.run(t.Context())
	require.Equal(t, 1, code, errs)
	require.Contains(t, errs, "do not allow User:CN=kafkatest client: ")
	require.Contains(t, errs, "--allow-principal 'User:CN=kafkatest client'")
	g.grant(t, rights(t, config, "topics-init")...)
	out, errs, code := call{args: line}.run(t.Context())
	require.Zero(t, code, out+errs)
}
