package processor

import (
	"bytes"
	"fmt"
	"runtime"
	gometrics "runtime/metrics"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"tocsin/topics"
	"tocsin/topics/readlog"
)

// A producer that is not ours writes to the changelog of partition 0. What no seal of ours covers stops that partition
// at the next restore, and nothing else; a restore of the tail names the offset.
func TestForeignProducer(t *testing.T) {
	head := topics.AppendHead(topics.AppendGroupKey(nil, topics.SpacePrincipal, []byte("acme"), []byte("u0-1")))
	sealed := topics.Seal{Sequence: 1 << 40, Next: 1 << 40, Partitions: 2}
	for _, c := range []struct {
		name       string
		key, value []byte
	}{
		{"a head", head, []byte("x")},
		{"a tombstone of a head", head, nil},
		{"a new key", append(bytes.Clone(head[:len(head)-1]), topics.AppendChunk(nil, 7)...), []byte("x")},
		{"no key of ours", []byte("hello"), []byte("x")},
		{"no key", nil, []byte("x")},
		{"a seal that cannot be read", []byte(topics.SealKey), []byte("x")},
		{"no seal any more", []byte(topics.SealKey), nil},
		{"a seal far ahead", []byte(topics.SealKey), sealed.Append(nil)},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := newEnv(t, 2)
			x := e.start(t.TempDir(), nil)
			e.sendMany(0, 60)
			e.drain()
			require.NoError(t, x.stop())
			r := &kgo.Record{Topic: e.names.Changelog, Partition: 0, Key: c.key, Value: c.value}
			require.NoError(t, e.client.ProduceSync(t.Context(), r).FirstErr())
			e.leave()

			y := e.start(x.dir, nil) // the tail
			p := y.refused(0, CauseChangelog)
			require.Contains(t, p.Detail, fmt.Sprintf("foreign record at offset %d", r.Offset))
			y.waitRunning(1)
			require.NoError(t, y.stop())
			e.leave()
			y = e.start(t.TempDir(), nil) // in full
			y.refused(0, CauseChangelog)
			y.waitRunning(1)
			require.NoError(t, y.stop())
		})
	}
}

// A producer that is not ours writes to the topics that the processor writes and does not restore from. It goes on as if
// nothing had been. Who has to read such a record to mend a partition is told where it lies.
func TestForeignProducerElsewhere(t *testing.T) {
	e := newEnv(t, 2)
	var named string
	for _, c := range []struct{ topic, key, value string }{
		{e.names.Seals, "0", "x"},
		{e.names.Seals, "0", `{"schema":1}`},
		{e.names.Seals, "nobody", "x"},
		{e.names.Alerts, "nobody", "x"},
		{e.names.DeadLetter, "nobody", "x"},
	} {
		r := &kgo.Record{Topic: c.topic, Key: []byte(c.key), Value: []byte(c.value)}
		require.NoError(t, e.client.ProduceSync(t.Context(), r).FirstErr())
		if c.key == "0" && named == "" {
			named = fmt.Sprintf("topic %s partition 0 offset %d: coverage", c.topic, r.Offset)
		}
	}
	dir := t.TempDir()
	for round := range 2 {
		x := e.start(dir, nil)
		e.sendMany(round*60, 60)
		e.drain()
		x.waitRunning(2)
		require.Empty(t, x.log.find("partition stopped"))
		require.NoError(t, x.stop())
		e.leave()
	}
	plans, err := PlanOffsets(t.Context(), e.offsetsConfig())
	require.NoError(t, err)
	require.Len(t, plans, 2)
	for i, p := range plans {
		require.Equal(t, CauseNone, p.Cause, p.Detail)
		_, err = ReplayStretch(t.Context(), e.offsetsConfig(), &plans[i])
		if i == 0 {
			require.ErrorContains(t, err, named)
		} else {
			require.NoError(t, err, "its own records are as they were")
		}
	}
}

// largeInput lets the input topic take records of some megabytes.
func (e *env) largeInput() {
	e.t.Helper()
	for topic, bytes := range map[string]int{e.names.Input: 8 << 20, e.names.DeadLetter: 9 << 20} {
		limit := fmt.Sprint(bytes)
		answers, err := e.adm.AlterTopicConfigs(e.t.Context(), []kadm.AlterConfig{{Name: "max.message.bytes", Value: &limit}}, topic)
		require.NoError(e.t, err)
		for _, a := range answers {
			require.NoError(e.t, a.Err)
		}
	}
}

