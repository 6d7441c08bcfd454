package processor

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"tocsin/processor/engine"
	"tocsin/state"
	"tocsin/state/window"
	"tocsin/topics"
	"tocsin/topics/readlog"
)

// openState opens a state folder as one that was judged again from the input.
func (e *env) openState(dir string) *state.Store {
	e.t.Helper()
	s, err := state.Open(state.Config{Dir: dir, HeadIndex: window.HeadIndex, Now: time.Now, ReadOnly: true})
	require.NoError(e.t, err)
	return s
}

// requireChain checks that the coverage records of a partition follow each other without a gap, and end where the last
// seal begins.
func (e *env) requireChain(partition int32) {
	e.t.Helper()
	var last topics.Coverage
	n := 0
	for _, r := range e.consume(e.names.Seals) {
		if string(r.Key) != string(topics.CoverageKey(partition)) {
			continue
		}
		c, err := topics.DecodeCoverage(r.Value)
		require.NoError(e.t, err)
		require.True(e.t, c.Follows(last.Chain), "%+v", c)
		require.Equal(e.t, last.To, c.From)
		last = c
		n++
	}
	require.NotZero(e.t, n)
	o, err := openOffsets(e.t.Context(), e.offsetsConfig())
	require.NoError(e.t, err)
	defer o.cl.Close()
	seal, err := o.lastSeal(e.t.Context(), partition)
	require.NoError(e.t, err)
	require.Equal(e.t, last.To, seal.Coverage.From)
	require.Equal(e.t, last.Chain, seal.Coverage.ChainHead)
}

func (e *env) replayOf(partition int32, plan OffsetPlan) OffsetChange {
	return OffsetChange{
		Partition: partition, Action: ActionReplay, Committed: plan.Committed, Sealed: plan.Sealed, Who: "ann",
	}
}

// A changelog that cannot be read any more is replaced by a state that was judged again. Verdicts are given once, the
// chain of coverage goes on, and a state folder from before is not gone on from.
func TestReplaceState(t *testing.T) {
	e := newEnv(t, 2)
	x := e.start(t.TempDir(), nil)
	e.sendMany(0, 300)
	e.drain()
	want := x.digest()
	require.NoError(t, x.stop())
	old := filepath.Join(t.TempDir(), "old")
	copyDir(t, x.dir, old)

	require.NoError(t, e.client.ProduceSync(t.Context(), &kgo.Record{
		Topic: e.names.Changelog, Partition: 1, Key: []byte("whatever"), Value: []byte("x")}).FirstErr())
	e.leave()
	y := e.start(t.TempDir(), nil)
	y.waitStopped(1, CauseChangelog)
	plans, err := PlanOffsets(t.Context(), e.offsetsConfig())
	require.NoError(t, err)
	require.Equal(t, CauseNone, plans[1].Cause, "seal and offset agree")
	require.Equal(t, []OffsetAction{ActionReplay}, plans[1].Actions)
	require.Equal(t, int64(300), plans[1].Target)

	judged := e.openState(old)
	change := e.replayOf(1, plans[1])
	_, err = ReplaceState(t.Context(), e.offsetsConfig(), change, judged)
	require.ErrorContains(t, err, "stop all processors")
	require.NoError(t, y.stop())
	e.leave()
	stale := change
	stale.Sealed--
	_, err = ReplaceState(t.Context(), e.offsetsConfig(), stale, judged)
	require.ErrorContains(t, err, "out of date")
	stretch, err := ReplayStretch(t.Context(), e.offsetsConfig(), &plans[1])
	require.NoError(t, err)
	require.Equal(t, int64(0), stretch.From)
	require.Equal(t, int64(300), stretch.To)

	before := len(e.consume(e.names.Alerts))
	done, err := ReplaceState(t.Context(), e.offsetsConfig(), change, judged)
	require.NoError(t, err)
	require.NoError(t, judged.Close())
	require.True(t, done.Exact)
	require.Equal(t, stretch, done.Stretch)
	require.Len(t, e.consume(e.names.Alerts), before)
	e.requireChain(1)
	records := 0
	for _, r := range e.consume(e.names.Changelog) {
		if r.Partition == 1 {
			records++
		}
	}
	require.EqualValues(t, done.Records+1, records, "the state and its seal, and nothing else")
	applied := 0
	for _, r := range e.consume(e.names.Seals) {
		if string(r.Key) == "offsets/1" {
			require.Contains(t, string(r.Value), `"action":"replay"`)
			require.Contains(t, string(r.Value), `"exact":true`)
			applied++
		}
	}
	require.Equal(t, 1, applied)
	configs, err := e.adm.DescribeTopicConfigs(t.Context(), e.names.Changelog)
	require.NoError(t, err)
	for _, c := range configs[0].Configs {
		if c.Key == "cleanup.policy" {
			require.Equal(t, "compact", c.MaybeValue())
		}
	}

	for _, dir := range []string{t.TempDir(), old} { // nothing, and the state of before
		z := e.start(dir, nil)
		z.waitRunning(2)
		require.Equal(t, want, z.digest())
		for _, line := range z.log.restored(0) {
			if line["partition"] == "1" {
				require.Equal(t, "full", line["mode"], "%v", line)
				if dir == old {
					require.Equal(t, "the changelog no longer has the local position", line["why"])
				}
			}
		}
		require.NoError(t, z.stop())
		e.leave()
	}
	last := e.start(old, nil)
	e.sendMany(300, 200)
	e.drain()
	e.requireVerdicts()
	require.NoError(t, last.stop())
	e.requireChain(1)
	e.checkRebuilt(last.dir)
}

