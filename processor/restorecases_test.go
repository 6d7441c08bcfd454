package processor

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"tocsin/state"
	"tocsin/topics"
)

// Where each case of a restore is tested. Oracles: requireExact judges the input again in one go; digests are compared
// with those of a restore in full; a stop is compared with its cause, and the way out is gone to its end.
//
//	open transaction pins the last stable offset      TestRestoreReadsPastTheStableOffset
//	marker in flight while offsets are stable         TestRestoreWaitsForMarker; TestRealKafka
//	hanging transaction: deadline, and its name       TestOpenTransactionOnChangelog; TestRestoreOnKafka
//	truncated changelog                               TestRestoreOnKafka
//	position older than the changelog's start         TestRestoreOfOldState; TestReplaceState
//	position older than delete retention              TestRestoreOfOldState; state.TestOldRecordsGo
//	committed offset missing while seals exist        TestStopsWithoutOffsetOrSeal, TestOffsetsOfLostGroup
//	seals missing while an offset is committed        TestStopsWithoutOffsetOrSeal, TestReplaceStateAfterTheCut
//	offsets moved back or forward, and the way out    TestStopsOnMovedOffsets
//	idle partition, malformed records only            TestRestoreOfIdlePartitions
//	partition count changed                           TestRestoreOfOtherCount; TestStartUp (while running)
//	topic created anew                                TestRestoreOfOtherTopic
//	interrupted full restore resumes                  TestRestoreResumes; state.TestInterruptedFullRestore
//	corrupt table: that partition is rebuilt          TestRestoreOfDamagedState; state.TestDamagedTable
//	corrupt store: put aside, everything is rebuilt   TestRestoreOfDamagedState; state.TestDamagedStore
//	records that no seal accounts for                 TestForeignProducer; state.TestForeignRecord
//	state that was altered and still can be read      TestRestoreOfAlteredState; state.TestTailOverDamagedState

// The tests named above are there.
func TestRestoreCasesAreTested(t *testing.T) {
	read := func(pattern string) (text string) {
		paths, err := filepath.Glob(pattern)
		require.NoError(t, err)
		for _, path := range paths {
			b, err := os.ReadFile(path)
			require.NoError(t, err)
			text += string(b)
		}
		return text
	}
	functions := map[string]string{"": read("*_test.go"), "state.": read("../state/*_test.go")}
	named := 0
	for line := range strings.Lines(read("restorecases_test.go")) {
		if !strings.HasPrefix(line, "//\t") {
			continue
		}
		for _, name := range regexp.MustCompile(`(state\.)?(Test\w+)`).FindAllStringSubmatch(line, -1) {
			require.Contains(t, functions[name[1]], "\nfunc "+name[2]+"(t *testing.T) {", "%s", line)
			named++
		}
	}
	require.Greater(t, named, 20)
}

