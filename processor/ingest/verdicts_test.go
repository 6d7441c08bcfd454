package ingest

import (
	"context"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"tocsin/topics"
)

// traces plays the processor's part: it writes seals, coverage records and dead letters.
type traces struct {
	t     *testing.T
	cl    *kgo.Client
	cfg   WatchConfig
	seal  topics.Seal
	chain [32]byte
}

func newTraces(t *testing.T) *traces {
	t.Helper()
	x, _ := newTracesOn(t)
	return x
}

func newTracesOn(t *testing.T) (*traces, *kfake.Cluster) {
	t.Helper()
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "in", "log", "seals", "dead"))
	require.NoError(t, err)
	t.Cleanup(c.Close)
	kafka := []kgo.Opt{kgo.SeedBrokers(c.ListenAddrs()...)}
	cl, err := kgo.NewClient(kafka...)
	require.NoError(t, err)
	t.Cleanup(cl.Close)
	return &traces{
		t: t, cl: cl, seal: topics.Seal{Partitions: 1},
		cfg: WatchConfig{Kafka: kafka, Group: "g", Input: "in", Changelog: "log", Seals: "seals", DeadLetter: "dead"},
	}, c
}

func (x *traces) produce(r *kgo.Record) {
	x.t.Helper()
	require.NoError(x.t, x.cl.ProduceSync(context.Background(), r).FirstErr())
}

// commit is a transaction that judged up to next, with these further counts.
func (x *traces) commit(next int64, add topics.Counts) {
	x.t.Helper()
	x.produce(&kgo.Record{Topic: "log", Key: []byte("some key"), Value: []byte("some change")})
	x.seal.Next = next
	x.seal.Sequence++
	x.seal.Coverage.Counts.Add(&add)
	x.produce(&kgo.Record{Topic: "log", Key: []byte(topics.SealKey), Value: x.seal.Append(nil)})
}

// closeCoverage ends the open interval, as a transaction does before it judges on.
func (x *traces) closeCoverage() {
	x.t.Helper()
	c := topics.Coverage{From: x.seal.Coverage.From, To: x.seal.Next, Counts: x.seal.Coverage.Counts}
	c.Link(x.chain)
	x.chain = c.Chain
	x.produce(&kgo.Record{Topic: "seals", Value: c.Append(nil)})
	x.seal.Coverage = topics.OpenInterval{From: x.seal.Next, ChainHead: c.Chain}
}

func (x *traces) dead(offset, reason string) {
	x.t.Helper()
	x.produce(&kgo.Record{Topic: "dead", Headers: []kgo.RecordHeader{
		{Key: topics.HeaderReason, Value: []byte(reason)}, {Key: topics.HeaderOriginTopic, Value: []byte("in")},
		{Key: topics.HeaderOriginPartition, Value: []byte("0")}, {Key: topics.HeaderOriginOffset, Value: []byte(offset)},
	}})
}

func written(from, to int64) *Offsets {
	o := NewOffsets()
	for at := from; at < to; at++ {
		o.Add(0, at)
	}
	return o
}

func counts(judged, duplicates, late int64) topics.Counts {
	c := topics.Counts{Judged: judged, Duplicates: duplicates, Exempted: judged}
	c.DeadLetters[topics.ReasonLate] = late
	return c
}