// Batches of every codec that inflate to many times the limit, between events that must be judged: one dead letter with
// its reason each, in bounded memory, and everything else goes on.
func TestBombs(t *testing.T) {
	e := newEnv(t, 1)
	e.largeInput()
	want, next := e.sendBombs()
	e.send(0, 9, login("u", 9, "last"))
	runtime.GC() // what the bombs were made of is not to count
	before := heap()
	x := e.start(t.TempDir(), nil)
	most := uint64(0)
	require.Eventually(t, func() bool {
		most = max(most, heap())
		return e.committed()[0] == next+1
	}, testTimeout, time.Millisecond)
	// The client inflates into buffers that double, and the garbage collector may be late: some 480 MiB for bombs of any
	// size (128 MiB and 512 MiB were tried).
	require.Less(t, int64(most)-int64(before), int64(10*readlog.MaxDecompress), "%d MiB before, %d at most", before>>20, most>>20)
	var got []string
	for _, r := range e.consume(e.names.DeadLetter) {
		require.Equal(t, topics.ReasonDecompress.String(), header(r, topics.HeaderReason))
		require.NotEmpty(t, header(r, topics.HeaderError))
		got = append(got, header(r, topics.HeaderOriginOffset))
	}
	require.Equal(t, want, got)
	alerts := e.consume(e.names.Alerts)
	require.NotEmpty(t, alerts, "nine failed logins")
	require.NoError(t, x.stop())
}

// sendBombs sends a batch that inflates to more than the limit for every codec, each behind two events. It gives the
// offset ranges of the bombs and the next offset.
func (e *env) sendBombs() (ranges []string, next int64) {
	e.t.Helper()
	zeros := make([]byte, 8*readlog.MaxDecompress)
	for i, c := range []struct {
		codec kgo.CompressionCodec
		zeros []byte
	}{
		{kgo.GzipCompression(), zeros}, {kgo.SnappyCompression(), zeros[:readlog.MaxDecompress+1]}, {kgo.Lz4Compression(), zeros},
		{kgo.ZstdCompression(), zeros},
	} {
		e.send(0, i, login("u", i, fmt.Sprint("e", i)), login("u", i, fmt.Sprint("f", i)))
		compressor, err := kgo.DefaultCompressor(c.codec)
		require.NoError(e.t, err)
		body, codec := compressor.Compress(new(bytes.Buffer), c.zeros)
		require.Less(e.t, len(body), 8<<20)
		require.NotEqual(e.t, kgo.CodecNone, codec)
		e.produceRaw(3, codec, body)
		ranges = append(ranges, fmt.Sprintf("%d-%d", next+2, next+4))
		next += 5
	}
	return ranges, next
}

// heap is the size of all objects, garbage that was not swept included.
func heap() uint64 {
	sample := []gometrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	gometrics.Read(sample)
	return sample[0].Value.Uint64()
}

// Good events with keys of a megabyte and ten thousand headers are judged like any other; bad ones go to the dead
// letters with what fits. None holds up another.
func TestLargeKeysAndManyHeaders(t *testing.T) {
	e := newEnv(t, 1)
	e.largeInput()
	large, err := kgo.NewClient(kgo.SeedBrokers(e.addrs...), kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerBatchMaxBytes(8<<20), kgo.ProducerBatchCompression(kgo.NoCompression()))
	require.NoError(t, err)
	defer large.Close()
	many := make([]kgo.RecordHeader, 10_000)
	for i := range many {
		many[i] = kgo.RecordHeader{Key: fmt.Sprint("header-", i), Value: bytes.Repeat([]byte("v"), i%100)}
	}
	key := bytes.Repeat([]byte("k"), 1<<20)
	text := strings.Repeat("p", 1<<20)
	var rs []*kgo.Record
	for i := range 6 {
		for _, r := range []*kgo.Record{
			{Value: []byte(login("key", i, fmt.Sprint("k", i))), Key: key},
			{Value: []byte(login("headers", i, fmt.Sprint("h", i))), Headers: many},
			{Value: []byte(login("both", i, fmt.Sprint("b", i))), Key: key, Headers: many},
			{Value: []byte("{"), Key: key, Headers: many},
			{Value: []byte(login(text, i, fmt.Sprint("t", i)))}, // more than an event may have
			{Value: []byte(login("plain", i, fmt.Sprint("p", i)))},
		} {
			r.Topic, r.Timestamp = e.names.Input, epoch.Add(time.Duration(i)*time.Second)
			rs = append(rs, r)
		}
	}
	require.NoError(t, large.ProduceSync(t.Context(), rs...).FirstErr())
	e.sent[0] += len(rs)
	x := e.start(t.TempDir(), nil)
	e.drain()
	e.requireExact()
	fired := map[string]bool{}
	for _, r := range e.consume(e.names.Alerts) {
		for _, who := range []string{"key", "headers", "both", "plain"} {
			fired[who] = fired[who] || bytes.Contains(r.Value, []byte(`"principal":"`+who+`"`))
		}
	}
	require.Equal(t, map[string]bool{"key": true, "headers": true, "both": true, "plain": true}, fired)
	reasons := map[string]int{}
	for _, r := range e.consume(e.names.DeadLetter) {
		reasons[header(r, topics.HeaderReason)]++
	}
	require.Equal(t, map[string]int{"not_json": 6, "too_large": 6}, reasons)
	require.NoError(t, x.stop())
	e.checkRebuilt(x.dir)
}