// requireVerdicts checks alerts and dead letters against those of one go over the input.
func (e *env) requireVerdicts() {
	e.t.Helper()
	want, counts := e.expected()
	var got []string
	for _, r := range e.consume(e.names.Alerts) {
		got = append(got, string(r.Value))
	}
	require.ElementsMatch(e.t, want, got)
	dead := int64(0)
	for _, n := range counts.DeadLetters {
		dead += n
	}
	require.Len(e.t, e.consume(e.names.DeadLetter), int(dead))
}

// The group has an offset and the changelog is empty: what ReplaceState leaves when it dies half way. It can be done
// again.
func TestReplaceStateAfterTheCut(t *testing.T) {
	e := newEnv(t, 2)
	x := e.start(t.TempDir(), nil)
	e.sendMany(0, 200)
	e.drain()
	want := x.digest()
	require.NoError(t, x.stop())
	e.leave()
	o, err := openOffsets(t.Context(), e.offsetsConfig())
	require.NoError(t, err)
	defer o.cl.Close()
	require.NoError(t, o.cut(t.Context(), 0))
	require.NoError(t, o.cut(t.Context(), 0))

	y := e.start(t.TempDir(), nil)
	y.waitStopped(0, CauseNoSeal)
	require.NoError(t, y.stop())
	e.leave()
	plans, err := PlanOffsets(t.Context(), e.offsetsConfig())
	require.NoError(t, err)
	require.Equal(t, CauseNoSeal, plans[0].Cause)
	require.Equal(t, []OffsetAction{ActionReplay}, plans[0].Actions)
	judged := e.openState(x.dir)
	done, err := ReplaceState(t.Context(), e.offsetsConfig(), e.replayOf(0, plans[0]), judged)
	require.NoError(t, err)
	require.NoError(t, judged.Close())
	require.True(t, done.Exact)
	z := e.start(t.TempDir(), nil)
	z.waitRunning(2)
	require.Equal(t, want, z.digest())
	require.NoError(t, z.stop())
	e.requireChain(0)
}

