package processor

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"tocsin/topics"
)

// latest starts a process whose partitions leave out what is there already, and waits until they have begun.
func (e *env) latest(change func(*Config)) *process {
	e.t.Helper()
	x := e.start(e.t.TempDir(), func(c *Config) {
		c.Latest, c.Workers = true, 1
		if change != nil {
			change(c)
		}
	})
	require.Eventually(e.t, func() bool { return len(x.log.find(msgStarts)) > 0 }, testTimeout, time.Millisecond)
	x.waitRunning(int(e.partitions))
	return x
}

// requireJudged waits for the group's offset of the first partition, and checks how many events were judged, and which
// offsets are in the dead letters.
func (x *process) requireJudged(next int64, events int, dead ...string) {
	x.e.t.Helper()
	e := x.e
	require.Eventually(e.t, func() bool { return e.committed()[0] == next }, testTimeout, 10*time.Millisecond)
	require.NoError(e.t, x.stop())
	require.Equal(e.t, events, x.judged())
	var origins []string
	for _, r := range e.consume(e.names.DeadLetter) {
		origins = append(origins, header(r, topics.HeaderOriginOffset))
	}
	require.Equal(e.t, dead, origins)
}

// judged is the number of events that were, by the metric.
func (x *process) judged() (n int) {
	x.e.t.Helper()
	families, err := x.reg.Gather()
	require.NoError(x.e.t, err)
	for _, f := range families {
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if f.GetName() == "tocsin_processor_records_total" && l.GetValue() == "judged" {
					n += int(m.GetCounter().GetValue())
				}
			}
		}
	}
	return n
}

// What is there before a partition begins at its end is none of its business: also when a batch is broken before it
// has judged anything, and a broken one lies there too.
func TestLatestBrokenBatches(t *testing.T) {
	e := newEnv(t, 1)
	e.produceRaw(3, kgo.CodecGzip, []byte("this is not gzip"))
	e.sendMany(0, 20)
	x := e.latest(nil)
	e.produceRaw(4, kgo.CodecGzip, []byte("nor is this"))
	e.send(0, 100, login("u", 100, "after"))
	x.requireJudged(28, 1, "23-26")
	e.checkRebuilt(x.dir)
}

// Where a partition begins is fixed once for a worker: nothing that has come since is left out, whatever becomes of its
// first transaction.
func TestLatestFirstTransactionFails(t *testing.T) {
	isCommit := func(r kmsg.Request) bool {
		end, ok := r.(*kmsg.EndTxnRequest)
		return ok && end.Commit
	}
	for name, c := range map[string]struct {
		code *kerr.Error
		at   Point
	}{
		"aborted":                {kerr.TransactionAbortable, PointRolledBack},
		"its outcome is unknown": {kerr.UnknownServerError, PointUnknown},
	} {
		t.Run(name, func(t *testing.T) {
			e := newEnv(t, 1)
			e.sendMany(0, 20)
			var failed atomic.Bool
			x := e.latest(func(config *Config) {
				config.Probe = func(at Point, _ int32) {
					if at == c.at {
						failed.Store(true)
					}
				}
			})
			e.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.EndTxn}, Err: c.code, When: isCommit})
			e.send(0, 100, login("u", 100, "a"), login("u", 101, "b"))
			x.requireJudged(22, 2)
			require.True(t, failed.Load())
		})
	}
}

// Brokers that do not say where the log ends are asked again as long as the assignment stands; a rebalance meanwhile is
// not held up, and what was to be asked is asked after it.
func TestLatestEndIsNotKnown(t *testing.T) {
	e := newEnv(t, 2)
	e.sendMany(0, 20)
	fault := e.cluster.Fault(kfake.Fault{
		Keys: []kmsg.Key{kmsg.ListOffsets}, Err: kerr.UnknownServerError, Count: -1,
		When: func(r kmsg.Request) bool { return r.(*kmsg.ListOffsetsRequest).IsolationLevel == 1 },
	})
	start := func(instance string) *process {
		return e.start(t.TempDir(), func(c *Config) { c.Latest, c.Workers, c.Instance = true, 1, instance })
	}
	waits := func(x *process, n int) {
		require.Eventually(t, func() bool { return len(x.log.find(msgStartsUnknown)) >= n }, testTimeout, time.Millisecond)
	}
	x := start("one")
	waits(x, 1)
	y := start("two")
	waits(y, 1) // one of the partitions has moved
	waits(x, len(x.log.find(msgStartsUnknown))+1)
	fault.Remove()
	for _, p := range []*process{x, y} {
		require.Eventually(t, func() bool { return len(p.log.find(msgStarts)) > 0 }, testTimeout, time.Millisecond)
	}
	for id := range int32(2) {
		e.send(id, 100, login("u", 100, "a"))
	}
	require.Eventually(t, func() bool { at := e.committed(); return at[0] == 21 && at[1] == 21 }, testTimeout,
		10*time.Millisecond)
	require.NoError(t, x.stop())
	require.NoError(t, y.stop())
	require.Equal(t, 1, x.judged())
	require.Equal(t, 1, y.judged())
	for _, p := range []*process{x, y} {
		require.Empty(t, p.log.find("the group is left for a moment; the client joins again"))
	}
}
