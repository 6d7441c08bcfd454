package processor

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kversion"

	"tocsin/topics"
)

func (x *process) partition(id int32) PartitionHealth {
	for _, p := range x.p.Health().Partitions {
		if p.Partition == id {
			return p
		}
	}
	return PartitionHealth{}
}

func (x *process) waitStopped(id int32, cause Cause) PartitionHealth {
	x.e.t.Helper()
	require.Eventually(x.e.t, func() bool {
		return x.partition(id).State == Stopped
	}, testTimeout, 10*time.Millisecond, "%+v", x.p.Health())
	p := x.partition(id)
	require.Equal(x.e.t, cause, p.Cause, p.Detail)
	return p
}

// refused waits until the partition has been restored, and wants to see it stopped and not let run.
func (x *process) refused(id int32, cause Cause) PartitionHealth {
	x.e.t.Helper()
	var p PartitionHealth
	require.Eventually(x.e.t, func() bool {
		p = x.partition(id)
		return p.State == Stopped || p.State == Running
	}, testTimeout, 10*time.Millisecond, "%+v", x.p.Health())
	require.Equal(x.e.t, Stopped, p.State, "the partition runs")
	require.Equal(x.e.t, cause, p.Cause, p.Detail)
	return p
}

// leave ends the static members at once, as their session timeout would.
func (e *env) leave() {
	e.t.Helper()
	_, err := e.adm.LeaveGroup(e.t.Context(), kadm.LeaveGroup("test").InstanceIDs("test-one-0", "test-one-1"))
	require.NoError(e.t, err)
}

func (e *env) moveOffset(partition int32, to int64) {
	e.t.Helper()
	set := kadm.Offsets{}
	set.AddOffset(e.names.Input, partition, to, -1)
	require.NoError(e.t, e.adm.CommitAllOffsets(e.t.Context(), "test", set))
}

func (e *env) offsetsConfig() OffsetsConfig {
	return OffsetsConfig{App: "test", Kafka: []kgo.Opt{kgo.SeedBrokers(e.addrs...)}, Topics: e.names,
		StallAfter: 5 * time.Second}
}

// Somebody moves the offsets of one partition, back and forth. It stops, the others go on; the plan says so, and when
// it is applied everything goes on without a gap.
func TestStopsOnMovedOffsets(t *testing.T) {
	for name, c := range map[string]struct {
		to    int64
		cause Cause
	}{"back": {50, CauseAhead}, "forward": {110, CauseBehind}} {
		t.Run(name, func(t *testing.T) {
			e := newEnv(t, 3)
			x := e.start(t.TempDir(), nil)
			e.sendMany(0, 100)
			e.drain()
			require.NoError(t, x.stop())
			e.leave()
			e.moveOffset(1, c.to)
			e.sendMany(100, 50)

			y := e.start(x.dir, nil)
			p := y.refused(1, c.cause)
			require.Contains(t, p.Detail, "tocsin offsets plan")
			require.Eventually(t, func() bool {
				at := e.committed()
				return at[0] == 150 && at[2] == 150
			}, testTimeout, 10*time.Millisecond)
			require.Equal(t, c.to, e.committed()[1])
			require.False(t, y.p.Health().Ready)
			plans, err := PlanOffsets(t.Context(), e.offsetsConfig())
			require.NoError(t, err)
			require.Equal(t, CauseNone, plans[0].Cause)
			require.Equal(t, c.cause, plans[1].Cause)
			require.Equal(t, []OffsetAction{ActionSetOffset, ActionReplay}, plans[1].Actions)
			require.Equal(t, int64(100), plans[1].Sealed)

			change := OffsetChange{Partition: 1, Action: ActionSetOffset, Committed: c.to, Sealed: 100, Who: "ann"}
			require.ErrorContains(t, ApplyOffsets(t.Context(), e.offsetsConfig(), []OffsetChange{change}), "stop all processors")
			require.NoError(t, y.stop())
			e.leave()
			old := change
			old.Sealed = 99
			require.ErrorContains(t, ApplyOffsets(t.Context(), e.offsetsConfig(), []OffsetChange{old}), "out of date")
			require.NoError(t, ApplyOffsets(t.Context(), e.offsetsConfig(), []OffsetChange{change}))
			var applied []string
			for _, r := range e.consume(e.names.Seals) {
				if strings.HasPrefix(string(r.Key), "offsets/") {
					applied = append(applied, string(r.Value))
				}
			}
			require.Len(t, applied, 1)
			require.Contains(t, applied[0], `"who":"ann"`)

			z := e.start(x.dir, nil)
			e.drain()
			e.requireExact()
			require.NoError(t, z.stop())
		})
	}
}