func TestVerdicts(t *testing.T) {
	ctx := context.Background()
	read := func(t *testing.T, x *traces, before, after func(), o *Offsets) *Verdicts {
		t.Helper()
		before()
		w, err := NewWatch(ctx, x.cfg)
		require.NoError(t, err)
		after()
		v, err := w.Read(ctx, o)
		require.NoError(t, err)
		return v
	}
	t.Run("the first records of a topic", func(t *testing.T) {
		x := newTraces(t)
		v := read(t, x, func() {}, func() {
			x.commit(4, counts(4, 0, 0))
			x.dead("7", "late")
			x.commit(10, counts(4, 1, 1))
		}, written(0, 10))
		require.Equal(t, &Verdicts{Judged: 8, Duplicates: 1, Exempted: 8, DeadLetters: map[string]int64{"late": 1}}, v)
	})
	t.Run("intervals are closed before, between and behind", func(t *testing.T) {
		x := newTraces(t)
		v := read(t, x, func() {
			x.commit(100, counts(100, 0, 0))
			x.closeCoverage()
			x.dead("3", "not_json") // of somebody else, long ago
			x.commit(110, counts(8, 1, 1))
		}, func() {
			x.closeCoverage()
			x.commit(115, counts(3, 2, 0))
			x.closeCoverage()
			x.dead("118-119", "late")
			x.commit(120, counts(2, 1, 2))
			x.closeCoverage()
			x.commit(130, counts(10, 0, 0)) // behind what was written
		}, written(110, 120))
		require.Empty(t, v.Unknown)
		require.Equal(t, int64(5), v.Judged)
		require.Equal(t, int64(3), v.Duplicates)
		require.Equal(t, map[string]int64{"late": 2}, v.DeadLetters)
	})
	t.Run("the processor lags behind when the run begins", func(t *testing.T) {
		x := newTraces(t)
		v := read(t, x, func() { x.commit(5, counts(5, 0, 0)) }, func() {
			x.commit(10, counts(5, 0, 0))
			x.commit(20, counts(9, 1, 0))
		}, written(10, 20))
		require.Empty(t, v.Unknown)
		require.Equal(t, int64(9), v.Judged)
	})
	t.Run("others write too", func(t *testing.T) {
		x := newTraces(t)
		o := written(0, 5)
		o.Add(0, 8)
		v := read(t, x, func() {}, func() {
			x.dead("2", "late")
			x.dead("6", "late") // not ours
			x.commit(9, counts(7, 0, 2))
		}, o)
		require.Contains(t, v.Unknown, "3 other records of partition 0 were judged along")
		require.Equal(t, int64(5), v.Either)
		require.Equal(t, map[string]int64{"late": 1}, v.DeadLetters)
	})
	t.Run("a transaction judged ours and others' together", func(t *testing.T) {
		x := newTraces(t)
		v := read(t, x, func() { x.commit(5, counts(5, 0, 0)) }, func() { x.commit(20, counts(15, 0, 0)) }, written(10, 20))
		require.Contains(t, v.Unknown, "5 other records")
	})
	t.Run("no seal behind", func(t *testing.T) {
		x := newTraces(t)
		v := read(t, x, func() { x.commit(5, counts(5, 0, 0)) }, func() {}, written(5, 6))
		require.Contains(t, v.Unknown, "no longer holds the seals")
	})
	t.Run("the seal before lies far back", func(t *testing.T) {
		x := newTraces(t)
		v := read(t, x, func() {
			x.commit(5, counts(5, 0, 0))
			rs := make([]*kgo.Record, 1500)
			for i := range rs {
				rs[i] = &kgo.Record{Topic: "log", Key: []byte(strconv.Itoa(i)), Value: []byte("x")}
			}
			require.NoError(t, x.cl.ProduceSync(ctx, rs...).FirstErr())
		}, func() { x.commit(7, counts(1, 1, 0)) }, written(5, 7))
		require.Empty(t, v.Unknown)
		require.Equal(t, int64(1), v.Duplicates)
	})
}