// A transaction of somebody else has been open on the changelog since before the last transactions of ours. A restore
// that read to the last stable offset would take a part for the whole.
func TestRestoreReadsPastTheStableOffset(t *testing.T) {
	e := newEnv(t, 2)
	x := e.start(t.TempDir(), func(c *Config) { c.Workers = 1 }) // nothing moves while the transaction is open
	e.sendMany(0, 100)
	e.drain()
	open, err := kgo.NewClient(kgo.SeedBrokers(e.addrs...), kgo.TransactionalID("pins"),
		kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.TransactionTimeout(time.Minute))
	require.NoError(t, err)
	defer open.Close()
	require.NoError(t, open.BeginTransaction())
	for id := range e.partitions {
		require.NoError(t, open.ProduceSync(t.Context(), &kgo.Record{
			Topic: e.names.Changelog, Partition: id, Key: []byte("whatever"), Value: []byte("x")}).FirstErr())
	}
	e.sendMany(100, 100)
	e.drain()
	want := x.digest()
	require.NoError(t, x.stop())
	stable, err := e.adm.ListCommittedOffsets(t.Context(), e.names.Changelog)
	require.NoError(t, err)
	ends, err := e.adm.ListEndOffsets(t.Context(), e.names.Changelog)
	require.NoError(t, err)
	for id := range e.partitions {
		s, _ := stable.Lookup(e.names.Changelog, id)
		h, _ := ends.Lookup(e.names.Changelog, id)
		require.Less(t, s.Offset, h.Offset)
	}

	var mu sync.Mutex
	checked := false
	y := e.start(t.TempDir(), func(c *Config) {
		c.StallAfter = 300 * time.Millisecond
		c.Probe = func(at Point, _ int32) {
			mu.Lock()
			defer mu.Unlock()
			checked = checked || at == PointSealChecked
		}
	})
	require.Eventually(t, func() bool {
		return strings.Contains(y.partition(0).Detail, `"pins"`) && strings.Contains(y.partition(1).Detail, `"pins"`)
	}, testTimeout, 10*time.Millisecond, "%+v", y.p.Health())
	mu.Lock()
	require.False(t, checked, "nothing may be concluded yet")
	mu.Unlock()
	require.NoError(t, open.EndTransaction(t.Context(), kgo.TryAbort))
	y.waitRunning(2)
	require.Equal(t, want, y.digest())
	require.NoError(t, y.stop())
	e.leave()

	// The same for what reads on from a stored position.
	z := e.start(x.dir, nil)
	z.waitRunning(2)
	require.Equal(t, want, z.digest())
	e.sendMany(200, 50)
	e.drain()
	e.requireExact()
	require.NoError(t, z.stop())
}

// A process dies when its transaction is decided: the group's offset is stable, the changelog's marker is still on its
// way. The restore waits for it, and takes the transaction in.
func TestRestoreWaitsForMarker(t *testing.T) {
	e := newEnv(t, 1)
	dir := t.TempDir()
	var x *process
	died := make(chan string, 1)
	x = e.prepare(dir, func(c *Config) {
		c.Workers, c.Transaction, c.EndTimeout = 1, 5*time.Second, 8*time.Second
		c.Probe = func(at Point, _ int32) {
			if at != PointOffsets || e.committed()[0] < 50 || len(died) > 0 {
				return
			}
			x.net.cut() // all of its records are there, and nothing has been said of offsets or of an end
			image := filepath.Join(t.TempDir(), "image")
			copyDir(t, dir, image)
			died <- image
		}
	})
	x.run()
	e.sendMany(0, 60)
	e.drain()
	e.sendMany(60, 60)
	image := <-died
	_ = x.stop()
	// What a coordinator does first: the offsets, on its own partition.
	e.leave()
	described, err := e.adm.DescribeTransactions(t.Context(), "test-one-0")
	require.NoError(t, err)
	txn := described["test-one-0"]
	require.Equal(t, "Ongoing", txn.State)
	at := e.openSeal()
	e.moveOffset(0, at.Next)

	y := e.start(image, func(c *Config) { c.Instance, c.StallAfter = "two", 300*time.Millisecond })
	require.Eventually(t, func() bool {
		return strings.Contains(y.partition(0).Detail, "test-one-0")
	}, testTimeout, 10*time.Millisecond, "%+v", y.p.Health())
	require.Equal(t, Restoring, y.partition(0).State, "it is not taken for a loss of state")
	// And then the markers.
	end := kmsg.NewPtrEndTxnRequest()
	end.TransactionalID, end.ProducerID, end.ProducerEpoch, end.Commit = txn.TxnID, txn.ProducerID, txn.ProducerEpoch, true
	resp, err := end.RequestWith(t.Context(), e.client)
	require.NoError(t, err)
	require.NoError(t, kerr.ErrorForCode(resp.ErrorCode))
	y.waitRunning(1)
	line := y.log.find("restored")[0]
	require.Equal(t, "tail", line["mode"])
	require.Equal(t, 1, y.log.number(line, "transactions"))
	e.drain()
	e.requireExact()
	require.NoError(t, y.stop())
}

