package readlog

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/goleak"

	"tocsin/topics"
)

type env struct {
	t     *testing.T
	kafka []kgo.Opt
	cl    *kgo.Client
	adm   *kadm.Client
}

func newEnv(t *testing.T, partitions int32) *env {
	t.Helper()
	leaks := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, leaks) })
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(partitions, "log"))
	require.NoError(t, err)
	t.Cleanup(c.Close)
	e := &env{t: t, kafka: []kgo.Opt{kgo.SeedBrokers(c.ListenAddrs()...)}}
	e.cl = e.client()
	e.adm = kadm.NewClient(e.cl)
	return e
}

func (e *env) client(opts ...kgo.Opt) *kgo.Client {
	e.t.Helper()
	cl, err := kgo.NewClient(append(append(opts, e.kafka...), kgo.RecordPartitioner(kgo.ManualPartitioner()))...)
	require.NoError(e.t, err)
	e.t.Cleanup(cl.Close)
	return cl
}

func (e *env) send(cl *kgo.Client, partition int32, values ...string) {
	e.t.Helper()
	for _, v := range values {
		r := &kgo.Record{Topic: "log", Partition: partition, Value: []byte(v)}
		require.NoError(e.t, cl.ProduceSync(e.t.Context(), r).FirstErr())
	}
}

// transaction writes values in one that is committed, aborted or left open.
func (e *env) transaction(partition int32, id string, end kgo.TransactionEndTry, values ...string) {
	e.t.Helper()
	cl := e.client(kgo.TransactionalID(id))
	require.NoError(e.t, cl.BeginTransaction())
	e.send(cl, partition, values...)
	require.NoError(e.t, cl.EndTransaction(e.t.Context(), end))
}

func (e *env) bounds() map[int32]Range {
	e.t.Helper()
	b, err := Bounds(e.t.Context(), e.adm, "log")
	require.NoError(e.t, err)
	return b
}

// read gives what is read, by partition.
func (e *env) read(r *Reader, ranges map[int32]Range) (map[int32][]string, error) {
	e.t.Helper()
	r.Kafka, r.Topic = e.kafka, "log"
	got := map[int32][]string{}
	err := r.Read(e.t.Context(), ranges, func(rec *kgo.Record) error {
		got[rec.Partition] = append(got[rec.Partition], string(rec.Value))
		if string(rec.Value) == "enough" {
			return ErrEnough
		}
		return nil
	})
	return got, err
}

// Everything committed is read once and in order, to a range's end, whatever lies there.
func TestRead(t *testing.T) {
	e := newEnv(t, 4)
	e.send(e.cl, 0, "a", "b")                      // 0, 1
	e.transaction(0, "x", kgo.TryCommit, "c", "d") // 2, 3, marker 4
	e.transaction(0, "y", kgo.TryAbort, "e")       // 5, marker 6
	e.transaction(1, "z", kgo.TryAbort, "f", "g")  // nothing to be read, and a marker at the end
	e.send(e.cl, 2, "h", "i", "j")                 // 0, 1, 2
	all := e.bounds()                              // partition 3 is empty
	e.send(e.cl, 2, "written later")               // beyond the bounds
	require.Equal(t, map[int32]Range{0: {0, 7}, 1: {0, 3}, 2: {0, 3}, 3: {0, 0}}, all)

	next, records := map[int32]int64{}, 0
	r := &Reader{StallAfter: 5 * time.Second, Progress: func(p int32, at int64, n int) {
		require.GreaterOrEqual(t, at, next[p])
		next[p] = at
		records += n
	}}
	got, err := e.read(r, all)
	require.NoError(t, err)
	require.Equal(t, map[int32][]string{0: {"a", "b", "c", "d"}, 2: {"h", "i", "j"}}, got)
	require.Equal(t, map[int32]int64{0: 7, 1: 3, 2: 3}, next)
	require.Equal(t, 7, records)

	got, err = e.read(&Reader{}, map[int32]Range{0: {1, 4}, 2: {2, 2}})
	require.NoError(t, err)
	require.Equal(t, map[int32][]string{0: {"b", "c", "d"}}, got)
	some, err := Bounds(t.Context(), e.adm, "log", 1)
	require.NoError(t, err)
	require.Equal(t, map[int32]Range{1: {0, 3}}, some)
	_, err = Bounds(t.Context(), e.adm, "log", 9)
	require.ErrorContains(t, err, "topic log has no partition 9")
}

