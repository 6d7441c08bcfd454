package state

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"tocsin/topics"
)

// TestInterruptedFullRestore: broken off anywhere, by an abort, a lost lease, a kill or a lost page cache, a full
// restore is never taken for complete, and the next one ends with the right state.
func TestInterruptedFullRestore(t *testing.T) {
	resumed := 0
	for seed := range uint64(120) {
		rng := rand.New(rand.NewPCG(seed, 6))
		fs := newCrashFS()
		cfg := testConfig(fs)
		s, err := Open(cfg)
		require.NoError(t, err)
		l, m := acquire(t, s, p0), newSim(p0)
		m.run(t, s, l, rng, 20, 40)
		if rng.IntN(2) == 0 {
			require.NoError(t, s.Flush())
		}
		rc := RestoreConfig{Mode: Full, TopicID: topicID, ChunkBytes: 1 + rng.IntN(1500)}
		r, err := l.Restore(rc)
		require.NoError(t, err)
		stop := rng.IntN(len(m.log.recs) + 1)
		for _, rec := range m.log.recs[:stop] {
			require.NoError(t, r.Add(rec))
		}
		how := rng.IntN(3)
		switch how {
		case 0:
			r.Abort()
			l.Release()
		case 1: // the machine goes down
			cfg.FS = fs.crash(rng.IntN(101), rng)
			r.Abort()
			require.NoError(t, s.Close())
			s, err = Open(cfg)
			require.NoError(t, err)
		case 2: // the process is killed: the kernel has all that was written
			cfg.FS = fs.crash(100, rng)
			r.Abort()
			require.NoError(t, s.Close())
			s, err = Open(cfg)
			require.NoError(t, err)
		}
		l = acquire(t, s, p0)
		pos, complete, err := l.Position()
		require.NoError(t, err)
		if complete { // the mark went with the page cache; all is as it was before
			require.Equal(t, 1, how, "seed %d: half a restore has a position", seed)
			requireState(t, s, p0, m.history[pos.Seal.Sequence])
		} else {
			mode, _ := l.ChooseMode(topicID, 0, time.Hour)
			require.Equal(t, Full, mode)
		}
		infos, err := s.Partitions()
		require.NoError(t, err)
		require.LessOrEqual(t, len(infos), 1)
		if len(infos) == 1 {
			require.Equal(t, complete, infos[0].Complete)
		}

		got, err := restore(l, &m.log, rc)
		require.NoError(t, err, "seed %d", seed)
		require.EqualValues(t, len(m.log.recs), got.Records)
		requireState(t, s, p0, m.live)
		requireLease(t, l, m)
		if got.Resumed {
			resumed++
		}
		require.NoError(t, s.Close())
	}
	require.Greater(t, resumed, 30)
}

// TestFullRestoreBeginsAgain where what is there must not be built upon.
func TestFullRestoreBeginsAgain(t *testing.T) {
	for name, change := range map[string]func(c *RestoreConfig, now *clock){
		"another topic":   func(c *RestoreConfig, _ *clock) { c.TopicID[3]++ },
		"records deleted": func(c *RestoreConfig, _ *clock) { c.LogStart = 60 },
		"too old":         func(_ *RestoreConfig, now *clock) { now.t = now.t.Add(61 * time.Minute) },
	} {
		t.Run(name, func(t *testing.T) {
			cfg, now := testConfig(vfs.NewMem()), &clock{time.Unix(1_700_000_000, 0)}
			cfg.Now = now.now
			s := openStore(t, cfg)
			l, m := acquire(t, s, p0), newSim(p0)
			m.run(t, s, l, rand.New(rand.NewPCG(2, 7)), 0, 40)
			rc := RestoreConfig{Mode: Full, TopicID: topicID, ChunkBytes: 100}
			r, err := l.Restore(rc)
			require.NoError(t, err)
			for _, rec := range m.log.recs[:30] {
				require.NoError(t, r.Add(rec))
			}
			r.Abort()
			change(&rc, now)
			r, err = l.Restore(rc)
			require.NoError(t, err)
			require.Equal(t, rc.LogStart, r.From())
			require.Equal(t, Result{}, r.Progress())
			r.Abort()
			names, err := cfg.FS.List(cfg.Dir)
			require.NoError(t, err)
			for _, name := range names {
				require.False(t, strings.HasPrefix(name, runPrefix), "left over: %s", name)
			}
		})
	}
}

