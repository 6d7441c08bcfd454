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

// TestInterruptedFullRestore: broken off anywhere, by an abort, a lost lease, a kill or a lost page cache, a full restore
// is never taken for complete, and the next one ends with the right state.
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
		_, complete, err := l.Position()
		require.NoError(t, err)
		require.False(t, complete, "seed %d: half a restore has a position", seed)
		mode, _ := l.ChooseMode(topicID, 0, time.Hour)
		require.Equal(t, Full, mode)
		infos, err := s.Partitions()
		require.NoError(t, err)
		require.Len(t, infos, 1)
		require.False(t, infos[0].Complete)

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
			require.Empty(t, contents(t, s, p0))
		})
	}
}

// TestCrashAfterEachTable cuts a full restore off after each table that was ingested, the one with the indexes among
// them. The restore that follows finds a changelog that has gone on.
func TestCrashAfterEachTable(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 12))
	fs := newCrashFS()
	cfg := testConfig(fs)
	s := openStore(t, cfg)
	l, m := acquire(t, s, p0), newSim(p0)
	m.run(t, s, l, rng, 20, 40)
	var crashed []*crashFS
	fs.onRemove = func(name string) {
		if strings.HasSuffix(name, tableSuffix) {
			crashed = append(crashed, fs.crash(100, rng))
		}
	}
	rc := RestoreConfig{Mode: Full, TopicID: topicID, ChunkBytes: 3000}
	_, err := restore(l, &m.log, rc)
	require.NoError(t, err)
	require.NoError(t, s.Close())
	require.Greater(t, len(crashed), 3)
	m.run(t, nil, nil, rng, 0, 40)
	for i, fs := range crashed {
		cfg.FS = fs
		s := openStore(t, cfg)
		l := acquire(t, s, p0)
		_, complete, err := l.Position()
		require.NoError(t, err)
		require.False(t, complete, "table %d", i)
		got, err := restore(l, &m.log, rc)
		require.NoError(t, err, "table %d", i)
		require.Equal(t, i > 0, got.Resumed, "the first progress is written after the first table")
		requireState(t, s, p0, m.live)
		require.NoError(t, s.Close())
	}
}

// TestMarkWithoutExcise: a crash between the mark and the removal of the old records. They must not stay.
func TestMarkWithoutExcise(t *testing.T) {
	s := openStore(t, testConfig(vfs.NewMem()))
	l, m := acquire(t, s, p0), newSim(p0)
	head := topics.AppendHead(nil)
	m.txn(t, s, l, []change{{group("old"), head, toyHead(0, 0, "")}}, true)
	m.offlineChanges([]change{{group("old"), head, nil}, {group("new"), head, toyHead(0, 0, "")}})
	m.log.recs = slices.DeleteFunc(m.log.recs, func(r ChangeRecord) bool { // compacted, and the tombstone is gone too
		return strings.HasPrefix(string(r.Key), string(group("old")))
	})
	require.NoError(t, l.mark(&progress{topicID: topicID, startedAt: s.cfg.Now().UnixNano(), unsealed: -1}))
	l.Release()
	l = acquire(t, s, p0)
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
