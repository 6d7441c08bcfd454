package processor

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"tocsin/topics"
	"tocsin/topics/readlog"
)

// The invariant "nothing is polled from the end of a transaction to its outcome" is needed: a processor that polls
// ahead skips records when the transaction is aborted.
func TestPollAheadIsCaught(t *testing.T) {
	for _, ahead := range []bool{false, true} {
		t.Run(fmt.Sprintf("ahead=%v", ahead), func(t *testing.T) {
			e := newEnv(t, 1)
			x := e.prepare(t.TempDir(), func(c *Config) { c.Workers, c.CloseRecords = 1, 10 })
			x.p.hooks.pollAhead = ahead
			x.run()
			e.sendMany(0, 30)
			e.drain()
			e.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.TxnOffsetCommit}, Err: kerr.IllegalGeneration})
			e.sendMany(30, 100)
			if ahead {
				// The records polled ahead are judged after the abort, without those before them. When these come again, our own
				// assertion sees it.
				p := x.waitStopped(0, CauseBackwards)
				require.Contains(t, p.Detail, "input offset")
			} else {
				require.Eventually(t, func() bool {
					return e.committed()[0] == 130 || x.partition(0).State == Stopped
				}, testTimeout, 10*time.Millisecond)
				require.NotEqual(t, Stopped, x.partition(0).State, x.partition(0).Detail)
				e.requireExact()
			}
			require.NoError(t, x.stop())
		})
	}
}

// Timers that do not fit into one transaction are committed with the offset still before the record that made them
// due, as often as it takes.
func TestTimersOverflowTransaction(t *testing.T) {
	e := newEnv(t, 1)
	x := e.prepare(t.TempDir(), func(c *Config) { c.Workers, c.CloseTimers = 1, 7 })
	x.run()
	var burst []string
	for u := range 40 { // five failures each: an episode, which has its refresh and its end to announce
		for i := range 6 {
			burst = append(burst, login(fmt.Sprintf("u%d", u), i, fmt.Sprintf("e%d-%d", u, i)))
		}
	}
	e.send(0, 10, burst...)
	e.drain()
	e.send(0, 4*3600, login("late-one", 4*3600, "last"))
	e.drain()
	e.requireExact()
	next := make(map[int64]int)
	for _, r := range e.consume(e.names.Changelog) {
		if topics.IsSealKey(r.Key) {
			s, err := topics.DecodeSeal(r.Value)
			require.NoError(t, err)
			next[s.Next]++
		}
	}
	require.Greater(t, next[240], 8, "seals by next offset: %v", next)
	require.NoError(t, x.stop())
	e.checkRebuilt(x.dir)
}

// The same, with every third commit refused: what was fired comes again, and once.
func TestTimersOverflowAndAborts(t *testing.T) {
	e := newEnv(t, 1)
	x := e.prepare(t.TempDir(), func(c *Config) { c.Workers, c.CloseTimers = 1, 30 })
	x.run()
	var burst []string
	for u := range 40 {
		for i := range 6 {
			burst = append(burst, login(fmt.Sprintf("u%d", u), i, fmt.Sprintf("e%d-%d", u, i)))
		}
	}
	e.send(0, 10, burst...)
	e.drain()
	n := 0
	e.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.TxnOffsetCommit}, Err: kerr.IllegalGeneration, Count: -1,
		When: func(kmsg.Request) bool { n++; return n%3 == 2 && n < 12 }})
	e.send(0, 4*3600, login("late-one", 4*3600, "last"))
	e.drain()
	e.requireExact()
	require.NoError(t, x.stop())
}

// A dead letter is the original and our headers; what does not fit is cut and says so.
func TestDeadLetters(t *testing.T) {
	e := newEnv(t, 1)
	x := e.start(t.TempDir(), func(c *Config) { c.DeadLetterMaxBytes = 100_000 })
	large := strings.Repeat("x", 200_000)
	many := make([]kgo.RecordHeader, 10_000)
	for i := range many {
		many[i] = kgo.RecordHeader{Key: fmt.Sprintf("h%d", i), Value: []byte("value")}
	}
	many[3] = kgo.RecordHeader{Key: topics.HeaderReason, Value: []byte("forged by the sender")}
	rs := []*kgo.Record{
		{Topic: e.names.Input, Key: []byte("k1"), Value: []byte("{small"), Headers: []kgo.RecordHeader{{Key: "a", Value: []byte("b")}},
			Timestamp: epoch},
		{Topic: e.names.Input, Key: []byte("k2"), Value: []byte(large), Timestamp: epoch},
		{Topic: e.names.Input, Key: []byte("k3"), Value: []byte("{many"), Headers: many, Timestamp: epoch},
		{Topic: e.names.Input, Key: []byte(large), Value: []byte("{key"), Timestamp: epoch},
		{Topic: e.names.Input, Timestamp: epoch},
	}
	for _, r := range rs {
		require.NoError(t, e.client.ProduceSync(t.Context(), r).FirstErr())
	}
	e.sent[0] += len(rs)
	e.drain()
	byOffset := make(map[string]*kgo.Record)
	for _, r := range e.consume(e.names.DeadLetter) {
		byOffset[header(r, topics.HeaderOriginOffset)] = r
	}
	require.Len(t, byOffset, 5)
	small := byOffset["0"]
	require.Equal(t, "{small", string(small.Value))
	require.Equal(t, "k1", string(small.Key))
	require.Equal(t, "b", header(small, "a"))
	require.Equal(t, "not_json", header(small, topics.HeaderReason))
	require.Equal(t, "audit.events", header(small, topics.HeaderOriginTopic))
	require.Equal(t, "0", header(small, topics.HeaderOriginPartition))
	require.Equal(t, fmt.Sprint(epoch.UnixMilli()), header(small, topics.HeaderOriginTimestamp))
	require.NotEmpty(t, header(small, topics.HeaderError))
	require.Equal(t, "200000", header(byOffset["1"], topics.HeaderFullLength))
	require.Len(t, header(byOffset["1"], topics.HeaderFullSHA256), 64)
	require.Greater(t, len(byOffset["1"].Value), 90_000)
	require.Equal(t, "{many", string(byOffset["2"].Value))
	require.NotEmpty(t, header(byOffset["2"], topics.HeaderDroppedHeaders))
	reasons := 0
	for _, h := range byOffset["2"].Headers {
		if h.Key == topics.HeaderReason {
			reasons++
		}
	}
	require.Equal(t, 1, reasons)
	require.Equal(t, "200000", header(byOffset["3"], topics.HeaderKeyLength))
	require.Nil(t, byOffset["4"].Key)
	require.NoError(t, x.stop())
}

