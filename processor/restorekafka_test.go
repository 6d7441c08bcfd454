package processor

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"

	"tocsin/processor/processortest/kafkatest"
	"tocsin/topics/readlog"
)

// Cases of a restore that the fake cluster cannot show, on Apache Kafka: a transaction that the broker names, and a
// changelog that has lost its end.
func TestRestoreOnKafka(t *testing.T) {
	leaks := goleak.IgnoreCurrent()
	t.Cleanup(func() {
		if !t.Failed() {
			goleak.VerifyNone(t, leaks)
		}
	})
	dir := t.TempDir()
	broker := kafkatest.Start(t, kafkatest.Config{Dir: dir})
	e := newEnvOn(t, 2, broker.Addrs())
	e.always = func(c *Config) { c.Transaction, c.EndTimeout = 5*time.Second, 15*time.Second }
	x := e.start(t.TempDir(), func(c *Config) { c.Workers = 1 })
	e.sendMany(0, 100)
	e.drain()

	// A transaction that hangs in front of ours.
	hung, err := kgo.NewClient(kgo.SeedBrokers(e.addrs...), kgo.TransactionalID("hung-one"),
		kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.TransactionTimeout(10*time.Minute))
	require.NoError(t, err)
	defer hung.Close()
	require.NoError(t, hung.BeginTransaction())
	require.NoError(t, hung.ProduceSync(t.Context(), &kgo.Record{
		Topic: e.names.Changelog, Partition: 1, Key: []byte("whatever"), Value: []byte("x")}).FirstErr())
	e.sendMany(100, 100)
	e.drain()
	want := x.digest()
	require.NoError(t, x.stop())
	e.leave()
	y := e.start(t.TempDir(), func(c *Config) { c.StallAfter = time.Second })
	y.waitRunning(1)
	require.Eventually(t, func() bool {
		return strings.Contains(y.partition(1).Detail, `transaction "hung-one"`)
	}, testTimeout, 10*time.Millisecond, "%+v", y.p.Health())
	require.Contains(t, y.partition(1).Detail, "kafka-transactions.sh")
	require.Contains(t, y.partition(1).Detail, "open from offset")
	require.NoError(t, hung.EndTransaction(t.Context(), kgo.TryAbort))
	y.waitRunning(2)
	require.Equal(t, want, y.digest())
	e.requireExact()
	e.sendMany(200, 50)
	e.drain()
	require.NoError(t, y.stop())
	e.leave()

	// The broker dies and comes back without the end of a changelog: an unclean election, a disk that lied.
	before, err := readlog.Bounds(t.Context(), e.adm, e.names.Changelog, 0)
	require.NoError(t, err)
	broker.Kill()
	truncate(t, dir, e.names.Changelog)
	require.NoError(t, broker.Restart(t.Context()))
	require.Eventually(t, func() bool {
		after, err := readlog.Bounds(t.Context(), e.adm, e.names.Changelog, 0)
		return err == nil && after[0].To < before[0].To && after[0].To > 0
	}, testTimeout, 50*time.Millisecond)
	z := e.start(y.dir, nil)
	require.Contains(t, z.waitStopped(0, CauseTruncated).Detail, "the broker has lost records")
	z.waitRunning(1)
	require.NoError(t, z.stop())
	e.leave()
	u := e.start(t.TempDir(), nil) // who has no state can only compare the seal
	u.waitStopped(0, CauseBehind)
	require.NoError(t, u.stop())
	e.leave()
	plans, err := PlanOffsets(t.Context(), e.offsetsConfig())
	require.NoError(t, err)
	require.Equal(t, CauseBehind, plans[0].Cause)
	require.Contains(t, plans[0].Actions, ActionReplay)
	require.Equal(t, CauseNone, plans[1].Cause)
}

// truncate cuts the end off the log of partition 0 of a topic, and takes away what would tell the broker.
func truncate(t *testing.T, dir, topic string) {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, "*", topic+"-0"))
	require.NoError(t, err)
	if len(found) == 0 {
		found, err = filepath.Glob(filepath.Join(dir, "*", "*", topic+"-0"))
		require.NoError(t, err)
	}
	require.Len(t, found, 1, "no log of %s under %s", topic, dir)
	log := filepath.Join(found[0], fmt.Sprintf("%020d.log", 0))
	b, err := os.ReadFile(log)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(log, b[:afterMarker(b, len(b)/2)], 0o600))
	for _, glob := range []string{"*.index", "*.timeindex", "*.txnindex", "*.snapshot", "leader-epoch-checkpoint"} {
		names, err := filepath.Glob(filepath.Join(found[0], glob))
		require.NoError(t, err)
		for _, name := range names {
			require.NoError(t, os.Remove(name))
		}
	}
	parent := filepath.Dir(found[0])
	for _, name := range []string{
		".kafka_cleanshutdown", "recovery-point-offset-checkpoint", "replication-offset-checkpoint",
	} {
		_ = os.Remove(filepath.Join(parent, name))
	}
}

// afterMarker is the place after the last marker of a transaction that begins below a place in a log: from the header of
// a batch (Kafka protocol guide, message format version 2) its length and its attributes.
func afterMarker(log []byte, below int) (at int) {
	const length, attributes, control = 8, 21, 0x20
	for from := 0; from < below; {
		next := from + 12 + int(binary.BigEndian.Uint32(log[from+length:]))
		if binary.BigEndian.Uint16(log[from+attributes:])&control != 0 {
			at = next
		}
		from = next
	}
	return at
}
