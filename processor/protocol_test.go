package processor

import (
	"sync"
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

// wire notes what the broker is asked for, in order.
type wire struct {
	mu   sync.Mutex
	txns []wireTxn // the last one is open
}

// wireTxn is one transaction as the broker sees it.
type wireTxn struct {
	sealed    map[int32][]int64 // partition → next of the seals produced to the changelog, before any offset
	offsets   map[int32]int64   // committed with it
	fenced    bool              // the offsets named a member and a generation
	late      bool              // something was produced after the offsets
	committed bool
}

func (w *wire) begin() {
	w.txns = append(w.txns, wireTxn{sealed: map[int32][]int64{}, offsets: map[int32]int64{}, fenced: true})
}

func newWire(c *kfake.Cluster, changelog [16]byte) *wire {
	w := &wire{}
	w.begin()
	see := func(key kmsg.Key, note func(*wireTxn, kmsg.Request)) {
		c.ControlKey(int16(key), func(r kmsg.Request) (kmsg.Response, error, bool) {
			c.KeepControl()
			w.mu.Lock()
			defer w.mu.Unlock()
			note(&w.txns[len(w.txns)-1], r)
			return nil, nil, false //nolint:nilnil // how kfake is told to go on
		})
	}
	see(kmsg.Produce, func(t *wireTxn, r kmsg.Request) {
		req := r.(*kmsg.ProduceRequest)
		if req.TransactionID == nil {
			return // the test's own
		}
		t.late = t.late || len(t.offsets) > 0
		for _, topic := range req.Topics {
			for _, p := range topic.Partitions {
				if topic.TopicID == changelog {
					t.sealed[p.Partition] = append(t.sealed[p.Partition], sealsIn(p.Records)...)
				}
			}
		}
	})
	see(kmsg.TxnOffsetCommit, func(t *wireTxn, r kmsg.Request) {
		req := r.(*kmsg.TxnOffsetCommitRequest)
		t.fenced = t.fenced && req.MemberID != "" && req.Generation >= 0
		for _, topic := range req.Topics {
			for _, p := range topic.Partitions {
				t.offsets[p.Partition] = p.Offset
			}
		}
	})
	see(kmsg.EndTxn, func(t *wireTxn, r kmsg.Request) {
		t.committed = r.(*kmsg.EndTxnRequest).Commit
		w.begin()
	})
	return w
}

// sealsIn gives the next offsets of the seals in a batch.
func sealsIn(raw []byte) (next []int64) {
	p := kmsg.NewFetchResponseTopicPartition()
	p.RecordBatches, p.HighWatermark, p.LastStableOffset = raw, 1<<40, 1<<40
	got, _ := kgo.ProcessFetchPartition(kgo.ProcessFetchPartitionOpts{KeepControlRecords: true}, &p,
		kgo.DefaultDecompressor(), nil)
	for _, r := range got.Records {
		if topics.IsSealKey(r.Key) {
			if s, err := topics.DecodeSeal(r.Value); err == nil {
				next = append(next, s.Next)
			}
		}
	}
	return next
}

func (w *wire) commits() (all []wireTxn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, t := range w.txns {
		if t.committed {
			all = append(all, t)
		}
	}
	return all
}

// What the broker sees of each committed transaction: everything is produced, with one seal per partition; then the
// input offsets, under the group's generation; each is the next of the partition's seal; then the end.
func TestTransactionsOnTheWire(t *testing.T) {
	e := newEnv(t, 2)
	listed, err := e.adm.ListTopics(t.Context(), e.names.Changelog)
	require.NoError(t, err)
	w := newWire(e.cluster, listed[e.names.Changelog].ID)
	// Small transactions, which end between the records of a poll.
	x := e.start(t.TempDir(), func(c *Config) { c.Workers, c.CloseRecords, c.CloseBytes = 1, 100, 2000 })
	e.sendMany(0, 150)
	require.Eventually(t, func() bool { return len(w.commits()) >= 5 }, testTimeout, time.Millisecond)
	require.NoError(t, x.stop())
	for i, txn := range w.commits() {
		require.NotEmpty(t, txn.offsets, "transaction %d commits no input offset: nothing fences it", i)
		require.True(t, txn.fenced, "transaction %d is of no member", i)
		require.False(t, txn.late, "transaction %d produces after its offsets", i)
		require.Len(t, txn.offsets, len(txn.sealed), "transaction %d: partitions sealed and committed", i)
		for p, next := range txn.offsets {
			require.Equal(t, []int64{next}, txn.sealed[p], "transaction %d partition %d: the seal and the offset", i, p)
		}
	}
}

// A transaction that ends between the records of a poll is aborted. What was polled and not judged comes again too, of
// partitions that had no part in the transaction as well.
func TestAbortGivesBackWhatWasPolled(t *testing.T) {
	e := newEnv(t, 4)
	var x *process
	var refuse, refused, aborted atomic.Bool
	sent := make(chan struct{})
	x = e.prepare(t.TempDir(), func(c *Config) {
		c.Workers, c.CloseBytes = 1, 1000
		c.Probe = func(at Point, _ int32) { // on the goroutine of the worker
			switch at {
			case PointBegin:
				<-sent // so that one poll brings of every partition
			case PointOffsets:
				for _, p := range x.p.workers[0].batch.pending {
					if !p.part.touched {
						refuse.Store(true)
					}
				}
			case PointAborted:
				aborted.Store(true)
			}
		}
	})
	e.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.TxnOffsetCommit}, Err: kerr.IllegalGeneration, Count: -1,
		When: func(kmsg.Request) bool { return refuse.Load() && !refused.Swap(true) }})
	x.run()
	x.waitRunning(4)
	e.sendMany(0, 60)
	close(sent)
	require.Eventually(t, func() bool { return aborted.Load() }, testTimeout, time.Millisecond)
	e.sendMany(60, 60) // moves the offsets on, should something have been left out
	e.drain()
	e.requireExact()
	require.NoError(t, x.stop())
}

