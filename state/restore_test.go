package state

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"tocsin/state/window"
	"tocsin/topics"
)

// run runs n transactions, of which the first `applied` reach the store, with aborted transactions in between.
func (m *sim) run(t testing.TB, s *Store, l *Lease, rng *rand.Rand, applied, n int) {
	t.Helper()
	m.keepHistory = true
	for i := range n {
		if i < applied {
			m.txn(t, s, l, randomChanges(rng, rng.IntN(8), 12), true)
		} else {
			m.offline(rng)
		}
		m.log.next += int64(rng.IntN(3) * rng.IntN(3)) // an aborted transaction takes up offsets
	}
}

// offline is a random transaction that is committed in Kafka while this process is away.
func (m *sim) offline(rng *rand.Rand) { m.offlineChanges(randomChanges(rng, rng.IntN(8), 12)) }

func (m *sim) offlineChanges(changes []change) {
	seal := m.seal
	seal.InputTopicID, seal.Partition, seal.Partitions = inputID, m.p.ID, 4
	seal.Sequence++
	seal.Next += 10
	var r topics.Rolling
	r.Reset(m.seal.Rolling)
	var recs []ChangeRecord
	over := maps.Clone(m.live)
	for _, c := range changes {
		key := append(slices.Clone(c.group), c.suffix...)
		r.Add(key, c.value)
		if old, ok := over[string(key)]; ok {
			seal.Sum.Sub(topics.ChangeHash(key, old))
		}
		delete(over, string(key))
		if c.value != nil {
			seal.Sum.Add(topics.ChangeHash(key, c.value))
			over[string(key)] = c.value
		}
		recs = append(recs, ChangeRecord{Key: key, Value: c.value})
	}
	seal.Rolling = r.Sum()
	m.commit(recs, seal)
}

func restore(l *Lease, lg *log, cfg RestoreConfig) (Result, error) {
	cfg.TopicID = topicID
	r, err := l.Restore(cfg)
	if err != nil {
		return Result{}, err
	}
	return lg.feed(r)
}

// TestRestore: from any applied prefix, over a log that has been compacted up to any offset, both ways lead to the same
// state, sum, indexes and digest.
func TestRestore(t *testing.T) {
	unverified := 0
	for seed := range uint64(150) {
		rng := rand.New(rand.NewPCG(seed, 3))
		s := openStore(t, testConfig(vfs.NewMem()))
		l, m := acquire(t, s, p1), newSim(p1)
		n := 1 + rng.IntN(30)
		m.run(t, s, l, rng, rng.IntN(n+1), n)
		m.log.compact(rng.Int64N(m.log.next + 1))

		full := openStore(t, testConfig(vfs.NewMem()))
		fl := acquire(t, full, p1)
		got, err := restore(fl, &m.log, RestoreConfig{Mode: Full, ChunkBytes: 1 + rng.IntN(2000)})
		require.NoError(t, err, "seed %d", seed)
		require.EqualValues(t, len(m.live), got.Live)
		require.EqualValues(t, len(m.log.recs), got.Records)
		require.Equal(t, m.seal, got.Seal)
		requireState(t, full, p1, m.live)
		requireLease(t, fl, m)

		mode, why := l.ChooseMode(topicID, 0, time.Hour)
		got, err = restore(l, &m.log, RestoreConfig{Mode: mode})
		require.NoError(t, err, "seed %d", seed)
		require.Equal(t, m.seal, got.Seal)
		requireState(t, s, p1, m.live)
		requireLease(t, l, m)
		pos, _, err := l.Position()
		require.NoError(t, err)
		require.Equal(t, m.log.next, pos.ChangelogNext)
		if mode == Tail {
			unverified += int(got.Seals - got.Verified)
		} else {
			require.Equal(t, "there is no state of it here", why)
		}

		a, err := s.Digest(p1, nil)
		require.NoError(t, err)
		b, err := full.Digest(p1, nil)
		require.NoError(t, err)
		require.Equal(t, a, b)

		// And on from here.
		m.txn(t, s, l, randomChanges(rng, 8, 12), true)
		requireState(t, s, p1, m.live)
	}
	require.Positive(t, unverified, "some stretches must have lost records to compaction")
}