// A processor that is started while a state is being replaced: the broker refuses what would have been written.
func TestReplaceStateIsFenced(t *testing.T) {
	e := newEnv(t, 2)
	x := e.start(t.TempDir(), nil)
	e.sendMany(0, 200)
	e.drain()
	require.NoError(t, x.stop())
	e.leave()
	before := e.consume(e.names.Changelog)
	o, err := openOffsets(t.Context(), e.offsetsConfig())
	require.NoError(t, err)
	defer o.cl.Close()
	member, err := o.join(t.Context())
	require.NoError(t, err)
	defer member.close()
	require.NoError(t, member.alone())
	p, err := o.planned(t.Context(), OffsetChange{Committed: 200, Sealed: 200})
	require.NoError(t, err)
	judged := e.openState(x.dir)
	seal, err := o.replayedSeal(judged, &p)
	require.NoError(t, err)

	y := e.start(t.TempDir(), func(c *Config) { c.Workers = 1 })
	require.Eventually(t, func() bool { return member.alone() != nil }, testTimeout, 10*time.Millisecond)
	err = member.replace(t.Context(), judged, seal, e.replayOf(0, p), &p, &Replaced{})
	require.ErrorContains(t, err, "nothing was written")
	require.NoError(t, judged.Close())
	require.Len(t, e.consume(e.names.Changelog), len(before))
	member.close()
	y.waitRunning(2)
	e.sendMany(200, 100)
	e.drain()
	e.requireExact()
	require.NoError(t, y.stop())
}

// The log has lost its beginning since: the state is another, which is said, and coverage has a gap that can be seen.
func TestReplaceStateOfPartOfTheLog(t *testing.T) {
	e := newEnv(t, 2)
	x := e.start(t.TempDir(), nil)
	e.sendMany(0, 300)
	e.drain()
	require.NoError(t, x.stop())
	e.leave()
	cut := kadm.Offsets{}
	cut.AddOffset(e.names.Input, 0, 120, -1)
	_, err := e.adm.DeleteRecords(t.Context(), cut)
	require.NoError(t, err)
	plans, err := PlanOffsets(t.Context(), e.offsetsConfig())
	require.NoError(t, err)
	stretch, err := ReplayStretch(t.Context(), e.offsetsConfig(), &plans[0])
	require.NoError(t, err)
	require.Equal(t, int64(120), stretch.From)

	dir := filepath.Join(t.TempDir(), "judged")
	e.judgeAgain(dir, 0, stretch.From, stretch.To)
	judged := e.openState(dir)
	done, err := ReplaceState(t.Context(), e.offsetsConfig(), e.replayOf(0, plans[0]), judged)
	require.NoError(t, err)
	require.NoError(t, judged.Close())
	require.False(t, done.Exact)
	o, err := openOffsets(t.Context(), e.offsetsConfig())
	require.NoError(t, err)
	defer o.cl.Close()
	known, err := o.judged(t.Context(), 0)
	require.NoError(t, err)
	seal, err := o.lastSeal(t.Context(), 0)
	require.NoError(t, err)
	require.Equal(t, int64(300), seal.Coverage.From)
	require.Equal(t, known.chain, seal.Coverage.ChainHead)
	require.Equal(t, plans[0].Sequence+1, seal.Sequence)

	y := e.start(t.TempDir(), nil)
	y.waitRunning(2)
	e.sendMany(300, 100)
	e.drain()
	require.NoError(t, y.stop())
	e.checkRebuilt(y.dir)
}

