package processor

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"tocsin/state/window"
	"tocsin/topics"
	"tocsin/topics/readlog"
)

// follow is a process that follows what it does not own.
func follow(instance string) func(*Config) {
	return func(c *Config) { c.Instance, c.Workers, c.Standby = instance, 1, true }
}

// waitFollowing waits until a process owns a number of partitions and follows the others to their end.
func (x *process) waitFollowing(owned int) {
	x.e.t.Helper()
	require.Eventually(x.e.t, func() bool {
		h := x.p.Health()
		if x.running() != owned || len(h.Standby) != int(x.e.partitions)-owned {
			return false
		}
		for _, s := range h.Standby {
			if s.State != StandbyFollowing || s.Lag != 0 {
				return false
			}
		}
		return true
	}, testTimeout, 10*time.Millisecond, "%+v", x.p.Health())
}

// A process is killed, and another that has followed it reads only the last transactions of what it takes over.
func TestStandbyTakesOver(t *testing.T) {
	e := newEnv(t, 4)
	one := e.start(t.TempDir(), follow("one"))
	e.sendMany(0, 150)
	e.drain()
	two := e.start(t.TempDir(), follow("two"))
	require.Eventually(t, func() bool { // input goes on while partitions move
		e.sendMany(150+e.extra, 20)
		e.extra += 20
		return two.running() == 2 && one.running() == 2
	}, testTimeout, 20*time.Millisecond)
	from := 150 + e.extra
	e.sendMany(from, 100)
	e.drain()
	one.waitFollowing(2)
	two.waitFollowing(2)
	mine := make(map[int32]bool)
	for _, p := range two.p.Health().Partitions {
		mine[p.Partition] = true
	}
	before := len(two.log.find("restored"))
	one.crash()
	e.sendMany(from+100, 100)
	two.waitRunning(4)
	require.Empty(t, two.p.Health().Standby)
	e.drain()
	e.requireExact()
	taken := 0
	for _, line := range two.log.restored(before) {
		if mine[int32(two.log.number(line, "partition"))] {
			continue // from one of its workers to another
		}
		taken++
		require.Equal(t, "tail", line["mode"], "%v", line)
		require.LessOrEqual(t, two.log.number(line, "transactions"), 2, "%v", line)
	}
	require.Equal(t, 2, taken)
	require.NoError(t, two.stop())
	e.checkRebuilt(two.dir)
}

// What a standby has in its store is what was committed, at a seal: a transaction that is open, or aborted, is not in
// it.
func TestStandbyIsNotAhead(t *testing.T) {
	e := newEnv(t, 2)
	one := e.start(t.TempDir(), func(c *Config) { c.Workers = 1 })
	e.sendMany(0, 100)
	e.drain()
	// The other process owns nothing: the group is full with static members of one.
	two := e.prepare(t.TempDir(), follow("two"))
	ctx, cancel := context.WithCancel(t.Context())
	require.NoError(t, two.p.connect(ctx))
	require.NoError(t, two.p.startUp(ctx))
	done := make(chan error)
	go func() { done <- two.p.standby.run(ctx) }()
	following := func() {
		t.Helper()
		require.Eventually(t, func() bool {
			h := two.p.Health().Standby
			return len(h) == 2 && h[0].State == StandbyFollowing && h[1].State == StandbyFollowing && h[0].Lag+h[1].Lag == 0
		}, testTimeout, 10*time.Millisecond, "%+v", two.p.Health().Standby)
	}
	following()
	require.Equal(t, one.digest(), two.digest())

	open, err := kgo.NewClient(kgo.SeedBrokers(e.addrs...), kgo.TransactionalID("open"),
		kgo.RecordPartitioner(kgo.ManualPartitioner()))
	require.NoError(t, err)
	defer open.Close()
	require.NoError(t, open.BeginTransaction())
	key := topics.AppendHead(topics.AppendGroupKey(nil, topics.SpacePrincipal, []byte("acme"), []byte("u0-1")))
	require.NoError(t, open.ProduceSync(t.Context(), &kgo.Record{
		Topic: e.names.Changelog, Partition: 1, Key: key, Value: []byte("x")}).FirstErr())
	pinned, _ := two.position(1)
	e.sendMany(100, 100) // committed behind the open transaction
	e.drain()
	require.Eventually(t, func() bool { at, _ := two.position(0); return at == 200 }, testTimeout, 5*time.Millisecond)
	at, _ := two.position(1)
	require.Equal(t, pinned, at, "the last stable offset is the end for a standby")
	require.NoError(t, open.EndTransaction(t.Context(), kgo.TryAbort))
	require.Eventually(t, func() bool { at, _ := two.position(1); return at == 200 }, testTimeout, 5*time.Millisecond)
	require.Equal(t, one.digest(), two.digest())
	for id := range e.partitions {
		require.NoError(t, two.store.Verify(statePartition(id)))
		ends, err := readlog.Bounds(t.Context(), e.adm, e.names.Changelog, id)
		require.NoError(t, err)
		_, next := two.position(id)
		require.LessOrEqual(t, next, ends[id].To)
	}

	// A committed record of somebody else is not followed, and said.
	require.NoError(t, e.client.ProduceSync(t.Context(), &kgo.Record{
		Topic: e.names.Changelog, Partition: 0, Key: key, Value: []byte("x")}).FirstErr())
	e.sendMany(200, 50)
	e.drain()
	require.Eventually(t, func() bool {
		h := two.p.Health().Standby[0]
		return h.State == StandbyWaiting && strings.Contains(h.Detail, "foreign record")
	}, testTimeout, 10*time.Millisecond, "%+v", two.p.Health().Standby)
	at, _ = two.position(0)
	require.Equal(t, int64(200), at)
	cancel()
	require.NoError(t, <-done)
	two.p.admin.Close()
	require.NoError(t, two.store.Close())
	require.NoError(t, one.stop())
}