// TestRestoreEmpty: a partition whose changelog is empty is complete with the zero seal.
func TestRestoreEmpty(t *testing.T) {
	s := openStore(t, testConfig(vfs.NewMem()))
	l, m := acquire(t, s, p0), newSim(p0)
	mode, _ := l.ChooseMode(topicID, 0, time.Hour)
	require.Equal(t, Full, mode)
	got, err := restore(l, &m.log, RestoreConfig{Mode: Full})
	require.NoError(t, err)
	require.Equal(t, Result{}, got)
	mode, _ = l.ChooseMode(topicID, 0, time.Hour)
	require.Equal(t, Tail, mode)
	m.offline(rand.New(rand.NewPCG(1, 1)))
	_, err = restore(l, &m.log, RestoreConfig{})
	require.NoError(t, err)
	requireState(t, s, p0, m.live)
}

// TestForeignRecord: somebody else's record in a log that has not been compacted is found and named, nothing of it is
// applied, and the state is that of an earlier seal.
func TestForeignRecord(t *testing.T) {
	for seed := range uint64(150) {
		rng := rand.New(rand.NewPCG(seed, 4))
		s := openStore(t, testConfig(vfs.NewMem()))
		l, m := acquire(t, s, p0), newSim(p0)
		n := 3 + rng.IntN(20)
		applied := 1 + rng.IntN(n-1)
		m.run(t, s, l, rng, applied, n)
		pos, _, err := l.Position()
		require.NoError(t, err)

		foreign := ChangeRecord{
			Key:   append(group(fmt.Sprintf("user-%d", rng.IntN(12))), topics.PartHead),
			Value: toyHead(1, 2, "foreign"),
		}
		if rng.IntN(3) == 0 {
			foreign.Key = append(group("never seen"), topics.PartHead)
		}
		// It takes an offset of its own; everything after it moves up.
		at := pos.ChangelogNext + rng.Int64N(m.log.next-pos.ChangelogNext+1)
		recs := slices.Clone(m.log.recs)
		i := slices.IndexFunc(recs, func(r ChangeRecord) bool { return r.Offset >= at })
		if i < 0 {
			i = len(recs)
		}
		for j := i; j < len(recs); j++ {
			recs[j].Offset++
		}
		foreign.Offset = at
		lg := log{recs: slices.Insert(recs, i, foreign), next: m.log.next + 1}

		_, err = restore(l, &lg, RestoreConfig{Mode: Tail})
		if err == nil {
			// Only where the right value was written after it, in a stretch that may have been compacted, or where it says
			// what is true anyway, can it go unnoticed; then the state is right all the same.
			requireState(t, s, p0, m.live)
			continue
		}
		var fe *ForeignRecordError
		require.ErrorAs(t, err, &fe, "seed %d", seed)
		require.LessOrEqual(t, fe.Offset, at, "seed %d", seed)
		after, _, err := l.Position()
		require.NoError(t, err)
		requireState(t, s, p0, m.history[after.Seal.Sequence])
	}
}