// Where judging goes on after a replay, and which ways out are offered.
func TestReplayTarget(t *testing.T) {
	for name, c := range map[string]struct {
		plan OffsetPlan
		want int64
	}{
		"nothing wrong":                 {OffsetPlan{Committed: 50, Sealed: 50}, 50},
		"the seal is believed first":    {OffsetPlan{Committed: 70, Sealed: 50, Cause: CauseBehind}, 50},
		"also where it is ahead":        {OffsetPlan{Committed: 30, Sealed: 50, Cause: CauseAhead}, 50},
		"no offset":                     {OffsetPlan{Committed: -1, Sealed: 50, Cause: CauseNoOffset}, 50},
		"no seal":                       {OffsetPlan{Committed: 50, Sealed: -1, Cause: CauseNoSeal}, 50},
		"a seal of somebody else":       {OffsetPlan{Committed: 50, Sealed: 80, Cause: CauseChangelog}, 50},
		"a seal of somebody else alone": {OffsetPlan{Committed: -1, Sealed: 80, Cause: CauseChangelog}, -1},
		"neither":                       {OffsetPlan{Committed: -1, Sealed: -1}, -1},
		"what was not judged is gone":   {OffsetPlan{Committed: 5, Sealed: 5, Cause: CauseOutOfRange}, 10},
		"what was judged is not there":  {OffsetPlan{Committed: 120, Sealed: 120}, 100},
		"another topic":                 {OffsetPlan{Committed: -1, Sealed: 50, Cause: CauseTopicID}, 10},
		"another number of partitions":  {OffsetPlan{Committed: 50, Sealed: 50, Cause: CauseCount}, -1},
		"the log is empty":              {OffsetPlan{Committed: 50, Sealed: 50, LogStart: 60, LogEnd: 60}, 60},
	} {
		if c.plan.LogEnd == 0 {
			c.plan.LogStart, c.plan.LogEnd = 10, 100
		}
		require.Equal(t, c.want, c.plan.target(), name)
		c.plan.Target = c.plan.target()
		c.plan.advise(ActionRebuild)
		c.plan.advise(ActionReplay)
		c.plan.advise(ActionReplay)
		want := []OffsetAction{ActionRebuild, ActionReplay}
		if c.want < 0 {
			want = want[:1]
		}
		require.Equal(t, want, c.plan.Actions, name)
	}
}

// judgeAgain makes a state folder of a stretch of the input, as package replay does.
func (e *env) judgeAgain(dir string, partition int32, from, to int64) {
	e.t.Helper()
	listed, err := e.adm.ListTopics(e.t.Context(), e.names.Input)
	require.NoError(e.t, err)
	id := [16]byte(listed[e.names.Input].ID)
	store, err := state.Open(state.Config{Dir: dir, HeadIndex: window.HeadIndex, Now: time.Now})
	require.NoError(e.t, err)
	lease, err := store.Acquire(e.t.Context(), statePartition(partition), "test")
	require.NoError(e.t, err)
	part := e.engine.NewPartition(engine.PartitionConfig{
		Partition: partition, Partitions: e.partitions, TopicID: id, Start: from, Loader: LeaseLoader{Lease: lease},
	})
	var fx engine.Effects
	var scratch engine.Scratch
	var prepared engine.Prepared
	r := readlog.Reader{Kafka: []kgo.Opt{kgo.SeedBrokers(e.addrs...)}, Topic: e.names.Input}
	require.NoError(e.t, r.Read(e.t.Context(), map[int32]readlog.Range{partition: {From: from, To: to}},
		func(rec *kgo.Record) error {
			er := engine.Record{Offset: rec.Offset, Timestamp: recordTime(rec.Timestamp), Key: rec.Key, Value: rec.Value}
			e.engine.Prepare(&er, &scratch, &prepared)
			done, err := part.Advance(er.Timestamp, 1<<30, &fx)
			require.NoError(e.t, err)
			require.True(e.t, done)
			return part.Step(&prepared, &fx)
		}))
	stage := store.NewStage()
	require.NoError(e.t, part.Changes(func(key []byte, old window.Index, c window.Change) error {
		_, err := stage.Change(lease, key, old, c)
		return err
	}))
	seal, err := stage.Seal(lease, part.SealFields())
	require.NoError(e.t, err)
	require.NoError(e.t, stage.Apply(map[state.Partition]state.ChangelogPosition{
		statePartition(partition): {TopicID: id, Next: seal.Next},
	}))
	lease.Release()
	require.NoError(e.t, store.Close())
}
