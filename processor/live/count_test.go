package live

import (
	"context"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"tocsin/processor/processortest/redistest"
	"tocsin/topics"
)

var (
	burst = Kind{"failed-auth-burst", "HIGH", "clinic-north"}
	odd   = Kind{"off-hours-access", "LOW", "a:b c"} // colons belong to the organisation
	none  = Kind{"integrity-violation", "CRITICAL", ""}
)

func TestAlertsAreCountedOnce(t *testing.T) {
	e := newEnv(t, redistest.Config{})
	c := e.start(e.config("a"))
	for n := range 20 {
		e.alert(n, burst, 1, time.Minute)
	}
	e.alert(20, odd, 1, 20*time.Minute)
	e.alert(21, none, 1, time.Second)
	e.alert(20, odd, 2, 0)
	e.alert(22, odd, 1, 2*time.Hour)       // not of the last hour
	e.alert(23, odd, 1, 400*24*time.Hour)  // long forgotten
	e.produce(24, []byte("{broken"), 0)    // nothing of ours
	e.produce(25, []byte(`{"id":"x"}`), 0) // by somebody else
	e.write(26, topics.Alert{ID: "r", Revision: 1, Rule: topics.AlertRule{ID: "x"}, Mode: topics.ModeReplay}, 0)
	want := map[Kind]int64{burst: 20, odd: 1, none: 1}
	e.counts(want)
	e.settled(15, 13)
	e.eventually(func(t require.TestingT) { require.True(t, c.Health().OK, c.Health()) })
	day, err := e.numbers(t.Context(), 24*time.Hour)
	require.NoError(t, err)
	require.Equal(t, []Count{{burst, 20}, {odd, 2}, {none, 1}}, day.Alerts)
	require.EqualValues(t, 23, day.Totals.Alerts)
	require.EqualValues(t, 22, day.Totals.Patterns)
	require.EqualValues(t, 23, testutil.ToFloat64(c.metrics.counted))
	for why, n := range map[string]float64{passedRevision: 1, passedReplay: 1, passedUnread: 2, passedSeen: 0} {
		require.Equal(t, n, testutil.ToFloat64(c.metrics.passed.WithLabelValues(why)), why)
	}

	c.end()
	again := e.start(e.config("a"))
	e.alert(0, burst, 1, 0) // written a second time, as by a partition that is rebuilt
	e.alert(100, burst, 1, 0)
	want[burst]++
	e.counts(want)
	e.settled(17, 13)
	require.EqualValues(t, 1, testutil.ToFloat64(again.metrics.passed.WithLabelValues(passedSeen)))
	require.Zero(t, testutil.ToFloat64(again.metrics.begun))

	for _, k := range e.client.Keys(t.Context(), "*").Val() {
		require.Positive(t, e.client.TTL(t.Context(), k).Val(), "%s never goes away", k)
	}
	bucket := keys{"test:"}.bucket(minutes, minutes.start(e.now.Add(-time.Minute)))
	end := minutes.start(e.now.Add(-time.Minute)) + 60
	require.EqualValues(t, end+seconds(DefaultKeepMinutes), e.client.ExpireTime(t.Context(), bucket).Val().Seconds())
}

func TestWhatRedisLostIsCountedAgain(t *testing.T) {
	e := newEnv(t, redistest.Config{})
	c := e.start(e.config("a"))
	for n := range 30 {
		e.alert(n, burst, 1, time.Minute)
	}
	e.counts(map[Kind]int64{burst: 30})
	e.redis.Kill()
	for n := range 30 {
		e.alert(30+n, odd, 1, time.Second)
	}
	e.eventually(func(t require.TestingT) {
		h := c.Health()
		require.False(t, h.OK)
		require.NotEmpty(t, h.Reason)
	})
	e.redis.Restart() // empty
	e.counts(map[Kind]int64{burst: 30, odd: 30})
	e.settled(30, 30)
	e.eventually(func(t require.TestingT) { require.True(t, c.Health().OK, c.Health()) })
	require.Positive(t, testutil.ToFloat64(c.metrics.begun))
}

func TestWhatRedisKeptIsNotCountedAgain(t *testing.T) {
	e := newEnv(t, redistest.Config{Persist: true})
	c := e.start(e.config("a"))
	for round := range 5 {
		for n := range 10 {
			e.alert(10*round+n, burst, 1, time.Minute)
		}
		if round%2 == 0 { // in the middle of it
			e.redis.Restart()
		}
	}
	e.counts(map[Kind]int64{burst: 50})
	e.settled(25, 25)
	require.Zero(t, testutil.ToFloat64(c.metrics.begun))
	require.Zero(t, testutil.ToFloat64(c.metrics.passed.WithLabelValues(passedSeen)))
	n, err := e.numbers(t.Context(), time.Hour)
	require.NoError(t, err)
	require.EqualValues(t, 50, n.Totals.Alerts)
}

func TestProcessesShareThePartitions(t *testing.T) {
	e := newEnv(t, redistest.Config{})
	for n := range 40 {
		e.alert(n, burst, 1, time.Minute)
	}
	a := e.start(e.config("a"))
	b := e.start(e.config("b"))
	e.settled(20, 20)
	e.counts(map[Kind]int64{burst: 40})
	a.end()
	for n := range 40 {
		e.alert(40+n, burst, 1, time.Minute)
	}
	e.settled(40, 40)
	e.counts(map[Kind]int64{burst: 80})
	e.eventually(func(t require.TestingT) { require.True(t, b.Health().OK, b.Health()) })
}

