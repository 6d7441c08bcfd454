package processor

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"tocsin/processor/processortest/kafkatest"
)

// What the fake cluster cannot show, on Apache Kafka: commits that take time, markers that arrive one by one, a
// coordinator that restarts. One broker, one story.
func TestRealKafka(t *testing.T) {
	leaks := goleak.IgnoreCurrent()
	t.Cleanup(func() {
		if !t.Failed() {
			goleak.VerifyNone(t, leaks)
		}
	})
	// More than the pause below. A controller that takes the only broker for dead leaves partitions without leader for a
	// moment, and a coordinator that writes the markers of a transaction in that moment drops them: it stays open for
	// ever.
	broker := kafkatest.Start(t, kafkatest.Config{Patient: true})
	e := newEnvOn(t, 4, broker.Addrs())
	const session = 6 * time.Second // the broker's smallest
	e.always = func(c *Config) {
		c.Session, c.Transaction, c.EndTimeout = session, 5*time.Second, 15*time.Second
	}
	dir := t.TempDir()

	// Killed in the middle, three times: each time at most two transactions are read back.
	for round := range 3 {
		x := e.start(dir, nil)
		e.sendMany(round*300, 300)
		require.Eventually(t, func() bool {
			at := e.committed()
			return at[0] > int64(round*300+50) && at[1] > int64(round*300+50)
		}, testTimeout, time.Millisecond)
		dir = x.crash()
		for _, line := range x.log.find("restored") {
			if round > 0 {
				require.Equal(t, "tail", line["mode"], "%v", line)
				require.LessOrEqual(t, x.log.number(line, "transactions"), 2, "%v", line)
			}
		}
	}
	x := e.start(dir, nil)
	e.drain()
	e.requireExact()

	// The broker stands still for longer than a transaction may take and a member may be silent, and comes back.
	e.sendMany(900, 200)
	require.NoError(t, broker.Pause())
	time.Sleep(8 * time.Second) // an outage has a length; nothing is waited for
	broker.Resume()
	e.sendMany(1100, 200)
	e.drain()
	e.requireExact()

	// A second process takes half, and gives it back.
	y := e.start(t.TempDir(), func(c *Config) { c.Instance, c.Workers = "two", 1 })
	require.Eventually(t, func() bool { // input goes on while partitions move
		e.sendMany(1300+e.extra, 20)
		e.extra += 20
		return len(y.p.Health().Partitions) > 0
	}, testTimeout, 50*time.Millisecond)
	e.drain()
	e.requireExact()
	require.NoError(t, y.stop())
	require.NoError(t, x.stop())
	e.checkRebuilt(x.dir)
}
