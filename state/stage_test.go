package state

import (
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"tocsin/state/window"
	"tocsin/topics"
)

// TestAgainstMap: whatever is staged, applied, discarded, closed and opened again, the store has what a plain map has.
func TestAgainstMap(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		cfg := testConfig(vfs.NewMem())
		s, err := Open(cfg)
		require.NoError(rt, err)
		defer func() { require.NoError(rt, s.Close()) }()
		sims := []*sim{newSim(p0), newSim(p1), newSim(Partition{1, 0})}
		leases := make([]*Lease, len(sims))
		for i, m := range sims {
			leases[i] = acquire(t, s, m.p)
		}
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 0))
		for range rapid.IntRange(1, 30).Draw(rt, "steps") {
			switch op := rng.IntN(10); {
			case op < 7:
				st := s.NewStage()
				next := map[Partition]ChangelogPosition{}
				commit := op < 5
				for i, m := range sims {
					if rng.IntN(2) == 0 {
						continue
					}
					recs, seal, err := m.stage(st, leases[i], randomChanges(rng, rng.IntN(20), 8))
					require.NoError(rt, err)
					if commit {
						next[m.p] = m.commit(recs, seal)
					}
				}
				if commit {
					require.NoError(rt, st.Apply(next))
				} else {
					st.Discard()
				}
			case op < 8:
				require.NoError(rt, s.Flush())
			case op < 9:
				i := rng.IntN(len(sims))
				leases[i].Release()
				leases[i] = acquire(t, s, sims[i].p)
			default:
				require.NoError(rt, s.Close())
				s, err = Open(cfg)
				require.NoError(rt, err)
				for i, m := range sims {
					leases[i] = acquire(t, s, m.p)
				}
			}
		}
		for i, m := range sims {
			requireLease(rt, leases[i], m)
		}
	})
}

// requireLease checks everything that can be read through a lease.
func requireLease(t require.TestingT, l *Lease, m *sim) {
	pos, ok, err := l.Position()
	require.NoError(t, err)
	require.Equal(t, m.seal.Sequence > 0, ok)
	require.Equal(t, m.seal, pos.Seal)
	byGroup := map[string]map[string][]byte{}
	type timer struct {
		due int64
		key string
	}
	var timers []timer
	var old []string
	const cutoff = int64(50 * time.Hour)
	for k, v := range m.live {
		got, ok, err := l.Get([]byte(k))
		require.NoError(t, err)
		require.True(t, ok)
		require.Equal(t, v, got)
		g, suffix, err := topics.SplitChangeKey([]byte(k))
		require.NoError(t, err)
		if byGroup[string(g)] == nil {
			byGroup[string(g)] = map[string][]byte{}
		}
		byGroup[string(g)][string(suffix)] = v
		if len(suffix) == 1 {
			ix, _ := toyIndex(v)
			if ix.Due != 0 {
				timers = append(timers, timer{ix.Due, string(g)})
			}
			if day(ix.LastWrite) < day(cutoff) {
				old = append(old, string(g))
			}
		}
	}
	for g, parts := range byGroup {
		got := map[string][]byte{}
		last := ""
		require.NoError(t, l.Scan([]byte(g), func(suffix, value []byte) error {
			require.Greater(t, string(suffix), last)
			last = string(suffix)
			got[last] = append([]byte{}, value...)
			return nil
		}))
		require.Equal(t, parts, got)
	}
	slices.SortFunc(timers, func(a, b timer) int {
		if a.due != b.due {
			return int((a.due - b.due) / int64(time.Hour))
		}
		if a.key < b.key {
			return -1
		}
		return 1
	})
	var got []timer
	require.NoError(t, l.Timers(func(due int64, key []byte) error {
		got = append(got, timer{due, string(key)})
		return nil
	}))
	require.Equal(t, timers, got)
	expired, err := l.Expired(cutoff, 1000)
	require.NoError(t, err)
	var names []string
	for _, k := range expired {
		names = append(names, string(k))
	}
	require.ElementsMatch(t, old, names)
	if ok {
		require.NoError(t, l.s.Verify(m.p))
	}
}