// position gives the input offset and the changelog offset that a store holds.
func (x *process) position(id int32) (next, changelog int64) {
	x.e.t.Helper()
	infos, err := x.store.Partitions()
	require.NoError(x.e.t, err)
	for _, i := range infos {
		if i.Partition == statePartition(id) {
			return i.Position.Seal.Next, i.Position.ChangelogNext
		}
	}
	return -1, -1
}

// Partitions go back and forth between two processes that follow each other, under load: a lease is given up at once,
// and nothing is judged twice or lost.
func TestStandbyHandsOver(t *testing.T) {
	e := newEnv(t, 4)
	e.always = func(c *Config) { c.RestoreChunkBytes = 4 << 10 }
	one := e.start(t.TempDir(), follow("one"))
	dir := t.TempDir()
	from := 0
	send := func() {
		e.sendMany(from, 20)
		from += 20
	}
	send()
	for round := range 4 {
		two := e.start(dir, follow("two"))
		require.Eventually(t, func() bool {
			send()
			return two.running() > 0
		}, testTimeout, 10*time.Millisecond)
		if round%2 == 0 {
			require.NoError(t, two.stop())
			dir = two.dir
		} else {
			dir = two.crash()
		}
		// As its session's end would.
		_, err := e.adm.LeaveGroup(t.Context(), kadm.LeaveGroup("test").InstanceIDs("test-two-0"))
		require.NoError(t, err)
		require.Eventually(t, func() bool {
			send()
			return one.running() == 4
		}, testTimeout, 10*time.Millisecond, "%+v", one.p.Health())
	}
	e.drain()
	e.requireExact()
	require.NoError(t, one.stop())
	e.checkRebuilt(one.dir)
}

// The moments at which a partition can be taken from a follower, one by one.
func TestStandbyYields(t *testing.T) {
	e := newEnv(t, 2)
	one := e.start(t.TempDir(), func(c *Config) { c.Workers = 1 })
	e.sendMany(0, 200)
	e.drain()
	want := one.digest()
	require.NoError(t, one.stop())

	two := e.prepare(t.TempDir(), follow("two"))
	require.NoError(t, two.p.connect(t.Context()))
	require.NoError(t, two.p.startUp(t.Context()))
	defer two.p.admin.Close()
	s := two.p.standby
	living, f := s.claim(t.Context(), 0)
	require.NotNil(t, f)
	_, second := s.claim(t.Context(), 0)
	require.Nil(t, second, "it has one")
	logs, err := readlog.Bounds(t.Context(), e.adm, e.names.Changelog)
	require.NoError(t, err)
	require.ErrorIs(t, f.open(living, logs[0], false), errNeedsFull)
	s.end(f)
	living, f = s.claim(t.Context(), 0)
	s.take(0)
	require.Error(t, f.open(living, logs[0], true), "taken meanwhile")
	s.yield(0)
	require.Equal(t, []int32{1}, s.idle())
	_, second = s.claim(t.Context(), 0)
	require.Nil(t, second, "it is a worker's")
	lease, err := two.store.Acquire(t.Context(), statePartition(0), "worker")
	require.NoError(t, err, "given up at once")
	s.free(0)
	require.Equal(t, []int32{0, 1}, s.idle())
	living, f = s.claim(t.Context(), 0)
	require.ErrorIs(t, f.open(living, logs[0], true), errLeased, "the worker is not quite done")
	s.end(f)
	lease.Release()
	living, f = s.claim(t.Context(), 0)
	require.NoError(t, f.open(living, logs[0], true))
	require.Equal(t, logs[0].To, f.get().Next)
	s.take(0)
	s.yield(0)
	s.yield(0)
	require.NoError(t, f.feed(&kgo.FetchTopicPartition{}), "what was polled for it is dropped")
	require.Equal(t, strings.SplitAfter(want, "\n")[0], strings.SplitAfter(two.digestOf(0), "\n")[0])
	require.NoError(t, two.store.Close())
}

func (x *process) digestOf(id int32) string {
	x.e.t.Helper()
	d, err := x.store.Digest(statePartition(id), func(window.Index) bool { return true })
	require.NoError(x.e.t, err)
	return fmt.Sprintf("%d: %+v\n", id, d)
}