// A reader can end early, and its own error comes back.
func TestReadEndsEarly(t *testing.T) {
	e := newEnv(t, 1)
	e.send(e.cl, 0, "a", "enough", "b")
	got, err := e.read(&Reader{}, e.bounds())
	require.NoError(t, err)
	require.Equal(t, []string{"a", "enough"}, got[0])
	own := errors.New("own")
	r := &Reader{Kafka: e.kafka, Topic: "log"}
	require.ErrorIs(t, r.Read(t.Context(), e.bounds(), func(*kgo.Record) error { return own }), own)
	ctx, cancel := context.WithCancel(t.Context())
	err = r.Read(ctx, map[int32]Range{0: {0, 10}}, func(*kgo.Record) error { cancel(); return nil })
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorContains(t, r.Read(t.Context(), map[int32]Range{0: {7, 10}}, nil), "OFFSET_OUT_OF_RANGE")
}

// An open transaction holds a read up: it ends and says where, and goes on once the transaction has ended.
func TestReadStalls(t *testing.T) {
	e := newEnv(t, 2)
	e.send(e.cl, 0, "a")
	e.send(e.cl, 1, "b")
	open := e.client(kgo.TransactionalID("open"))
	require.NoError(t, open.BeginTransaction())
	e.send(open, 0, "c")
	_, err := e.read(&Reader{StallAfter: 100 * time.Millisecond}, e.bounds())
	require.ErrorIs(t, err, ErrStalled)
	require.ErrorContains(t, err, "nothing came for 100ms of partition 0 from offset 1 to 2")
	stable, err := StableBounds(t.Context(), e.adm, "log")
	require.NoError(t, err)
	require.Equal(t, map[int32]Range{0: {0, 1}, 1: {0, 1}}, stable)
	require.NoError(t, open.EndTransaction(t.Context(), kgo.TryCommit))
	got, err := e.read(&Reader{}, e.bounds())
	require.NoError(t, err)
	require.Equal(t, []string{"a", "c"}, got[0])
}

// A batch that cannot be decompressed is an error, or passed on as the range it takes up.
func TestReadBrokenBatches(t *testing.T) {
	e := newEnv(t, 1)
	e.send(e.cl, 0, "a")
	e.sendRaw(3, []byte("this is not gzip"))
	var bomb bytes.Buffer
	z := gzip.NewWriter(&bomb)
	_, err := z.Write(make([]byte, MaxDecompress+1))
	require.NoError(t, err)
	require.NoError(t, z.Close())
	e.sendRaw(5, bomb.Bytes())
	e.send(e.cl, 0, "b")
	_, err = e.read(&Reader{}, e.bounds())
	require.ErrorContains(t, err, "read log partition 0 at offset 1: ")

	listed, err := e.adm.ListTopics(t.Context(), "log")
	require.NoError(t, err)
	var broken []Range
	r := &Reader{TopicID: listed["log"].ID, Broken: func(_ int32, offsets Range, err error) error {
		require.Error(t, err)
		broken = append(broken, offsets)
		return nil
	}}
	got, err := e.read(r, map[int32]Range{0: {0, 10}})
	require.NoError(t, err)
	require.Equal(t, []string{"a", "b"}, got[0])
	require.Equal(t, []Range{{1, 4}, {4, 9}}, broken)
}

// The position of a reader is behind the last record that was passed on to it. A batch that cannot be decompressed is
// found also where records of an aborted transaction, and its marker, lie between.
func TestReadBrokenBehindAborted(t *testing.T) {
	e := newEnv(t, 1)
	e.send(e.cl, 0, "a")
	tx := e.client(kgo.TransactionalID("tx"))
	require.NoError(t, tx.BeginTransaction())
	e.send(tx, 0, "aborted", "aborted too")
	e.sendRaw(3, []byte("this is not gzip")) // before the marker
	require.NoError(t, tx.EndTransaction(t.Context(), kgo.TryAbort))
	e.sendRaw(2, []byte("this is not gzip")) // behind it
	e.send(e.cl, 0, "b")
	listed, err := e.adm.ListTopics(t.Context(), "log")
	require.NoError(t, err)
	for from := range int64(3) {
		var broken []Range
		r := &Reader{TopicID: listed["log"].ID, Broken: func(_ int32, offsets Range, _ error) error {
			broken = append(broken, offsets)
			return nil
		}}
		got, err := e.read(r, map[int32]Range{0: {from, 10}})
		require.NoError(t, err)
		require.Equal(t, []Range{{3, 6}, {7, 9}}, broken)
		require.Equal(t, "b", got[0][len(got[0])-1])
	}
}

