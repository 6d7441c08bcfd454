package kafkatest_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"

	"tocsin/processor/processortest/kafkatest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(kafkatest.Wrap(m)) }

func client(t *testing.T, b *kafkatest.Broker, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	cl, err := kgo.NewClient(append(opts, kgo.SeedBrokers(b.Addrs()...))...)
	require.NoError(t, err)
	t.Cleanup(cl.Close)
	return cl
}

func createTopic(t *testing.T, b *kafkatest.Broker, name string) {
	t.Helper()
	_, err := kadm.NewClient(client(t, b)).CreateTopic(t.Context(), 1, 1, nil, name)
	require.NoError(t, err)
}

// transact produces n records in one transaction and ends it as told.
func transact(t *testing.T, cl *kgo.Client, topic string, n int, end kgo.TransactionEndTry) {
	t.Helper()
	require.NoError(t, cl.BeginTransaction())
	for i := range n {
		record := &kgo.Record{Topic: topic, Value: fmt.Appendf(nil, "%v-%d", end, i)}
		require.NoError(t, cl.ProduceSync(t.Context(), record).FirstErr())
	}
	require.NoError(t, cl.EndTransaction(t.Context(), end))
}

// committed reads the values of all committed records, of which there are n.
func committed(t *testing.T, b *kafkatest.Broker, topic string, n int) []string {
	t.Helper()
	cl := client(t, b, kgo.ConsumeTopics(topic), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	var values []string
	for len(values) < n {
		fetches := cl.PollFetches(ctx)
		require.NoError(t, fetches.Err())
		fetches.EachRecord(func(r *kgo.Record) { values = append(values, string(r.Value)) })
	}
	return values
}

func TestBrokerSurvivesKill(t *testing.T) {
	b := kafkatest.Start(t, kafkatest.Config{})
	addrs := b.Addrs()
	createTopic(t, b, "kept")
	producer := client(t, b, kgo.TransactionalID("killer"))
	transact(t, producer, "kept", 3, kgo.TryAbort)
	transact(t, producer, "kept", 3, kgo.TryCommit)
	want := committed(t, b, "kept", 3)

	b.Kill()
	began := time.Now()
	require.NoError(t, b.Restart(t.Context()))
	t.Logf("up again %v after kill -9", time.Since(began))
	require.Equal(t, addrs, b.Addrs())
	require.Equal(t, want, committed(t, b, "kept", 3), "exactly what was committed")
	transact(t, producer, "kept", 2, kgo.TryCommit)
	require.Len(t, committed(t, b, "kept", 5), 5)

	require.NoError(t, b.Stop(t.Context()))
	require.NoError(t, b.Stop(t.Context()), "a second stop is harmless")
	began = time.Now()
	require.NoError(t, b.Restart(t.Context()))
	t.Logf("up again %v after a stop", time.Since(began))
	require.Len(t, committed(t, b, "kept", 5), 5)
}

func TestPause(t *testing.T) {
	b := kafkatest.Shared(t)
	admin := kadm.NewClient(client(t, b))
	require.NoError(t, b.Pause())
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	_, err := admin.ListTopics(ctx)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	b.Resume()
	_, err = admin.ListTopics(t.Context())
	require.NoError(t, err)
}

// Topics are never created by accident, and a record of ten million bytes is taken.
func TestSettings(t *testing.T) {
	b := kafkatest.Shared(t)
	cl := client(t, b, kgo.ProducerBatchMaxBytes(10<<20), kgo.UnknownTopicRetries(0), kgo.AllowAutoTopicCreation())
	require.Error(t, cl.ProduceSync(t.Context(), &kgo.Record{Topic: "unknown", Value: []byte("v")}).FirstErr())
	createTopic(t, b, "large")
	require.NoError(t, cl.ProduceSync(t.Context(), &kgo.Record{Topic: "large", Value: make([]byte, 10_000_000)}).FirstErr())
}

func TestMissingJars(t *testing.T) {
	_, err := kafkatest.StartBroker(t.Context(), kafkatest.Config{Jars: t.TempDir()})
	require.ErrorContains(t, err, "run `make setup`")
}

func TestMissingJava(t *testing.T) {
	t.Setenv("JAVA_HOME", t.TempDir())
	t.Setenv("PATH", t.TempDir())
	_, err := kafkatest.StartBroker(t.Context(), kafkatest.Config{})
	require.ErrorContains(t, err, "needs Java 17")
}

func TestStartTellsWhatWentWrong(t *testing.T) {
	_, err := kafkatest.StartBroker(t.Context(), kafkatest.Config{Properties: map[string]string{"num.io.threads": "none"}})
	require.ErrorContains(t, err, "num.io.threads")
}