// TestCrashAfterEachFile cuts a full restore off while runs are written, and after each table that was ingested, the
// ones with the indexes among them. The restore that follows finds a changelog that has gone on.
func TestCrashAfterEachFile(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 12))
	fs := newCrashFS()
	cfg := testConfig(fs)
	s := openStore(t, cfg)
	l, m := acquire(t, s, p0), newSim(p0)
	m.run(t, s, l, rng, 20, 40)
	require.NoError(t, s.Flush()) // the position of before survives everything
	var crashed []*crashFS
	ingested := 0
	fs.onRemove = func(name string) { // a table has become the database's: its first name is removed
		if strings.Contains(name, runPrefix) {
			ingested++
			crashed = append(crashed, fs.crash(100, rng), fs.crash(0, rng), fs.crash(50, rng))
		}
	}
	rc := RestoreConfig{Mode: Full, TopicID: topicID, ChunkBytes: 1500}
	r, err := l.Restore(rc)
	require.NoError(t, err)
	for i, rec := range m.log.recs {
		require.NoError(t, r.Add(rec))
		if i%9 == 0 {
			crashed = append(crashed, fs.crash(100, rng), fs.crash(50, rng))
		}
	}
	before := len(crashed)
	_, err = r.Finish(m.log.next)
	require.NoError(t, err)
	require.NoError(t, s.Close())
	fs.onRemove = nil
	require.Greater(t, before, 10)
	require.Greater(t, ingested, 5)
	m.run(t, nil, nil, rng, 0, 40)
	resumed, complete := 0, 0
	for i, fs := range crashed {
		cfg.FS = fs
		s := openStore(t, cfg)
		l := acquire(t, s, p0)
		mode, _ := l.ChooseMode(topicID, 0, time.Hour)
		if mode == Tail { // it has ended, or what was there before is still there
			complete++
			require.NoError(t, s.Verify(p0))
		}
		rc.Mode = mode
		got, err := restore(l, &m.log, rc)
		require.NoError(t, err, "crash %d", i)
		if got.Resumed {
			resumed++
		}
		requireState(t, s, p0, m.live)
		require.NoError(t, s.Close())
		names, err := fs.List(cfg.Dir)
		require.NoError(t, err)
		for _, name := range names {
			require.False(t, strings.HasPrefix(name, runPrefix), "left over: %s", name)
		}
	}
	require.Greater(t, resumed, 5)
	require.Positive(t, complete)
}

// TestDamagedRun: a run that was altered on disk is noticed, and the restore begins again.
func TestDamagedRun(t *testing.T) {
	for name, damage := range map[string]func(b []byte) []byte{
		"cut off":    func(b []byte) []byte { return b[:len(b)-3] },
		"longer":     func(b []byte) []byte { return append(b, 1, 1, 'a') },
		"bit":        func(b []byte) []byte { b[len(b)/2] ^= 4; return b },
		"huge count": func(b []byte) []byte { copy(b, "\xff\xff\xff\xff\xff\xff\xff\x7f"); return b },
		"gone":       nil,
	} {
		t.Run(name, func(t *testing.T) {
			fs := vfs.NewMem()
			s := openStore(t, testConfig(fs))
			l, m := acquire(t, s, p0), newSim(p0)
			m.run(t, s, l, rand.New(rand.NewPCG(1, 14)), 0, 40)
			rc := RestoreConfig{Mode: Full, TopicID: topicID, ChunkBytes: 1500}
			r, err := l.Restore(rc)
			require.NoError(t, err)
			for _, rec := range m.log.recs {
				require.NoError(t, r.Add(rec))
			}
			r.Abort()
			at, ok, err := s.progress(p0)
			require.NoError(t, err)
			require.True(t, ok)
			path := s.path(at.runs[1].name)
			if damage == nil {
				require.NoError(t, fs.Remove(path))
			} else {
				b, err := fs.UnsafeGetFileDataBuffer(path)
				require.NoError(t, err)
				b = damage(slices.Clone(b))
				f, err := fs.Create(path, "test")
				require.NoError(t, err)
				_, err = f.Write(b)
				require.NoError(t, err)
				require.NoError(t, f.Close())
				_, err = restore(l, &m.log, rc)
				require.ErrorIs(t, err, errRunDamaged)
			}
			got, err := restore(l, &m.log, rc)
			require.NoError(t, err)
			require.False(t, got.Resumed)
			requireState(t, s, p0, m.live)
		})
	}
}

// TestOldRecordsGo: what the partition had before a full restore must not stay, even where the changelog has nothing of
// it any more.
func TestOldRecordsGo(t *testing.T) {
	s := openStore(t, testConfig(vfs.NewMem()))
	l, m := acquire(t, s, p0), newSim(p0)
	head := topics.AppendHead(nil)
	m.txn(t, s, l, []change{{group("old"), head, toyHead(0, 0, "")}}, true)
	m.offlineChanges([]change{{group("old"), head, nil}, {group("new"), head, toyHead(0, 0, "")}})
	m.log.recs = slices.DeleteFunc(m.log.recs, func(r ChangeRecord) bool { // compacted, and the tombstone is gone too
		return strings.HasPrefix(string(r.Key), string(group("old")))
	})
	got, err := restore(l, &m.log, RestoreConfig{Mode: Full})
	require.NoError(t, err)
	require.False(t, got.Resumed)
	requireState(t, s, p0, m.live)
}

// TestFullTwice: a restore that has ended leaves nothing to resume.
func TestFullTwice(t *testing.T) {
	s := openStore(t, testConfig(vfs.NewMem()))
	l, m := acquire(t, s, p0), newSim(p0)
	rng := rand.New(rand.NewPCG(1, 13))
	for range 3 {
		m.run(t, s, l, rng, 3, 3)
		got, err := restore(l, &m.log, RestoreConfig{Mode: Full, ChunkBytes: 500})
		require.NoError(t, err)
		require.False(t, got.Resumed)
		requireState(t, s, p0, m.live)
	}
}