// openSeal reads the seal at the very end of partition 0 of the changelog, committed or not.
func (e *env) openSeal() topics.Seal {
	e.t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(e.addrs...), kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{
		e.names.Changelog: {0: kgo.NewOffset().AtStart()},
	}))
	require.NoError(e.t, err)
	defer cl.Close()
	ends, err := e.adm.ListEndOffsets(e.t.Context(), e.names.Changelog)
	require.NoError(e.t, err)
	end, _ := ends.Lookup(e.names.Changelog, 0)
	var seal topics.Seal
	for next := int64(0); next < end.Offset; {
		for _, r := range cl.PollFetches(e.t.Context()).Records() {
			if next = r.Offset + 1; topics.IsSealKey(r.Key) {
				seal, err = topics.DecodeSeal(r.Value)
				require.NoError(e.t, err)
			}
		}
	}
	return seal
}

// A state folder that was away for longer than tombstones are kept, or than the log reaches back: what was deleted
// meanwhile would come back. It is restored in full.
func TestRestoreOfOldState(t *testing.T) {
	e := newEnv(t, 2)
	x := e.start(t.TempDir(), nil)
	e.sendMany(0, 100)
	e.drain()
	require.NoError(t, x.stop())
	old, older := filepath.Join(t.TempDir(), "old"), filepath.Join(t.TempDir(), "older")
	copyDir(t, x.dir, old)
	copyDir(t, x.dir, older)

	y := e.start(x.dir, nil)
	for round := range 3 { // the first closes what is open, which is a write; then it expires
		later := (round + 1) * 30 * 24 * 3600
		for id := range e.partitions {
			e.send(id, later, login("late", later, fmt.Sprintf("late-%d-%d", id, round)))
		}
		e.drain()
	}
	want := y.digest()
	require.NoError(t, y.stop())
	tombstones := func() (n int) {
		for _, r := range e.consume(e.names.Changelog) {
			if r.Value == nil {
				n++
			}
		}
		return n
	}
	require.Positive(t, tombstones())
	restored := func(dir, why string, change func(*Config)) {
		t.Helper()
		z := e.start(dir, change)
		z.waitRunning(2)
		lines := z.log.restored(0)
		require.Len(t, lines, 2)
		for _, line := range lines {
			require.Equal(t, "full", line["mode"])
			require.Contains(t, line["why"], why)
		}
		require.Equal(t, want, z.digest())
		require.NoError(t, z.stop())
		e.leave()
	}
	restored(old, "deletions may be missing", func(c *Config) { c.StateMaxAge = time.Nanosecond })
	// The broker forgets what was deleted, and then the beginning of the log, in which nothing is left.
	e.compactChangelog()
	require.Zero(t, tombstones())
	at := make(map[int32]int64)
	for _, r := range slices.Backward(e.consume(e.names.Changelog)) {
		at[r.Partition] = r.Offset
	}
	first := kadm.Offsets{}
	for id, offset := range at {
		first.AddOffset(e.names.Changelog, id, offset, -1)
	}
	_, err := e.adm.DeleteRecords(t.Context(), first)
	require.NoError(t, err)
	restored(older, "the changelog no longer has the local position", nil)
}