// Who has never read anything stands at 0, where a log may not begin any more.
func TestBrokenBatchAtLogStart(t *testing.T) {
	e := newEnv(t, 1)
	e.send(e.cl, 0, "a", "b")
	e.sendRaw(3, []byte("this is not gzip"))
	begin := kadm.Offsets{}
	begin.AddOffset("log", 0, 2, -1)
	_, err := e.adm.DeleteRecords(t.Context(), begin)
	require.NoError(t, err)
	listed, err := e.adm.ListTopics(t.Context(), "log")
	require.NoError(t, err)
	b, ok, err := BrokenBatch(t.Context(), e.cl, BatchAt{Topic: "log", TopicID: listed["log"].ID},
		errors.New("unable to decompress batch: gzip: invalid header"))
	require.NoError(t, err)
	require.True(t, ok)
	require.Equal(t, Range{2, 5}, b.Range)
}

// sendRaw appends a batch of n records that says it is compressed with gzip and holds these bytes.
func (e *env) sendRaw(n int, body []byte) {
	e.t.Helper()
	b := kmsg.RecordBatch{
		Length: int32(49 + len(body)), PartitionLeaderEpoch: -1, Magic: 2, Attributes: 1, LastOffsetDelta: int32(n - 1),
		ProducerID: -1, ProducerEpoch: -1, FirstSequence: -1, NumRecords: int32(n), Records: body,
	}
	raw := b.AppendTo(nil)
	binary.BigEndian.PutUint32(raw[17:], crc32.Checksum(raw[21:], crc32.MakeTable(crc32.Castagnoli)))
	listed, err := e.adm.ListTopics(e.t.Context(), "log")
	require.NoError(e.t, err)
	req := kmsg.NewPtrProduceRequest()
	req.Acks, req.TimeoutMillis = -1, 5000
	top := kmsg.NewProduceRequestTopic()
	top.Topic, top.TopicID = "log", listed["log"].ID
	part := kmsg.NewProduceRequestTopicPartition()
	part.Records = raw
	top.Partitions = append(top.Partitions, part)
	req.Topics = append(req.Topics, top)
	resp, err := req.RequestWith(e.t.Context(), e.cl)
	require.NoError(e.t, err)
	require.NoError(e.t, kerr.ErrorForCode(resp.Topics[0].Partitions[0].ErrorCode))
}

// The last seal is found at whatever distance from the end.
func TestLastSeal(t *testing.T) {
	e := newEnv(t, 1)
	r := &Reader{Kafka: e.kafka, Topic: "log"}
	find := func() uint64 {
		s, err := r.LastSeal(t.Context(), 0, e.bounds()[0])
		require.NoError(t, err)
		return s.Sequence
	}
	require.Zero(t, find())
	e.send(e.cl, 0, "change")
	require.Zero(t, find())
	seal := func(n uint64) *kgo.Record {
		s := topics.Seal{Partitions: 1, Sequence: n}
		return &kgo.Record{Topic: "log", Key: []byte(topics.SealKey), Value: s.Append(nil)}
	}
	require.NoError(t, e.cl.ProduceSync(t.Context(), seal(1), seal(2)).FirstErr())
	require.EqualValues(t, 2, find())
	many := make([]*kgo.Record, 2500)
	for i := range many {
		many[i] = &kgo.Record{Topic: "log", Key: fmt.Append(nil, i), Value: []byte("change")}
	}
	require.NoError(t, e.cl.ProduceSync(t.Context(), many...).FirstErr())
	require.EqualValues(t, 2, find())
	require.NoError(t, e.cl.ProduceSync(t.Context(),
		&kgo.Record{Topic: "log", Key: []byte(topics.SealKey), Value: []byte("x")}).FirstErr())
	_, err := r.LastSeal(t.Context(), 0, e.bounds()[0])
	require.ErrorIs(t, err, ErrBadSeal)
	require.ErrorContains(t, err, "log partition 0 offset 2503: ")
}