// TestForeignRecordIsNamed has the cases one by one.
func TestForeignRecordIsNamed(t *testing.T) {
	head := topics.AppendHead(nil)
	value := func(s string) []byte { return toyHead(0, 0, s) }
	for _, c := range []struct {
		name   string
		change func(lg *log) // of a log of three transactions: offsets 0–2, 4–6, 8–10; the first is applied
		mode   Mode
		offset int64
		why    string
	}{
		{"after the last seal", func(lg *log) { lg.append(append(group("a"), head...), value("x")) }, Tail,
			12, "no seal follows it"},
		{"after the last seal", func(lg *log) { lg.append(append(group("a"), head...), value("x")) }, Full,
			12, "no seal follows it"},
		{"new key in a later transaction", func(lg *log) { lg.insert(9, append(group("z"), head...), value("x")) }, Tail,
			9, "the rolling hash of its transaction does not agree"},
		{"new key in the first transaction", func(lg *log) { lg.insert(4, append(group("z"), head...), value("x")) }, Tail,
			4, "the sum at seal 3 does not agree"},
		{"value altered", func(lg *log) { lg.recs[7].Value = value("x") }, Tail,
			8, "the rolling hash of its transaction does not agree (somewhere up to the seal at offset 10)"},
		{"record removed", func(lg *log) { lg.recs = slices.Delete(lg.recs, 7, 8) }, Tail,
			8, "the sum at seal 3 does not agree (somewhere up to the seal at offset 10)"},
		{"not a key", func(lg *log) { lg.insert(9, []byte("hello"), value("x")) }, Tail, 9, "unknown name space"},
		{"not a key", func(lg *log) { lg.insert(9, []byte("hello"), value("x")) }, Full, 9, "unknown name space"},
		{"not a seal", func(lg *log) { lg.insert(9, []byte(topics.SealKey), value("x")) }, Tail, 9, "seal: version 0"},
		{"not a seal", func(lg *log) { lg.insert(9, []byte(topics.SealKey), nil) }, Full, 9, "seal: empty value"},
		{"seal again", func(lg *log) { lg.insert(9, []byte(topics.SealKey), lg.recs[5].Value) }, Tail,
			9, "seal 2 comes after seal 2"},
		{"seal again", func(lg *log) { lg.insert(9, []byte(topics.SealKey), lg.recs[5].Value) }, Full,
			9, "seal 2 comes after seal 2"},
		{"seal of another partition", func(lg *log) {
			s, _ := topics.DecodeSeal(lg.recs[8].Value)
			s.Partition = 3
			lg.recs[8].Value = s.Append(nil)
		}, Tail, 10, "it seals partition 3"},
		{"seal of another input", func(lg *log) {
			s, _ := topics.DecodeSeal(lg.recs[8].Value)
			s.InputTopicID = topicID
			lg.recs[8].Value = s.Append(nil)
		}, Full, 10, "it seals another input topic"},
		{"new key", func(lg *log) { lg.insert(9, append(group("z"), head...), value("x")) }, Full,
			-1, "without it the sum would be that of seal 3"},
	} {
		t.Run(fmt.Sprintf("%s/%s", c.mode, c.name), func(t *testing.T) {
			s := openStore(t, testConfig(vfs.NewMem()))
			l, m := acquire(t, s, p0), newSim(p0)
			m.txn(t, s, l, []change{{group("a"), head, value("a0")}, {group("b"), head, value("b0")}}, true)
			for i := range 2 {
				m.offlineChanges([]change{
					{group("a"), head, value(fmt.Sprint("a", i+1))}, {group("b"), head, value(fmt.Sprint("b", i+1))},
				})
			}
			c.change(&m.log)
			_, err := restore(l, &m.log, RestoreConfig{Mode: c.mode})
			var fe *ForeignRecordError
			require.ErrorAs(t, err, &fe)
			require.Equal(t, c.offset, fe.Offset, err.Error())
			require.Contains(t, err.Error(), c.why)
			require.Contains(t, err.Error(), "rebuild the partition from its input")
			if c.mode == Tail {
				pos, _, err := l.Position()
				require.NoError(t, err)
				require.Less(t, pos.Seal.Sequence, uint64(3))
				require.NoError(t, s.Verify(p0))
			}
		})
	}
}

// insert puts a record at an offset and moves what follows.
func (l *log) insert(at int64, key, value []byte) {
	i := slices.IndexFunc(l.recs, func(r ChangeRecord) bool { return r.Offset >= at })
	for j := i; j < len(l.recs); j++ {
		l.recs[j].Offset++
	}
	l.recs = slices.Insert(l.recs, i, ChangeRecord{at, key, value})
	l.next++
}

// TestFullSumDisagrees: a record that is missing from a full restore cannot be named, but it is noticed, and the next
// attempt begins again.
func TestFullSumDisagrees(t *testing.T) {
	s := openStore(t, testConfig(vfs.NewMem()))
	l, m := acquire(t, s, p0), newSim(p0)
	m.run(t, s, l, rand.New(rand.NewPCG(1, 5)), 10, 10)
	good := slices.Clone(m.log.recs)
	i := slices.IndexFunc(m.log.recs, func(r ChangeRecord) bool {
		return r.Value != nil && string(m.live[string(r.Key)]) == string(r.Value)
	})
	m.log.recs = slices.Delete(m.log.recs, i, i+1)
	_, err := restore(l, &m.log, RestoreConfig{Mode: Full, ChunkBytes: 500})
	var se *SumError
	require.ErrorAs(t, err, &se)
	require.EqualValues(t, 10, se.Sequence)
	_, ok, err := l.Position()
	require.NoError(t, err)
	require.False(t, ok)
	require.ErrorContains(t, s.Verify(p0), "no position")

	m.log.recs = good
	got, err := restore(l, &m.log, RestoreConfig{Mode: Full, ChunkBytes: 500})
	require.NoError(t, err)
	require.False(t, got.Resumed)
	requireState(t, s, p0, m.live)
}