// One of seal and committed offset without the other stops; so does another input topic.
func TestStopsWithoutOffsetOrSeal(t *testing.T) {
	e := newEnv(t, 2)
	x := e.start(t.TempDir(), nil)
	e.sendMany(0, 60)
	e.drain()
	require.NoError(t, x.stop())
	e.leave()
	set := kadm.TopicsSet{}
	set.Add(e.names.Input, 0)
	_, err := e.adm.DeleteOffsets(t.Context(), "test", set)
	require.NoError(t, err)
	y := e.start(x.dir, nil)
	y.refused(0, CauseNoOffset)
	require.NoError(t, y.stop())
	e.leave()
	_, err = e.adm.DeleteRecords(t.Context(), func() kadm.Offsets {
		ends, err := e.adm.ListEndOffsets(t.Context(), e.names.Changelog)
		require.NoError(t, err)
		end, _ := ends.Lookup(e.names.Changelog, 1)
		o := kadm.Offsets{}
		o.AddOffset(e.names.Changelog, 1, end.Offset, -1)
		return o
	}())
	require.NoError(t, err)
	z := e.start(t.TempDir(), nil)
	z.refused(1, CauseNoSeal)
	require.NoError(t, z.stop())
}

// Records are deleted before they were judged: no silent jump.
func TestStopsOutOfRange(t *testing.T) {
	e := newEnv(t, 2)
	x := e.start(t.TempDir(), nil)
	e.sendMany(0, 60)
	e.drain()
	require.NoError(t, x.stop())
	e.sendMany(60, 60)
	cut := kadm.Offsets{}
	cut.AddOffset(e.names.Input, 1, 90, -1)
	_, err := e.adm.DeleteRecords(t.Context(), cut)
	require.NoError(t, err)
	y := e.start(x.dir, nil)
	y.waitStopped(1, CauseOutOfRange)
	require.Eventually(t, func() bool { return e.committed()[0] == 120 }, testTimeout, 10*time.Millisecond)
	require.Equal(t, int64(60), e.committed()[1])
	plans, err := PlanOffsets(t.Context(), e.offsetsConfig())
	require.NoError(t, err)
	require.Equal(t, CauseOutOfRange, plans[1].Cause)
	require.NoError(t, y.stop())
}

// A transaction that is open on the changelog holds up its partition's restore, by name, and nothing else.
func TestOpenTransactionOnChangelog(t *testing.T) {
	e := newEnv(t, 2)
	x := e.start(t.TempDir(), nil)
	e.sendMany(0, 60)
	e.drain()
	require.NoError(t, x.stop())

	hung, err := kgo.NewClient(kgo.SeedBrokers(e.addrs...), kgo.TransactionalID("hung-one"),
		kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.TransactionTimeout(time.Minute))
	require.NoError(t, err)
	defer hung.Close()
	require.NoError(t, hung.BeginTransaction())
	require.NoError(t, hung.ProduceSync(t.Context(), &kgo.Record{
		Topic: e.names.Changelog, Partition: 1, Key: []byte(topics.SealKey), Value: []byte("x")}).FirstErr())

	y := e.start(t.TempDir(), func(c *Config) { c.StallAfter = 300 * time.Millisecond })
	y.waitRunning(1)
	require.Eventually(t, func() bool {
		return strings.Contains(y.partition(1).Detail, "hung-one")
	}, testTimeout, 10*time.Millisecond, "%+v", y.p.Health())
	require.Equal(t, Restoring, y.partition(1).State)
	require.NoError(t, hung.EndTransaction(t.Context(), kgo.TryAbort))
	y.waitRunning(2)
	e.sendMany(60, 40)
	e.drain()
	e.requireExact()
	require.NoError(t, y.stop())
}

// A transaction that somebody has open on the changelog hides everything behind it from readers of committed records,
// and what was committed meanwhile is there. A restore reads to the end of the log, so it waits; one that stopped where
// reading ends would find less than the group has committed, and take state for lost.
func TestRestoreReadsBehindOpenTransaction(t *testing.T) {
	e := newEnv(t, 1)
	x := e.start(t.TempDir(), nil)
	e.sendMany(0, 60)
	e.drain()
	hung, err := kgo.NewClient(kgo.SeedBrokers(e.addrs...), kgo.TransactionalID("hung-one"),
		kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.TransactionTimeout(time.Minute))
	require.NoError(t, err)
	defer hung.Close()
	require.NoError(t, hung.BeginTransaction())
	require.NoError(t, hung.ProduceSync(t.Context(), &kgo.Record{
		Topic: e.names.Changelog, Partition: 0, Key: []byte(topics.SealKey), Value: []byte("x")}).FirstErr())
	e.sendMany(60, 60)
	e.drain()
	require.NoError(t, x.stop())
	for _, dir := range []string{x.dir, t.TempDir()} { // its tail, and in full
		y := e.start(dir, func(c *Config) { c.StallAfter = 300 * time.Millisecond })
		var p PartitionHealth
		require.Eventually(t, func() bool {
			p = y.partition(0)
			return p.State == Running && dir == x.dir || p.State == Stopped || strings.Contains(p.Detail, "hung-one")
		}, testTimeout, time.Millisecond, "%+v", y.p.Health())
		require.NotEqual(t, Stopped, p.State, p.Detail)
		require.NoError(t, y.stop())
		e.leave()
	}
	require.NoError(t, hung.EndTransaction(t.Context(), kgo.TryAbort))
	y := e.start(t.TempDir(), nil)
	e.drain()
	e.requireExact()
	require.NoError(t, y.stop())
}

