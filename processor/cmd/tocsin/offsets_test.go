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
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"tocsin/processor/processortest/kafkatest"
	"tocsin/topics/readlog"
)

// A record that is none of ours lies in the changelog, on a real broker. The processor stops that partition; offsets
// apply judges its input again; the state that the next start restores has the digest of before, nothing is written
// twice, and the topic is set up as it must be.
func TestOffsetsReplay(t *testing.T) {
	dir := t.TempDir()
	broker, admin := kafkatest.Shared(t).Addrs()[0], freeAddress(t)
	config := filepath.Join(dir, "tocsin.yaml")
	require.NoError(t, os.WriteFile(config, fmt.Appendf(nil, `
app: {id: mended, instance: one, data_dir: %q}
kafka: {brokers: [%s], replication_factor: 1, min_insync_replicas: 1, session_timeout: 6s, heartbeat_interval: 500ms,
  transaction_timeout: 3s, transaction_watchdog: 10s}
topics: {input: mended-events, alerts: mended-alerts, deadletter: mended-deadletter, partitions: 2}
input: {ticks: true, trust_create_time: true}
http: {listen: %q}
`, filepath.Join(dir, "data"), broker, admin), 0o600))
	tocsin := func(want int, stdin string, args ...string) string {
		t.Helper()
		out, errs, code := call{args: append(args, "--config", config), stdin: stdin}.run(t.Context())
		require.Equal(t, want, code, "%v: %s%s", args, out, errs)
		return out
	}
	run := func(until func() bool) {
		t.Helper()
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan string, 1)
		go func() {
			_, errs, code := call{args: []string{"run", "--roles", "processor", "--config", config}}.run(ctx)
			ended <- fmt.Sprintf("%d %s", code, errs)
		}()
		require.Eventually(t, until, time.Minute, 50*time.Millisecond)
		stop()
		require.True(t, strings.HasPrefix(<-ended, "0 "))
	}
	ready := func() bool { return strings.Contains(get(t, "http://"+admin+"/readyz"), `"ok": true`) }
	state := func() []string { return digests(t, tocsin(0, "", "state", "inspect", "--digest")) }
	cl, err := kgo.NewClient(kgo.SeedBrokers(broker), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	require.NoError(t, err)
	defer cl.Close()
	alerts := func() (n int) {
		bounds, err := readlog.Bounds(t.Context(), kadm.NewClient(cl), "mended-alerts")
		require.NoError(t, err)
		r := readlog.Reader{Kafka: []kgo.Opt{kgo.SeedBrokers(broker)}, Topic: "mended-alerts"}
		require.NoError(t, r.Read(t.Context(), bounds, func(*kgo.Record) error { n++; return nil }))
		return n
	}

	tocsin(0, "", "topics", "init", "--input")
	var events strings.Builder
	began := time.Now().Add(-time.Hour)
	for i := range 400 {
		at := began.Add(time.Duration(i) * time.Second).UTC().Format(time.RFC3339Nano)
		fmt.Fprintf(&events, `{"id":"%d","timestamp":%q,"action":"auth.login.failure","status":"failure","principalId":"p%d"}`+
			"\n", i, at, i%31)
	}
	run(func() bool {
		if !ready() {
			return false
		}
		require.Contains(t, tocsin(0, events.String(), "ingest", "--historic", "-"), `"accepted":400,"duplicate":0`)
		return true
	})
	before, written := state(), alerts()
	require.Len(t, before, 2)
	require.NotZero(t, written)

	require.NoError(t, cl.ProduceSync(t.Context(), &kgo.Record{
		Topic: "mended-window-changelog", Partition: 1, Key: []byte("none of ours"), Value: []byte("x")}).FirstErr())
	require.NoError(t, os.RemoveAll(filepath.Join(dir, "data")))
	run(func() bool { // one partition stops, the other goes on
		body := get(t, "http://"+admin+"/readyz")
		return strings.Contains(body, `"cause": "changelog"`) && strings.Contains(body, "offsets plan") &&
			strings.Contains(body, `"state": "running"`)
	})
	require.Contains(t, tocsin(0, "", "offsets", "plan"), `"actions":["rebuild","replay"]`)
	replay := []string{"offsets", "apply", "--partition", "1", "--action", "replay"}
	require.Contains(t, tocsin(0, "", replay...), "would be done, up to offset")
	require.Eventually(t, func() bool { // until the group has forgotten the processor
		out, errs, code := call{args: append(replay, "--yes", "--config", config)}.run(t.Context())
		if strings.Contains(errs, "stop all processors first") {
			return false
		}
		require.Zero(t, code, errs)
		require.Contains(t, out, "the state is proven to be the one of before")
		return true
	}, time.Minute, 500*time.Millisecond)
	tocsin(0, "", "topics", "check")
	tocsin(0, "", "offsets", "plan")

	require.NoError(t, os.RemoveAll(filepath.Join(dir, "data")))
	run(ready)
	require.Equal(t, before, state())
	require.Equal(t, written, alerts())
	run(func() bool { // whatever is remembered is known again
		if !ready() {
			return false
		}
		require.Contains(t, tocsin(0, events.String(), "ingest", "-"), `"accepted":0,"duplicate":400`)
		return true
	})
	require.Equal(t, written, alerts())
}