func TestWatchWaits(t *testing.T) {
	x := newTraces(t)
	w, err := NewWatch(t.Context(), x.cfg)
	require.NoError(t, err)
	running, err := w.Running(t.Context())
	require.NoError(t, err)
	require.False(t, running)

	x.produce(&kgo.Record{Topic: "in", Value: []byte("x")})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	require.ErrorContains(t, w.Wait(ctx, written(0, 1)), "1 of 1 records are not judged yet")

	consumer, err := kgo.NewClient(append([]kgo.Opt{kgo.ConsumerGroup("g"), kgo.ConsumeTopics("in"),
		kgo.DisableAutoCommit(), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart())}, x.cfg.Kafka...)...)
	require.NoError(t, err)
	defer consumer.Close()
	fetches := consumer.PollFetches(t.Context())
	require.NoError(t, fetches.Err())
	running, err = w.Running(t.Context())
	require.NoError(t, err)
	require.True(t, running)
	require.NoError(t, consumer.CommitRecords(t.Context(), fetches.Records()...))
	require.NoError(t, w.Wait(t.Context(), written(0, 1)))
}

// A broker that does not know for a moment, as one that is busy may, does not end the run's look at the verdicts.
func TestWatchAsksAgain(t *testing.T) {
	x, c := newTracesOn(t)
	at := kadm.Offsets{}
	at.AddOffset("in", 0, 1, -1)
	_, err := kadm.NewClient(x.cl).CommitOffsets(t.Context(), "g", at)
	require.NoError(t, err)
	refused := 0
	for key, refuse := range map[kmsg.Key]func(kmsg.Request) kmsg.Response{
		kmsg.ListOffsets: func(r kmsg.Request) kmsg.Response {
			resp := r.ResponseKind().(*kmsg.ListOffsetsResponse)
			for _, asked := range r.(*kmsg.ListOffsetsRequest).Topics {
				topic := kmsg.NewListOffsetsResponseTopic()
				topic.Topic = asked.Topic
				p := kmsg.NewListOffsetsResponseTopicPartition()
				p.ErrorCode = kerr.UnknownTopicOrPartition.Code
				topic.Partitions = append(topic.Partitions, p)
				resp.Topics = append(resp.Topics, topic)
			}
			return resp
		},
		kmsg.DescribeGroups: func(r kmsg.Request) kmsg.Response {
			resp := r.ResponseKind().(*kmsg.DescribeGroupsResponse)
			g := kmsg.NewDescribeGroupsResponseGroup()
			g.Group, g.ErrorCode = "g", kerr.CoordinatorLoadInProgress.Code
			resp.Groups = append(resp.Groups, g)
			return resp
		},
		kmsg.OffsetFetch: func(r kmsg.Request) kmsg.Response {
			resp := r.ResponseKind().(*kmsg.OffsetFetchResponse)
			g := kmsg.NewOffsetFetchResponseGroup()
			g.Group, g.ErrorCode = "g", kerr.UnstableOffsetCommit.Code
			resp.Groups = append(resp.Groups, g)
			return resp
		},
	} {
		c.ControlKey(key.Int16(), func(r kmsg.Request) (kmsg.Response, error, bool) { // the first of its kind
			refused++
			return refuse(r), nil, true
		})
	}
	w, err := NewWatch(t.Context(), x.cfg)
	require.NoError(t, err)
	_, err = w.Running(t.Context())
	require.NoError(t, err)
	require.NoError(t, w.Wait(t.Context(), written(0, 1)))
	require.Equal(t, 3, refused)
}

// FuzzMapCloudTrail: every JSON object becomes one JSON object that the decoder reads as JSON, and nothing panics.
func FuzzMapCloudTrail(f *testing.F) {
	f.Add([]byte(`{"eventName":"ConsoleLogin","eventSource":"signin.amazonaws.com","userIdentity":{"userName":"x"}}`))
	f.Add([]byte(`{"eventSource":"a\u002eb","errorCode":"\ud800","resources":[{"ARN":"x"}],"eventTime":null}`))
	f.Add([]byte(`[1,2]`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		out := MapCloudTrail(raw)
		if object(raw) == nil {
			require.Equal(t, raw, out)
			return
		}
		require.NotNil(t, object(out), "%s", out)
		var e topics.Event
		_, _ = e.Decode(out, nil, readLimits)
	})
}