// compactChangelog lets the cleaner run, twice: tombstones go the second time. All revisions of alerts stay.
func (e *env) compactChangelog() {
	e.t.Helper()
	set := func(topic string, configs map[string]string) {
		var all []kadm.AlterConfig
		for name, value := range configs {
			all = append(all, kadm.AlterConfig{Op: kadm.SetConfig, Name: name, Value: &value})
		}
		_, err := e.adm.AlterTopicConfigs(e.t.Context(), all, topic)
		require.NoError(e.t, err)
	}
	set(e.names.Alerts, map[string]string{"cleanup.policy": "delete"})
	set(e.names.Changelog, map[string]string{
		"delete.retention.ms": "0", "min.cleanable.dirty.ratio": "0", "segment.ms": "1",
	})
	e.cluster.Compact()
	e.cluster.Compact()
	specs, err := topics.Specs(topics.SpecConfig{
		App: "test", Names: topics.DefaultNames(), InputPartitions: e.partitions, ReplicationFactor: 1, MinISR: 1,
		InputMaxMessageBytes: 1 << 20, TrustCreateTime: true,
	})
	require.NoError(e.t, err)
	for _, spec := range specs { // a processor insists on them
		configs := make(map[string]string)
		for _, c := range spec.Configs {
			configs[c.Key] = c.Value
		}
		if spec.Name == e.names.Alerts || spec.Name == e.names.Changelog {
			set(spec.Name, configs)
		}
	}
}

// Partitions without records, and with records that change nothing, come up again as they went: with and without their
// state, and when the changelog has been compacted.
func TestRestoreOfIdlePartitions(t *testing.T) {
	e := newEnv(t, 4) // 0: nothing, 1: malformed records only, 2: one tick of each kind of garbage, 3: events
	x := e.start(t.TempDir(), nil)
	var bad []string
	for i := range 120 {
		bad = append(bad, strings.Repeat("{", i%7+1))
	}
	e.send(1, 0, bad...)
	e.send(2, 0, "", "null", `{"action":"x"}`)
	for i := range 60 {
		e.send(3, i, login("u", i, fmt.Sprint(i)))
	}
	e.drain()
	require.NoError(t, x.stop())
	want := map[int32]int64{1: 120, 2: 3, 3: 60}
	dirs := []string{x.dir, filepath.Join(t.TempDir(), "fresh")}
	for round := range 4 {
		if round == 2 {
			e.compactChangelog()
		}
		y := e.start(dirs[round%2], nil)
		y.waitRunning(4)
		require.Empty(t, y.log.find("partition stopped"))
		got := e.committed()
		for id, at := range want {
			require.Equal(t, at, got[id])
			require.Equal(t, at, y.partition(id).Next)
		}
		require.NotContains(t, got, int32(0))
		require.NoError(t, y.stop())
		e.leave()
		dirs[1] = filepath.Join(t.TempDir(), fmt.Sprint("fresh", round))
	}
	y := e.start(x.dir, nil)
	e.send(0, 0, bad[0])
	e.send(1, 0, login("u", 0, "first"))
	e.drain()
	plans, err := PlanOffsets(t.Context(), e.offsetsConfig())
	require.NoError(t, err)
	for _, p := range plans {
		require.Equal(t, CauseNone, p.Cause, p.Detail)
	}
	e.requireVerdicts()
	require.NoError(t, y.stop())
}

// recreate deletes a topic and makes it again with its settings.
func (e *env) recreate(topic string) {
	e.t.Helper()
	ctx := e.t.Context()
	configs, err := e.adm.DescribeTopicConfigs(ctx, topic)
	require.NoError(e.t, err)
	set := make(map[string]*string)
	for _, c := range configs[0].Configs {
		if c.Source == kmsg.ConfigSourceDynamicTopicConfig {
			set[c.Key] = c.Value
		}
	}
	_, err = e.adm.DeleteTopic(ctx, topic)
	require.NoError(e.t, err)
	_, err = e.adm.CreateTopic(ctx, e.partitions, 1, set, topic)
	require.NoError(e.t, err)
}