// A server that takes connections and does not answer holds up neither the end nor, when it answers again, the numbers.
func TestRedisHangs(t *testing.T) {
	e := newEnv(t, redistest.Config{})
	cfg := e.config("a")
	cfg.Timeout = 100 * time.Millisecond
	c := e.start(cfg)
	e.alert(0, burst, 1, time.Minute)
	e.counts(map[Kind]int64{burst: 1})
	e.redis.Pause()
	e.alert(1, burst, 1, time.Minute)
	e.eventually(func(t require.TestingT) { require.False(t, c.Health().OK) })
	e.redis.Resume()
	e.counts(map[Kind]int64{burst: 2})
	e.redis.Pause()
	e.alert(2, burst, 1, time.Minute)
	e.eventually(func(t require.TestingT) { require.False(t, c.Health().OK) })
	c.end()
	e.redis.Resume()
}

// A process that starts without Redis begins to count when it comes, and ends in time when it does not.
func TestRedisComesLater(t *testing.T) {
	e := newEnv(t, redistest.Config{})
	e.redis.Kill()
	e.alert(0, burst, 1, time.Minute)
	c := e.start(e.config("a"))
	unreachable := func(c *running) {
		t.Helper()
		e.eventually(func(t require.TestingT) { require.Contains(t, c.Health().Reason, "read positions") })
	}
	unreachable(c)
	c.end()
	c = e.start(e.config("a"))
	unreachable(c)
	e.redis.Restart()
	e.counts(map[Kind]int64{burst: 1})
	e.eventually(func(t require.TestingT) { require.True(t, c.Health().OK, c.Health()) })
}

// The same request twice counts once; one of somebody whose partition was given away counts nothing.
func TestRequestsAreFenced(t *testing.T) {
	e := newEnv(t, redistest.Config{})
	c, err := New(e.config("a"))
	require.NoError(t, err)
	id := topicID{1}
	claim := func(low, high, begin int64) int64 {
		t.Helper()
		at, err := c.scripts.claim.Run(t.Context(), e.client, []string{c.keys.position(id)}, 60, 0, low, high, begin).Int64Slice()
		require.NoError(t, err)
		return at[0]
	}
	count := func(expected, next int64, ids ...string) []int64 {
		t.Helper()
		var alerts []raised
		for _, id := range ids {
			alerts = append(alerts, raised{id: id, at: e.now, kind: burst})
		}
		k := c.newCall(id, 0, expected, next, alerts)
		answer, err := c.scripts.count.Run(t.Context(), e.client, k.keys, k.args...).Int64Slice()
		require.NoError(t, err)
		return answer
	}
	require.Equal(t, []int64{-1, -1}, count(0, 2, "x"), "there is no position")
	require.EqualValues(t, 5, claim(0, 10, 5))
	require.EqualValues(t, 5, claim(0, 10, 7), "it has one")
	require.Equal(t, []int64{2, 0}, count(5, 7, "a", "b"))
	require.Equal(t, []int64{-1, 7}, count(5, 7, "a", "b"), "the same again")
	require.Equal(t, []int64{1, 1}, count(7, 9, "b", "c"), "one of them was written twice")
	e.counts(map[Kind]int64{burst: 3})
	require.EqualValues(t, 20, claim(20, 30, 20), "the log begins behind it")
	require.EqualValues(t, 1, claim(0, 10, 1), "the log ends before it")
}

func TestBucketsAreBounded(t *testing.T) {
	e := newEnv(t, redistest.Config{})
	c, err := New(e.config("a"))
	require.NoError(t, err)
	require.NoError(t, c.scripts.claim.Run(t.Context(), e.client, []string{c.keys.position(topicID{})}, 60, 0, 0, 1, 0).Err())
	k := c.newCall(topicID{}, 0, 0, 3, []raised{
		{id: "1", at: e.now, kind: burst}, {id: "2", at: e.now, kind: odd}, {id: "3", at: e.now, kind: burst},
		{id: "4", at: e.now, kind: none},
	})
	require.Equal(t, maxFields, k.args[6])
	require.Equal(t, maxSeen, k.args[5])
	k.args[6], k.args[5] = 1, 2
	require.NoError(t, c.scripts.count.Run(t.Context(), e.client, k.keys, k.args...).Err())
	e.counts(map[Kind]int64{burst: 2, odd.others(): 1, none.others(): 1})
	require.EqualValues(t, 2, e.client.ZCard(t.Context(), c.keys.seen()).Val())
}

// FuzzDecode: whatever lies in the topic, what is counted has a name that reads back.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"id":"a","revision":1,"rule":{"id":"r"},"severity":"LOW","organization":"o:o","mode":"live"}`))
	f.Add([]byte(`{"id":"a","revision":1,"rule":{"id":"r:"},"mode":"live"}`))
	f.Fuzz(func(t *testing.T, value []byte) {
		a, passed := decode(&kgo.Record{Value: value})
		if passed != "" {
			return
		}
		k, err := parseKind(a.kind.field())
		require.NoError(t, err)
		require.Equal(t, a.kind.field(), k.field())
		require.NotEmpty(t, a.id)
	})
}

func TestReadRefusesWhatIsNotOurs(t *testing.T) {
	e := newEnv(t, redistest.Config{})
	_, err := e.numbers(t.Context(), 48*time.Hour)
	require.ErrorContains(t, err, "kept for 24h")
	at := keys{"test:"}.bucket(minutes, minutes.start(e.now))
	require.NoError(t, e.client.HSet(context.Background(), at, "x", 1).Err())
	_, err = e.numbers(t.Context(), time.Hour)
	require.ErrorContains(t, err, `"x" is not RULE`)
}