// TestTailOverDamagedState: the log is right, the state under it is not.
func TestTailOverDamagedState(t *testing.T) {
	s := openStore(t, testConfig(vfs.NewMem()))
	l, m := acquire(t, s, p0), newSim(p0)
	m.txn(t, s, l, []change{{group("a"), topics.AppendHead(nil), toyHead(0, 0, "right")}}, true)
	key := append(prefix(p0, storeData), append(group("a"), topics.PartHead)...)
	require.NoError(t, s.db.Set(key, toyHead(0, 0, "wrong"), nil))
	require.ErrorIs(t, s.Verify(p0), ErrDamaged)
	m.offlineChanges([]change{{group("a"), topics.AppendHead(nil), toyHead(0, 0, "next")}})
	_, err := restore(l, &m.log, RestoreConfig{Mode: Tail})
	require.ErrorIs(t, err, ErrDamaged)
	_, err = restore(l, &m.log, RestoreConfig{Mode: Full})
	require.NoError(t, err)
	requireState(t, s, p0, m.live)
}

func TestChooseMode(t *testing.T) {
	cfg, now := testConfig(vfs.NewMem()), &clock{time.Unix(1_700_000_000, 0)}
	cfg.Now = now.now
	s := openStore(t, cfg)
	l, m := acquire(t, s, p0), newSim(p0)
	m.run(t, s, l, rand.New(rand.NewPCG(2, 8)), 5, 5)
	pos, _, err := l.Position()
	require.NoError(t, err)
	mode, why := l.ChooseMode(topicID, pos.ChangelogNext, time.Hour)
	require.Equal(t, Tail, mode)
	require.Empty(t, why)
	_, why = l.ChooseMode(inputID, 0, time.Hour)
	require.Equal(t, "the changelog topic has been created anew", why)
	_, err = restore(l, &m.log, RestoreConfig{LogStart: pos.ChangelogNext + 1})
	require.ErrorContains(t, err, "is below the changelog's start")
	_, why = l.ChooseMode(topicID, pos.ChangelogNext+1, time.Hour)
	require.Equal(t, fmt.Sprintf("the changelog begins at offset %d, the state ends at %d",
		pos.ChangelogNext+1, pos.ChangelogNext), why)
	now.t = now.t.Add(2 * time.Hour)
	_, why = l.ChooseMode(topicID, 0, time.Hour)
	require.Equal(t, "the state is 2h0m0s old, tombstones are kept for twice 1h0m0s", why)
	require.NoError(t, s.Close())
	mode, _ = l.ChooseMode(topicID, 0, time.Hour)
	require.Equal(t, Full, mode)
}

func TestTailTooLong(t *testing.T) {
	s := openStore(t, testConfig(vfs.NewMem()))
	l, m := acquire(t, s, p0), newSim(p0)
	m.run(t, s, l, rand.New(rand.NewPCG(2, 9)), 1, 1)
	r, err := l.Restore(RestoreConfig{TopicID: topicID})
	require.NoError(t, err)
	defer r.Abort()
	value := make([]byte, 1<<20)
	for i := range uint32(100) {
		err = r.Add(ChangeRecord{m.log.next + int64(i), topics.AppendChunk(group("a"), i), value})
		if err != nil {
			break
		}
	}
	require.ErrorIs(t, err, ErrTailTooLong)
	require.ErrorIs(t, r.Add(ChangeRecord{}), ErrTailTooLong, "it stays so")
	_, err = r.Finish(1 << 40)
	require.ErrorIs(t, err, ErrTailTooLong)
	requireState(t, s, p0, m.live)
}