func TestExpired(t *testing.T) {
	s := openStore(t, testConfig(vfs.NewMem()))
	l, m := acquire(t, s, p0), newSim(p0)
	at := func(d time.Duration) []byte { return toyHead(0, int64(d), "") }
	const h = time.Hour
	head := topics.AppendHead(nil)
	m.txn(t, s, l, []change{
		{group("third"), head, at(30 * h)}, {group("first"), head, at(-30 * h)}, {group("second"), head, at(-1)},
		{group("fourth"), head, at(47 * h)}, {group("moved"), head, at(1)},
	}, true)
	m.txn(t, s, l, []change{{group("moved"), head, at(100 * h)}}, true)
	names := func(before time.Duration, limit int) (out []string) {
		keys, err := l.Expired(int64(before), limit)
		require.NoError(t, err)
		for _, k := range keys {
			_, _, value, _, err := topics.ParseGroupKey(k)
			require.NoError(t, err)
			out = append(out, string(value))
		}
		return out
	}
	require.Equal(t, []string{"first", "second", "third", "fourth"}, names(72*h, 10), "oldest day first")
	require.Equal(t, []string{"first", "second"}, names(72*h, 2))
	require.Equal(t, []string{"first", "second"}, names(47*h, 10), "whole days only")
	require.Empty(t, names(-48*h, 10))
	require.Empty(t, names(72*h, 0))
}

func TestDayAndTimeOrder(t *testing.T) {
	times := []int64{-1 << 63, -int64(25 * time.Hour), -int64(24 * time.Hour), -1, 0, 1, int64(24 * time.Hour), 1<<63 - 1}
	for i, a := range times {
		require.Equal(t, a, parseTime(appendTime(nil, a)))
		for _, b := range times[i+1:] {
			require.Less(t, string(appendTime(nil, a)), string(appendTime(nil, b)))
			require.LessOrEqual(t, string(appendDay(nil, day(a))), string(appendDay(nil, day(b))))
		}
	}
	require.Equal(t, []int32{-2, -1, -1, 0, 0, 1}, []int32{
		day(times[1]), day(times[2]), day(times[3]), day(times[4]), day(times[5]), day(times[6]),
	})
	require.Nil(t, upperBound([]byte{0xff, 0xff}))
	require.Equal(t, []byte{0x01}, upperBound([]byte{0x00, 0xff}))
}

func TestStageRefuses(t *testing.T) {
	s := openStore(t, testConfig(vfs.NewMem()))
	l, m := acquire(t, s, p0), newSim(p0)
	other := openStore(t, testConfig(vfs.NewMem()))
	foreign := acquire(t, other, p0)
	next := map[Partition]ChangelogPosition{p0: {topicID, 10}}
	value := []change{{group("a"), topics.AppendHead(nil), toyHead(0, 0, "")}}

	st := s.NewStage()
	_, _, err := m.stage(st, foreign, value)
	require.ErrorContains(t, err, "another store")
	_, err = st.Change(l, group("a"), window.Index{}, window.Change{Suffix: []byte{0}, Value: []byte("short")})
	require.ErrorContains(t, err, "index of head")
	st.Discard()
	st.Discard()
	_, _, err = m.stage(st, l, value)
	require.ErrorContains(t, err, "applied or discarded")
	require.ErrorContains(t, st.Apply(next), "applied or discarded")

	st = s.NewStage()
	_, _, err = m.stage(st, l, value)
	require.NoError(t, err)
	_, _, err = m.stage(st, l, value)
	require.ErrorContains(t, err, "after the seal")
	_, err = st.Seal(l, topics.Seal{})
	require.ErrorContains(t, err, "sealed already")
	require.ErrorContains(t, st.Apply(nil), "no changelog position")

	st = s.NewStage()
	_, err = st.Change(l, group("a"), window.Index{}, window.Change{Suffix: topics.AppendChunk(nil, 1), Value: []byte{}})
	require.NoError(t, err)
	require.ErrorContains(t, st.Apply(next), "has no seal")
	require.Empty(t, contents(t, s, p0))

	st = s.NewStage()
	_, _, err = m.stage(st, l, value)
	require.NoError(t, err)
	err = st.Apply(map[Partition]ChangelogPosition{p0: {topicID, 1}, p1: {topicID, 1}})
	require.ErrorContains(t, err, "2 changelog positions")

	// Two stages begun at the same seal: only one can be true.
	a, b := s.NewStage(), s.NewStage()
	_, _, err = m.stage(a, l, value)
	require.NoError(t, err)
	recs, seal, err := m.stage(b, l, value)
	require.NoError(t, err)
	require.NoError(t, a.Apply(next))
	m.commit(recs, seal)
	require.ErrorIs(t, b.Apply(next), ErrStaleStage)

	st = s.NewStage()
	_, _, err = m.stage(st, l, nil)
	require.NoError(t, err)
	require.ErrorContains(t, st.Apply(map[Partition]ChangelogPosition{p0: {topicID, 9}}), "goes back from 10 to 9")

	st = s.NewStage()
	defer st.Discard()
	r, err := l.Restore(RestoreConfig{TopicID: topicID})
	require.NoError(t, err)
	_, _, err = m.stage(st, l, value)
	require.ErrorContains(t, err, "is being restored")
	_, err = l.Restore(RestoreConfig{TopicID: topicID})
	require.ErrorContains(t, err, "being restored already")
	r.Abort()
}