func header(r *kgo.Record, key string) string {
	for _, h := range r.Headers {
		if h.Key == key {
			return string(h.Value)
		}
	}
	return ""
}

// Batches that cannot be decompressed, because they are broken or because they are bombs, are one dead letter each,
// and judging goes on behind them; also when the partition has never committed anything, and when its log no longer
// begins at 0.
func TestBrokenBatches(t *testing.T) {
	for _, c := range []struct {
		name    string
		first   int64 // offset of the first broken batch
		deleted bool  // what lies before it
	}{
		{"behind records", 40, false},
		{"at the beginning", 0, false},
		{"at the log's start", 40, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := newEnv(t, 1)
			first := c.first
			if first > 0 {
				e.sendMany(0, int(first))
			}
			e.produceRaw(3, kgo.CodecGzip, []byte("this is not gzip"))
			var bomb bytes.Buffer
			z := gzip.NewWriter(&bomb)
			_, err := z.Write(make([]byte, readlog.MaxDecompress+1))
			require.NoError(t, err)
			require.NoError(t, z.Close())
			e.produceRaw(5, kgo.CodecGzip, bomb.Bytes())
			e.send(0, 100, login("u", 100, "after"))
			if c.deleted {
				begin := kadm.Offsets{}
				begin.AddOffset(e.names.Input, 0, first, -1)
				deleted, err := e.adm.DeleteRecords(t.Context(), begin)
				require.NoError(t, err)
				require.NoError(t, deleted.Error())
			}
			x := e.start(t.TempDir(), nil)
			require.Eventually(t, func() bool { return e.committed()[0] == first+9 }, testTimeout, 10*time.Millisecond,
				"%v", e.committed())
			var ranges []string
			for _, r := range e.consume(e.names.DeadLetter) {
				if header(r, topics.HeaderReason) == "decompress" {
					ranges = append(ranges, header(r, topics.HeaderOriginOffset))
				}
			}
			require.Equal(t, []string{fmt.Sprintf("%d-%d", first, first+2), fmt.Sprintf("%d-%d", first+3, first+7)}, ranges)
			require.NoError(t, x.stop())
			e.checkRebuilt(x.dir)
		})
	}
}

// produceRaw appends a batch of n records that says it is compressed so and holds these bytes.
func (e *env) produceRaw(n int, codec kgo.CompressionCodecType, body []byte) {
	e.t.Helper()
	b := kmsg.RecordBatch{
		Length: int32(49 + len(body)), PartitionLeaderEpoch: -1, Magic: 2, Attributes: int16(codec), LastOffsetDelta: int32(n - 1),
		FirstTimestamp: epoch.UnixMilli(), MaxTimestamp: epoch.UnixMilli(), ProducerID: -1, ProducerEpoch: -1,
		FirstSequence: -1, NumRecords: int32(n), Records: body,
	}
	raw := b.AppendTo(nil)
	binary.BigEndian.PutUint32(raw[17:], crc32.Checksum(raw[21:], crc32.MakeTable(crc32.Castagnoli)))
	listed, err := e.adm.ListTopics(e.t.Context(), e.names.Input)
	require.NoError(e.t, err)
	req := kmsg.NewPtrProduceRequest()
	req.Acks, req.TimeoutMillis = -1, 5000
	top := kmsg.NewProduceRequestTopic()
	top.Topic, top.TopicID = e.names.Input, listed[e.names.Input].ID
	p := kmsg.NewProduceRequestTopicPartition()
	p.Records = raw
	top.Partitions = append(top.Partitions, p)
	req.Topics = append(req.Topics, top)
	leader := listed[e.names.Input].Partitions[0].Leader
	resp, err := req.RequestWith(e.t.Context(), e.client.Broker(int(leader)))
	require.NoError(e.t, err)
	require.NoError(e.t, kerr.ErrorForCode(resp.Topics[0].Partitions[0].ErrorCode))
}