// The partition of a group is Kafka's.
func TestGroupPartition(t *testing.T) {
	// "polygenelubricants".hashCode() is Integer.MIN_VALUE, without its sign 0.
	require.Equal(t, int32(0), groupPartition("polygenelubricants", 50))
	require.Equal(t, int32(97%50), groupPartition("a", 50))
	require.Equal(t, int32((97*31+98)%50), groupPartition("ab", 50))
}

// Two processes of one name: one of them ends and says why.
func TestFencedInstance(t *testing.T) {
	e := newEnv(t, 2)
	x := e.start(t.TempDir(), func(c *Config) { c.Workers = 1 })
	e.sendMany(0, 40)
	e.drain()
	y := e.start(t.TempDir(), func(c *Config) { c.Workers = 1 })
	var gone, stays *process
	select {
	case <-x.done:
		gone, stays = x, y
	case <-y.done:
		gone, stays = y, x
	case <-time.After(testTimeout):
		t.Fatal("both run on")
	}
	require.ErrorIs(t, gone.err, ErrFenced)
	require.ErrorContains(t, gone.err, "test-one-0")
	e.sendMany(40, 40)
	e.drain()
	e.requireExact()
	require.NoError(t, stays.stop())
}

// Workers that do not exist any more leave at the next start.
func TestSurplusMembersLeave(t *testing.T) {
	require.Equal(t, []string{"a-b-2", "a-b-10"},
		surplusMembers([]string{"a-b-0", "a-b-1", "a-b-2", "a-b-10", "a-bc-7", "a-b-x", "other-9"}, "a-b-", 2))
	e := newEnv(t, 4)
	x := e.start(t.TempDir(), func(c *Config) { c.Workers, c.Session = 2, 30*time.Second })
	x.waitRunning(4)
	require.Eventually(t, func() bool { return x.p.Health().Ready }, testTimeout, 10*time.Millisecond)
	require.NoError(t, x.stop())
	began := time.Now()
	y := e.start(x.dir, func(c *Config) { c.Workers, c.Session = 1, 30*time.Second })
	y.waitRunning(4)
	require.Less(t, time.Since(began), 15*time.Second)
	require.NoError(t, y.stop())
}

// What is wrong with the cluster is said at the start, with the remedy.
func TestStartUp(t *testing.T) {
	run := func(x *process) error {
		ctx, cancel := context.WithTimeout(t.Context(), testTimeout)
		defer cancel()
		return x.p.Run(ctx)
	}
	t.Run("topic missing", func(t *testing.T) {
		e := newEnv(t, 2)
		_, err := e.adm.DeleteTopic(t.Context(), e.names.Seals)
		require.NoError(t, err)
		x := e.prepare(t.TempDir(), nil)
		defer func() { require.NoError(t, x.store.Close()) }()
		err = run(x)
		require.ErrorIs(t, err, ErrTopics)
		require.ErrorContains(t, err, "tocsin topics init")
	})
	t.Run("partitions differ", func(t *testing.T) {
		e := newEnv(t, 2)
		_, err := e.adm.UpdatePartitions(t.Context(), 3, e.names.Input)
		require.NoError(t, err)
		x := e.prepare(t.TempDir(), nil)
		defer func() { require.NoError(t, x.store.Close()) }()
		require.ErrorContains(t, run(x), "partitions is 2, must be 3")
	})
	t.Run("producers set record times", func(t *testing.T) {
		e := newEnv(t, 2)
		x := e.prepare(t.TempDir(), func(c *Config) { c.TrustCreateTime = false })
		defer func() { require.NoError(t, x.store.Close()) }()
		require.ErrorContains(t, run(x), "trust_create_time")
	})
	t.Run("transactions of version 1", func(t *testing.T) {
		e := newEnv(t, 2, kfake.MaxVersions(kversion.V3_9_0()))
		x := e.prepare(t.TempDir(), nil)
		defer func() { require.NoError(t, x.store.Close()) }()
		require.ErrorContains(t, run(x), "allow_transaction_v1")
		e.always = func(c *Config) { c.AllowTransaction1 = true }
		y := e.start(t.TempDir(), nil)
		e.sendMany(0, 100)
		e.drain()
		e.requireExact()
		require.NotEmpty(t, y.p.Health().Warnings)
		require.NoError(t, y.stop())
		e.checkRebuilt(y.dir)
	})
	t.Run("partitions added while running", func(t *testing.T) {
		e := newEnv(t, 2)
		x := e.start(t.TempDir(), nil)
		x.waitRunning(2)
		_, err := e.adm.UpdatePartitions(t.Context(), 3, e.names.Input)
		require.NoError(t, err)
		select {
		case <-x.done:
		case <-time.After(testTimeout):
			t.Fatal("runs on")
		}
		require.ErrorIs(t, x.err, ErrTopics)
		require.ErrorContains(t, x.err, "has 3 partitions now, 2 when")
	})
}