// TestTailWritesInBetween: a long tail is written at seals on the way, and what a broken restore leaves is exact.
func TestTailWritesInBetween(t *testing.T) {
	s := openStore(t, testConfig(vfs.NewMem()))
	l, m := acquire(t, s, p0), newSim(p0)
	m.keepHistory = true
	m.txn(t, s, l, nil, true)
	for i := range 30 {
		value := toyHead(int64(i), 0, string(make([]byte, 400<<10)))
		m.offlineChanges([]change{{group(fmt.Sprint(i)), topics.AppendHead(nil), value}})
	}
	r, err := l.Restore(RestoreConfig{TopicID: topicID})
	require.NoError(t, err)
	for _, rec := range m.log.recs[1 : len(m.log.recs)-5] {
		require.NoError(t, r.Add(rec))
	}
	r.Abort()
	pos, _, err := l.Position()
	require.NoError(t, err)
	require.Greater(t, pos.Seal.Sequence, uint64(10))
	requireState(t, s, p0, m.history[pos.Seal.Sequence])
	_, err = restore(l, &m.log, RestoreConfig{})
	require.NoError(t, err)
	requireState(t, s, p0, m.live)
}

// TestRestoreLosesLease: nothing is written for a partition that another holder has.
func TestRestoreLosesLease(t *testing.T) {
	for _, mode := range []Mode{Tail, Full} {
		s := openStore(t, testConfig(vfs.NewMem()))
		l, m := acquire(t, s, p0), newSim(p0)
		m.run(t, s, l, rand.New(rand.NewPCG(2, 10)), 5, 30)
		r, err := l.Restore(RestoreConfig{Mode: mode, TopicID: topicID, ChunkBytes: 200})
		require.NoError(t, err)
		for _, rec := range m.log.recs {
			if rec.Offset >= r.From() && rec.Offset < m.log.next/2 {
				require.NoError(t, r.Add(rec))
			}
		}
		l.Release()
		next := acquire(t, s, p0)
		_, err = r.Finish(m.log.next)
		require.ErrorIs(t, err, ErrLeaseLost)
		r.Abort()
		mode, _ := next.ChooseMode(topicID, 0, time.Hour)
		_, err = restore(next, &m.log, RestoreConfig{Mode: mode})
		require.NoError(t, err)
		requireState(t, s, p0, m.live)
	}
}

func TestRestoreRefuses(t *testing.T) {
	s := openStore(t, testConfig(vfs.NewMem()))
	l, m := acquire(t, s, p0), newSim(p0)
	_, err := l.Restore(RestoreConfig{Mode: Tail, TopicID: topicID})
	require.ErrorContains(t, err, "no position to go on from")
	m.run(t, s, l, rand.New(rand.NewPCG(2, 11)), 5, 5)
	_, err = l.Restore(RestoreConfig{Mode: Tail, TopicID: inputID})
	require.ErrorContains(t, err, "another changelog topic")
	r, err := l.Restore(RestoreConfig{TopicID: topicID})
	require.NoError(t, err)
	require.ErrorContains(t, r.Add(ChangeRecord{Offset: r.From() - 1}), "after")
	r.Abort()
	r, err = l.Restore(RestoreConfig{TopicID: topicID})
	require.NoError(t, err)
	_, err = r.Finish(r.From() - 1)
	require.ErrorContains(t, err, "position")
	r.Abort()
	require.ErrorContains(t, r.Add(ChangeRecord{}), "position", "the first error stays")
}