// TestChangeKeysStay: the keys go to the producer, which keeps them until the transaction has ended.
func TestChangeKeysStay(t *testing.T) {
	s := openStore(t, testConfig(vfs.NewMem()))
	l := acquire(t, s, p0)
	st := s.NewStage()
	defer st.Discard()
	g := group("abc")
	var keys [][]byte
	for i := range uint32(10_000) {
		suffix := topics.AppendChunk(nil, i)
		key, err := st.Change(l, g, window.Index{}, window.Change{Suffix: suffix, Value: suffix})
		require.NoError(t, err)
		keys = append(keys, key)
		clear(suffix) // the caller uses its buffers again
	}
	for i, key := range keys {
		require.Equal(t, uint32(i), binary.BigEndian.Uint32(key[len(key)-4:]))
		require.Equal(t, len(key), cap(key), "an append must not reach the next key")
	}
}

func TestOpenRefusesNewerFormat(t *testing.T) {
	cfg := testConfig(vfs.NewMem())
	s := openStore(t, cfg)
	require.NoError(t, s.db.Set(metaFormat, []byte{0, 0, 0, 2}, nil))
	require.NoError(t, s.Close())
	_, err := Open(cfg)
	require.ErrorIs(t, err, ErrNewerFormat)
	require.ErrorContains(t, err, "2, this program knows 1; use the version that wrote it")

	cfg.ReadOnly = true
	cfg.FS = vfs.NewMem()
	_, err = Open(cfg)
	require.Error(t, err, "nothing to read")
	_, err = Open(Config{Dir: "x"})
	require.ErrorContains(t, err, "must be set")
}

func TestReadOnly(t *testing.T) {
	cfg := testConfig(vfs.NewMem())
	s := openStore(t, cfg)
	m := newSim(p0)
	m.txn(t, s, acquire(t, s, p0), randomChanges(rand.New(rand.NewPCG(1, 1)), 20, 5), true)
	require.NoError(t, s.Close())
	require.ErrorIs(t, s.Flush(), ErrClosed)
	require.NoError(t, s.Close(), "twice is fine")

	cfg.ReadOnly = true
	s = openStore(t, cfg)
	requireState(t, s, p0, m.live)
	l := acquire(t, s, p0)
	st := s.NewStage()
	defer st.Discard()
	_, _, err := m.stage(st, l, nil)
	require.ErrorContains(t, err, "reading only")
	_, err = l.Restore(RestoreConfig{TopicID: topicID})
	require.ErrorContains(t, err, "reading only")
	require.NoError(t, s.Flush())
}

func TestMetrics(t *testing.T) {
	reg := prometheus.NewPedanticRegistry()
	cfg := testConfig(vfs.NewMem())
	cfg.Registerer = reg
	s := openStore(t, cfg)
	m := newSim(p0)
	m.txn(t, s, acquire(t, s, p0), randomChanges(rand.New(rand.NewPCG(1, 1)), 20, 5), true)
	values := func() map[string]float64 {
		all, err := reg.Gather()
		require.NoError(t, err)
		out := map[string]float64{}
		for _, f := range all {
			for _, x := range f.GetMetric() {
				out[f.GetName()] = x.GetCounter().GetValue() + x.GetGauge().GetValue()
			}
		}
		return out
	}
	got := values()
	require.EqualValues(t, 20, got["tocsin_state_applied_changes_total"])
	require.EqualValues(t, 1, got["tocsin_state_leases"])
	require.Positive(t, got["tocsin_state_wal_bytes_total"])

	cfg.FS = vfs.NewMem()
	_, err := Open(cfg)
	require.ErrorContains(t, err, "register metrics")
	require.NotEmpty(t, values(), "the first store's metrics are still there")
	require.NoError(t, s.Close())
	require.Empty(t, values())
}