// A topic was deleted and created anew: the state is of something that does not exist any more.
func TestRestoreOfOtherTopic(t *testing.T) {
	t.Run("input", func(t *testing.T) {
		e := newEnv(t, 2)
		x := e.start(t.TempDir(), nil)
		e.sendMany(0, 60)
		e.drain()
		require.NoError(t, x.stop())
		e.leave()
		e.recreate(e.names.Input)
		for _, dir := range []string{x.dir, t.TempDir()} {
			y := e.start(dir, nil)
			for id := range e.partitions {
				require.Contains(t, y.waitStopped(id, CauseTopicID).Detail, "deleted and created anew")
			}
			require.NoError(t, y.stop())
			e.leave()
		}
		plans, err := PlanOffsets(t.Context(), e.offsetsConfig())
		require.NoError(t, err)
		require.Equal(t, CauseTopicID, plans[1].Cause)
	})
	t.Run("changelog", func(t *testing.T) {
		e := newEnv(t, 2)
		x := e.start(t.TempDir(), nil)
		e.sendMany(0, 60)
		e.drain()
		require.NoError(t, x.stop())
		e.leave()
		e.recreate(e.names.Changelog)
		y := e.start(x.dir, nil)
		for id := range e.partitions {
			y.waitStopped(id, CauseNoSeal)
		}
		for _, line := range y.log.restored(0) {
			require.Equal(t, "the changelog topic is another one", line["why"])
		}
		require.NoError(t, y.stop())
		require.Equal(t, map[int32]int64{0: 60, 1: 60}, e.committed())
	})
	for _, topic := range []string{"input", "changelog"} {
		t.Run(topic+" while running", func(t *testing.T) {
			e := newEnv(t, 2)
			x := e.start(t.TempDir(), nil)
			e.sendMany(0, 60)
			e.drain()
			e.recreate(map[string]string{"input": e.names.Input, "changelog": e.names.Changelog}[topic])
			select {
			case <-x.done:
			case <-time.After(testTimeout):
				t.Fatal("runs on")
			}
			require.ErrorIs(t, x.err, ErrTopics)
			require.ErrorContains(t, x.err, "created anew")
		})
	}
}

// The group's offsets have expired with the group: the way out is to commit those of the seals.
func TestOffsetsOfLostGroup(t *testing.T) {
	e := newEnv(t, 2)
	x := e.start(t.TempDir(), nil)
	e.sendMany(0, 60)
	e.drain()
	require.NoError(t, x.stop())
	e.leave()
	_, err := e.adm.DeleteGroup(t.Context(), "test")
	require.NoError(t, err)
	e.sendMany(60, 60)
	y := e.start(t.TempDir(), nil)
	y.waitStopped(0, CauseNoOffset)
	y.waitStopped(1, CauseNoOffset)
	require.NoError(t, y.stop())
	e.leave()
	plans, err := PlanOffsets(t.Context(), e.offsetsConfig())
	require.NoError(t, err)
	var changes []OffsetChange
	for _, p := range plans {
		require.Equal(t, ActionSetOffset, p.Actions[0])
		changes = append(changes, OffsetChange{
			Partition: p.Partition, Action: ActionSetOffset, Committed: p.Committed, Sealed: p.Sealed, Who: "ann",
		})
	}
	require.NoError(t, ApplyOffsets(t.Context(), e.offsetsConfig(), changes))
	z := e.start(x.dir, nil)
	e.drain()
	e.requireExact()
	require.NoError(t, z.stop())
}

// A process is killed in the middle of a full restore. The next one goes on from the last run on disk.
func TestRestoreResumes(t *testing.T) {
	e := newEnv(t, 1)
	x := e.start(t.TempDir(), nil)
	e.sendMany(0, 600)
	e.drain()
	want := x.digest()
	require.NoError(t, x.stop())
	e.leave()
	records := len(e.consume(e.names.Changelog))

	dir, image := t.TempDir(), filepath.Join(t.TempDir(), "image")
	died := make(chan struct{})
	runs := 0
	var y *process
	e.stores = func(c *state.Config) {
		c.Probe = func(at state.Point) {
			if at != state.PointRunKept {
				return
			}
			if runs++; runs == 3 {
				y.net.cut()
				copyDir(t, dir, image)
				close(died)
			}
		}
	}
	small := func(c *Config) { c.RestoreChunkBytes = 4 << 10 }
	y = e.prepare(dir, small)
	e.stores = nil
	y.run()
	<-died
	_ = y.stop()
	e.leave()
	z := e.start(image, small)
	z.waitRunning(1)
	line := z.log.find("restored")[0]
	require.Equal(t, "full", line["mode"])
	require.Positive(t, z.log.number(line, "from"), "it does not begin again: %v", line)
	require.Equal(t, records, z.log.number(line, "records"), "all of them, both times together")
	require.Equal(t, want, z.digest())
	e.sendMany(600, 50)
	e.drain()
	e.requireExact()
	require.NoError(t, z.stop())
}