// pendingOffset commits an input offset of partition 0 in a transaction of somebody who is no member. The transaction is
// left open.
func (e *env) pendingOffset(next int64) *kgo.Client {
	e.t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(e.addrs...), kgo.TransactionalID("hung-one"),
		kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.TransactionTimeout(time.Minute))
	require.NoError(e.t, err)
	require.NoError(e.t, cl.BeginTransaction())
	record := &kgo.Record{Topic: e.names.Seals, Key: []byte("x"), Value: []byte("x")}
	require.NoError(e.t, cl.ProduceSync(e.t.Context(), record).FirstErr())
	listed, err := e.adm.ListTopics(e.t.Context(), e.names.Input)
	require.NoError(e.t, err)
	s := &session{cl: cl, group: "test", txnID: "hung-one", generation: -1, input: e.names.Input,
		inputID: listed[e.names.Input].ID}
	require.NoError(e.t, s.commitOffsets(e.t.Context(), []offset{{partition: 0, next: next, epoch: -1}}))
	return cl
}

// A process that was held up after it had read the offset finds a state that is ahead of it: somebody else has had the
// partition meanwhile. That is no offset that was moved back, and the partition does not stop.
func TestOffsetOfBefore(t *testing.T) {
	e := newEnv(t, 1)
	x := e.start(t.TempDir(), nil)
	e.sendMany(0, 60)
	e.drain()
	require.NoError(t, x.stop())
	e.leave()
	e.moveOffset(0, 20)

	// The offset is put right between the reading of it and that of the changelog.
	var once sync.Once
	read, goOn := make(chan struct{}), make(chan struct{})
	y := e.start(x.dir, func(c *Config) {
		c.Probe = func(point Point, _ int32) {
			if point == PointOffsetRead {
				once.Do(func() {
					close(read)
					<-goOn
				})
			}
		}
	})
	<-read
	meanwhile := e.pendingOffset(60)
	defer meanwhile.Close()
	require.NoError(t, meanwhile.EndTransaction(t.Context(), kgo.TryCommit))
	close(goOn)
	y.waitRunning(1)
	e.sendMany(60, 10)
	e.drain()
	e.requireExact()
	require.NoError(t, y.stop())
}

// Offsets that a transaction has pending are not read past: what it commits may be in the changelog by the time that is
// read. The restore waits and names the transaction.
func TestPendingOffsetsAreWaitedFor(t *testing.T) {
	e := newEnv(t, 1)
	x := e.start(t.TempDir(), nil)
	e.sendMany(0, 60)
	e.drain()
	require.NoError(t, x.stop())
	e.leave()
	hung := e.pendingOffset(7)
	defer hung.Close()

	y := e.start(x.dir, func(c *Config) { c.StallAfter = 300 * time.Millisecond })
	var p PartitionHealth
	require.Eventually(t, func() bool {
		p = y.partition(0)
		return p.State == Running || p.State == Stopped || p.Detail != ""
	}, testTimeout, time.Millisecond)
	require.Equal(t, Restoring, p.State, p.Detail)
	require.Contains(t, p.Detail, "pending offset")
	require.NoError(t, hung.EndTransaction(t.Context(), kgo.TryAbort))
	y.waitRunning(1)
	e.sendMany(60, 10)
	e.drain()
	e.requireExact()
	require.NoError(t, y.stop())
}