// TestDigest: the same live state has the same digest however it came about, and any byte makes a difference.
func TestDigest(t *testing.T) {
	s := openStore(t, testConfig(vfs.NewMem()))
	l, m := acquire(t, s, p0), newSim(p0)
	head, chunk := topics.AppendHead(nil), topics.AppendChunk(nil, 1)
	m.txn(t, s, l, []change{
		{group("a"), head, toyHead(1, 100, "a")}, {group("a"), chunk, []byte("chunk")},
		{group("old"), head, toyHead(1, 10, "b")}, {group("old"), chunk, []byte("chunk")},
		{group("headless"), chunk, []byte("chunk")},
	}, true)
	live := func(ix window.Index) bool { return ix.LastWrite > 50 }
	d, err := s.Digest(p0, live)
	require.NoError(t, err)
	require.EqualValues(t, 1, d.Keys)
	require.EqualValues(t, 2, d.Records)
	all, err := s.Digest(p0, nil)
	require.NoError(t, err)
	require.EqualValues(t, 2, all.Keys)
	require.EqualValues(t, 4, all.Records)

	// Clean-up of what is not live changes nothing.
	m.txn(t, s, l, []change{
		{group("old"), head, nil}, {group("old"), chunk, nil}, {group("headless"), chunk, nil},
	}, true)
	again, err := s.Digest(p0, live)
	require.NoError(t, err)
	require.Equal(t, d, again)

	for _, suffix := range [][]byte{head, chunk} {
		key := append(prefix(p0, storeData), append(group("a"), suffix...)...)
		good, _, err := s.get(key)
		require.NoError(t, err)
		for i := range good {
			bad := slices.Clone(good)
			bad[i] ^= 1
			require.NoError(t, s.db.Set(key, bad, nil))
			got, err := s.Digest(p0, nil)
			require.NoError(t, err)
			require.NotEqual(t, d.Hash, got.Hash, "byte %d of %x", i, suffix)
			require.ErrorIs(t, s.Verify(p0), ErrDamaged)
		}
		require.NoError(t, s.db.Set(key, good, nil))
	}
	require.NoError(t, s.Verify(p0))
	require.NoError(t, s.db.Delete(prefix(p0, storeTimers), nil))
	require.NoError(t, s.db.Set(appendTimerKey(nil, p0, 99, group("a")), nil, nil))
	require.ErrorIs(t, s.Verify(p0), ErrDamaged, "an index entry without a head")
}

func TestDropAndPrune(t *testing.T) {
	cfg, now := testConfig(vfs.NewMem()), &clock{time.Unix(1_700_000_000, 0)}
	cfg.Now = now.now
	s := openStore(t, cfg)
	rng := rand.New(rand.NewPCG(3, 3))
	sims := map[Partition]*sim{}
	for i := range int32(4) {
		p := Partition{0, i}
		sims[p] = newSim(p)
		l := acquire(t, s, p)
		sims[p].txn(t, s, l, randomChanges(rng, 50, 20), true)
		if i != 3 {
			l.Release()
		}
		now.t = now.t.Add(time.Hour)
	}
	infos, err := s.Partitions()
	require.NoError(t, err)
	require.Len(t, infos, 4)
	require.Equal(t, "test", infos[3].Holder)
	require.Empty(t, infos[0].Holder)
	require.ErrorIs(t, s.Drop(Partition{0, 3}), ErrLeased)

	dropped, err := s.Prune(3*time.Hour+time.Minute, 1<<40) // they are 4, 3, 2 and 1 hours old
	require.NoError(t, err)
	require.Equal(t, []Partition{{0, 0}}, dropped)
	require.NoError(t, s.Flush())
	// A compaction between the two estimates would change the second: let there be nothing left to compact.
	require.NoError(t, s.db.Compact(t.Context(), []byte{0}, []byte{0xff, 0xff}, false))
	infos, err = s.Partitions()
	require.NoError(t, err)
	require.Len(t, infos, 3)
	dropped, err = s.Prune(24*time.Hour, infos[1].DiskBytes)
	require.NoError(t, err)
	require.Equal(t, []Partition{{0, 1}}, dropped, "the longest unused")
	for i, want := range []bool{false, false, true, true} {
		p := Partition{0, int32(i)}
		_, ok, err := s.position(p)
		require.NoError(t, err)
		require.Equal(t, want, ok)
		if want {
			requireState(t, s, p, sims[p].live)
		} else {
			require.Empty(t, contents(t, s, p))
		}
	}
	require.NoError(t, s.Close())
	_, err = s.Prune(0, 0)
	require.ErrorIs(t, err, ErrClosed)
	require.ErrorIs(t, s.Drop(p0), ErrClosed)
	_, err = s.Digest(p0, nil)
	require.ErrorIs(t, err, ErrClosed)
	require.ErrorIs(t, s.Verify(p0), ErrClosed)
}
