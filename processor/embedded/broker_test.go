package embedded_test

import (
	"context"
	"log/slog"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"tocsin/processor/embedded"
	"tocsin/processor/processortest/ports"
)

func startBroker(t *testing.T, cfg embedded.BrokerConfig) *embedded.Broker {
	t.Helper()
	b, err := embedded.StartBroker(t.Context(), cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, b.Stop()) })
	return b
}

func client(t *testing.T, b *embedded.Broker, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	cl, err := kgo.NewClient(append(opts, kgo.SeedBrokers(b.Addrs()...))...)
	require.NoError(t, err)
	t.Cleanup(cl.Close)
	return cl
}

func TestBrokerKeepsItsTopics(t *testing.T) {
	dir := t.TempDir()
	port, err := ports.Free(t.Context())
	require.NoError(t, err)
	b := startBroker(t, embedded.BrokerConfig{Dir: dir, Port: port})
	addrs := b.Addrs()
	require.Len(t, addrs, 1)
	require.True(t, strings.HasPrefix(addrs[0], "127.0.0.1:"), addrs[0])

	cl := client(t, b)
	_, err = kadm.NewClient(cl).CreateTopic(t.Context(), 1, 1, nil, "kept")
	require.NoError(t, err)
	require.NoError(t, cl.ProduceSync(t.Context(), &kgo.Record{Topic: "kept", Value: []byte("v")}).FirstErr())
	require.Error(t, cl.ProduceSync(t.Context(), &kgo.Record{Topic: "unknown", Value: []byte("v")}).FirstErr(),
		"topics are not created by accident")
	cl.Close()

	_, err = embedded.StartBroker(t.Context(), embedded.BrokerConfig{Dir: dir})
	require.ErrorContains(t, err, "another broker is using")

	require.NoError(t, b.Stop())
	require.NoError(t, b.Stop(), "a second stop is harmless")

	again := startBroker(t, embedded.BrokerConfig{Dir: dir, Port: port, Fsync: true})
	require.Equal(t, addrs, again.Addrs())
	reader := client(t, again, kgo.ConsumeTopics("kept"))
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	records := reader.PollFetches(ctx).Records()
	require.Len(t, records, 1)
	require.Equal(t, "v", string(records[0].Value))
}

func TestBrokerTakesLargeRecords(t *testing.T) {
	b := startBroker(t, embedded.BrokerConfig{Log: slog.New(slog.DiscardHandler)})
	cl := client(t, b, kgo.ProducerBatchMaxBytes(embedded.MaxMessageBytes))
	_, err := kadm.NewClient(cl).CreateTopic(t.Context(), 1, 1, nil, "large")
	require.NoError(t, err)
	require.NoError(t, cl.ProduceSync(t.Context(),
		&kgo.Record{Topic: "large", Value: make([]byte, embedded.MaxMessageBytes-1000)}).FirstErr())
}

func TestBrokerDoesNotStartLate(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := embedded.StartBroker(ctx, embedded.BrokerConfig{})
	require.ErrorIs(t, err, context.Canceled)
}

func TestBrokerPortInUse(t *testing.T) {
	b := startBroker(t, embedded.BrokerConfig{})
	addr := b.Addrs()[0]
	_, err := embedded.StartBroker(t.Context(), embedded.BrokerConfig{
		Dir: t.TempDir(), Port: atoi(t, addr[strings.LastIndex(addr, ":")+1:]),
	})
	require.ErrorContains(t, err, "address already in use")
}

func atoi(t *testing.T, s string) int {
	t.Helper()
	n, err := strconv.Atoi(s)
	require.NoError(t, err)
	return n
}