// sendWide sends an event of each of many principals to every partition.
func (e *env) sendWide(second, principals int) {
	e.t.Helper()
	for id := range e.partitions {
		var values []string
		for i := range principals {
			values = append(values, login(fmt.Sprintf("wide-%d-%d", id, i), second, fmt.Sprintf("w%d-%d-%d", id, i, second)))
		}
		e.send(id, second, values...)
	}
}

// The disk gives back something else than was written. The partition that meets it is rebuilt from the changelog,
// loudly, and nothing is judged wrongly; the others go on. What concerns the whole store costs the whole store.
func TestRestoreOfDamagedState(t *testing.T) {
	e := newEnv(t, 3)
	e.always = func(c *Config) { // many keys, and perhaps a slow machine
		c.CloseRecords, c.Session, c.Transaction, c.EndTimeout = 500, 40*time.Second, 20*time.Second, 40*time.Second
	}
	x := e.start(t.TempDir(), nil)
	e.sendMany(0, 60)
	e.sendWide(60, 2000)
	e.drain()
	require.NoError(t, x.stop())
	tables, err := filepath.Glob(filepath.Join(x.dir, "*.sst"))
	require.NoError(t, err)
	var largest string
	var b []byte
	for _, name := range tables {
		got, err := os.ReadFile(name)
		require.NoError(t, err)
		if len(got) > len(b) {
			largest, b = name, got
		}
	}
	b[len(b)/2] ^= 1 // three partitions of about one size: where the middle one is, mostly
	require.NoError(t, os.WriteFile(largest, b, 0o600))

	y := e.start(x.dir, nil)
	y.waitRunning(3) // nobody has read it yet
	e.sendWide(120, 2000)
	e.drain()
	e.requireExact()
	said := y.log.find("the state of a partition is damaged on disk; it is rebuilt from the changelog")
	require.Len(t, said, 1)
	require.Equal(t, "ERROR", said[0]["level"])
	var full []map[string]string
	for _, line := range y.log.find("restored") {
		if line["mode"] == "full" {
			full = append(full, line)
		}
	}
	require.Len(t, full, 1)
	require.Equal(t, said[0]["partition"], full[0]["partition"])
	// A restore that is begun again, because the group has moved the partition meanwhile, finds nothing.
	require.Contains(t, []string{whyDamaged, "there is no local state"}, full[0]["why"])
	require.Empty(t, y.log.find("partition stopped"))
	for id := range e.partitions {
		require.NoError(t, y.store.Verify(statePartition(id)))
	}
	require.NoError(t, y.stop())
	e.checkRebuilt(y.dir)

	// A table is gone: there is no store to speak of.
	tables, err = filepath.Glob(filepath.Join(y.dir, "*.sst"))
	require.NoError(t, err)
	for _, name := range tables {
		require.NoError(t, os.Remove(name))
	}
	e.stores = func(c *state.Config) { c.SetAside = true }
	z := e.start(y.dir, nil)
	z.waitRunning(3)
	require.Len(t, z.log.find("the state on disk is damaged and was put aside; every partition is restored in full from "+
		"its changelog"), 1)
	e.sendMany(200, 60)
	e.drain()
	e.requireExact()
	require.NoError(t, z.stop())
	e.checkRebuilt(z.dir)
}
