package processor

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
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
