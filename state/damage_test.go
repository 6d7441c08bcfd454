package state

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"path"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"tocsin/topics"
)

// damaged is a store of three partitions, each large enough for many blocks, all in one table.
type damaged struct {
	fs   *vfs.MemFS
	cfg  Config
	reg  *prometheus.Registry
	said strings.Builder
	sims []*sim
}

func newDamaged(t *testing.T) *damaged {
	t.Helper()
	d := &damaged{fs: vfs.NewMem(), reg: prometheus.NewRegistry()}
	d.cfg = testConfig(d.fs)
	d.cfg.MemTableBytes, d.cfg.Registerer = 8<<20, d.reg
	d.cfg.Log = slog.New(slog.NewTextHandler(&d.said, &slog.HandlerOptions{Level: slog.LevelError}))
	s, err := Open(d.cfg)
	require.NoError(t, err)
	rng := rand.New(rand.NewPCG(1, 20))
	for id := range int32(3) {
		p := Partition{ID: id}
		l, m := acquire(t, s, p), newSim(p)
		var changes []change
		for i := range 1000 {
			text := fmt.Sprintf("mark-%d-%04d %d %d", id, i, rng.Uint64(), rng.Uint64())
			changes = append(changes, change{keyOf(i), topics.AppendHead(nil), toyHead(int64(i+1), 0, text)})
		}
		m.txn(t, s, l, changes, true)
		d.sims = append(d.sims, m)
	}
	require.NoError(t, s.Close())
	return d
}

func keyOf(i int) []byte { return group(fmt.Sprintf("u-%04d", i)) }

// tables lists the names of files.
func (d *damaged) files(t *testing.T, suffix string) (names []string) {
	t.Helper()
	all, err := d.fs.List(d.cfg.Dir)
	require.NoError(t, err)
	for _, name := range all {
		if strings.Contains(name, suffix) {
			names = append(names, path.Join(d.cfg.Dir, name))
		}
	}
	return names
}

func (d *damaged) write(t *testing.T, name string, b []byte) {
	t.Helper()
	f, err := d.fs.Create(name, "test")
	require.NoError(t, err)
	_, err = f.Write(b)
	require.NoError(t, err)
	require.NoError(t, f.Close())
}

// flip alters a bit of the n-th place in the tables at which there is a text.
func (d *damaged) flip(t *testing.T, text []byte, n int) {
	t.Helper()
	for _, name := range d.files(t, ".sst") {
		b, err := d.fs.UnsafeGetFileDataBuffer(name)
		require.NoError(t, err)
		at := 0
		for ; n >= 0; n-- {
			next := bytes.Index(b[at:], text)
			require.GreaterOrEqual(t, next, 0, "%s does not hold %q", name, text)
			at += next + 1
		}
		b[at] ^= 1 // in place: who has the file open sees it
	}
}

func (d *damaged) metric(t *testing.T, name string) (value float64) {
	t.Helper()
	all, err := d.reg.Gather()
	require.NoError(t, err)
	for _, m := range all {
		if m.GetName() == name {
			return m.Metric[0].GetCounter().GetValue() + m.Metric[0].GetGauge().GetValue()
		}
	}
	require.Fail(t, "no metric "+name)
	return 0
}

// requireMended restores partition 1 in full and checks that nothing of the damage is left.
func (d *damaged) requireMended(t *testing.T, s *Store, l *Lease) {
	t.Helper()
	m := d.sims[1]
	got, err := restore(l, &m.log, RestoreConfig{Mode: Full})
	require.NoError(t, err)
	require.EqualValues(t, 1000, got.Live)
	require.NoError(t, l.Damage())
	requireState(t, s, p1, m.live)
	require.Zero(t, d.metric(t, "tocsin_state_damaged_partitions"))
	require.EqualValues(t, 1, d.metric(t, "tocsin_state_damages_total"))
	require.NoError(t, s.db.Compact(context.Background(), []byte{0}, []byte{0xff}, false), "no compaction meets it again")
	for _, m := range d.sims {
		requireState(t, s, m.p, m.live)
		require.NoError(t, s.Verify(m.p))
	}
	m.txn(t, s, l, []change{{keyOf(3), topics.AppendHead(nil), toyHead(0, 0, "on")}}, true)
	requireState(t, s, p1, m.live)
}

// TestDamagedTable: a block of a table went bad. The partition that reads it is restored in full; the others do not
// notice.
func TestDamagedTable(t *testing.T) {
	get := func(l *Lease) error {
		for i := range 1000 {
			if _, _, err := l.Get(topics.AppendHead(keyOf(i))); err != nil {
				return err
			}
		}
		return nil
	}
	for name, read := range map[string]func(l *Lease, m *sim) error{
		"get":  func(l *Lease, _ *sim) error { return get(l) },
		"scan": func(l *Lease, _ *sim) error { return l.Scan(keyOf(500), func(_, _ []byte) error { return nil }) },
		"tail": func(l *Lease, m *sim) error {
			m.offlineChanges([]change{{keyOf(500), topics.AppendHead(nil), toyHead(0, 0, "new")}})
			_, err := restore(l, &m.log, RestoreConfig{Mode: Tail})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDamaged(t)
			d.flip(t, []byte("mark-1-0500"), 0)
			s := openStore(t, d.cfg)
			l := acquire(t, s, p1)
			_, ok, err := l.Position()
			require.NoError(t, err)
			require.True(t, ok, "nobody knows yet")
			require.ErrorIs(t, read(l, d.sims[1]), ErrDamaged)
			require.Error(t, l.Damage())
			_, ok, err = l.Position()
			require.NoError(t, err)
			require.False(t, ok)
			_, _, err = l.Get(topics.AppendHead(keyOf(1)))
			require.ErrorIs(t, err, ErrDamaged, "it stays so")
			require.Contains(t, d.said.String(), "partition=0/1")
			require.EqualValues(t, 1, d.metric(t, "tocsin_state_damaged_partitions"))
			require.NoError(t, get(acquire(t, s, p0)))
			l.Release()
			l = acquire(t, s, p1) // whoever comes next knows
			mode, _ := l.ChooseMode(topicID, 0, time.Hour)
			require.Equal(t, Full, mode)
			d.requireMended(t, s, l)
		})
	}
}

// TestDamageMetByCompaction: a compaction says which table it could not read, and Run finds whose blocks those are.
func TestDamageMetByCompaction(t *testing.T) {
	d := newDamaged(t)
	d.flip(t, []byte("mark-1-0500"), 0)
	d.cfg.FlushEvery = time.Millisecond
	s := openStore(t, d.cfg)
	l := acquire(t, s, p1)
	for i := range 4 { // level 0 is full then, and a compaction merges it with the table: again and again
		d.sims[1].txn(t, s, l, []change{{keyOf(i), topics.AppendHead(nil), toyHead(0, 0, "new")}}, true)
		require.NoError(t, s.Flush())
	}
	require.Eventually(t, s.suspect.Load, 10*time.Second, time.Millisecond)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- s.Run(ctx) }()
	require.Eventually(t, func() bool { return l.Damage() != nil }, 10*time.Second, time.Millisecond)
	cancel()
	require.NoError(t, <-done)
	for _, p := range []Partition{p0, {ID: 2}} {
		require.NoError(t, s.damage(p))
	}
	d.requireMended(t, s, l)
}

// TestDropDamaged: what an operator drops is gone with its damage.
func TestDropDamaged(t *testing.T) {
	d := newDamaged(t)
	d.flip(t, []byte("mark-1-0500"), 0)
	s := openStore(t, d.cfg)
	require.ErrorContains(t, s.Verify(p1), "checksum")
	l := acquire(t, s, p1)
	require.Error(t, l.Scan(keyOf(500), func(_, _ []byte) error { return nil }))
	l.Release()
	require.NoError(t, s.Drop(p1))
	infos, err := s.Partitions()
	require.NoError(t, err)
	require.Len(t, infos, 2)
	require.NoError(t, s.db.Compact(context.Background(), []byte{0}, []byte{0xff}, false))
}

// TestDamagedStore: what cannot be laid at one partition's door costs the store, if it may be put aside.
func TestDamagedStore(t *testing.T) {
	all := func(t *testing.T, d *damaged, suffix string, how func(name string)) {
		t.Helper()
		names := d.files(t, suffix)
		require.NotEmpty(t, names)
		for _, name := range names {
			how(name)
		}
	}
	for name, break1 := range map[string]func(t *testing.T, d *damaged){
		"table cut off": func(t *testing.T, d *damaged) {
			t.Helper()
			all(t, d, ".sst", func(name string) {
				b, err := d.fs.UnsafeGetFileDataBuffer(name)
				require.NoError(t, err)
				d.write(t, name, bytes.Clone(b[:len(b)/2]))
			})
		},
		"table gone": func(t *testing.T, d *damaged) {
			t.Helper()
			all(t, d, ".sst", func(name string) { require.NoError(t, d.fs.Remove(name)) })
		},
		"end of a table": func(t *testing.T, d *damaged) { // where its blocks are listed
			t.Helper()
			all(t, d, ".sst", func(name string) {
				b, err := d.fs.UnsafeGetFileDataBuffer(name)
				require.NoError(t, err)
				b = bytes.Clone(b)
				for i := len(b) - 200; i < len(b); i++ {
					b[i] ^= 0x55
				}
				d.write(t, name, b)
			})
		},
		"manifest": func(t *testing.T, d *damaged) {
			t.Helper()
			all(t, d, "MANIFEST", func(name string) {
				b, err := d.fs.UnsafeGetFileDataBuffer(name)
				require.NoError(t, err)
				if b = bytes.Clone(b); len(b) > 0 {
					b[len(b)/4] ^= 1
				}
				d.write(t, name, b)
			})
		},
		"marker gone": func(t *testing.T, d *damaged) {
			t.Helper()
			all(t, d, "marker.", func(name string) { require.NoError(t, d.fs.Remove(name)) })
		},
		"block of two partitions": func(t *testing.T, d *damaged) {
			t.Helper()
			// Where the position of partition 1 is: the last entries of partition 0 lie in the same block. At the start it is
			// still good, and it is not kept in memory. To take the one partition out would take the other with it.
			d.cfg.CacheBytes = 1
			s, err := Open(d.cfg)
			require.NoError(t, err)
			d.flip(t, topicID[:], 1)
			l := acquire(t, s, p1)
			require.Error(t, l.Damage())
			require.NoError(t, s.scan())
			require.NoError(t, s.openable(), "it is not given up while a partition is being mended")
			_, err = restore(l, &d.sims[1].log, RestoreConfig{Mode: Full})
			require.ErrorIs(t, err, ErrBroken)
			require.Contains(t, d.said.String(), "restart the process")
			_, ok, err := s.position(p0)
			require.NoError(t, err)
			require.True(t, ok)
			require.NoError(t, s.Close())
		},
		"block of two partitions, met by a restore in full": func(t *testing.T, d *damaged) {
			t.Helper()
			d.cfg.CacheBytes = 1
			s, err := Open(d.cfg)
			require.NoError(t, err)
			l := acquire(t, s, p1)
			d.flip(t, topicID[:], 1)
			_, err = restore(l, &d.sims[1].log, RestoreConfig{Mode: Full})
			require.ErrorIs(t, err, ErrDamaged)
			_, err = restore(l, &d.sims[1].log, RestoreConfig{Mode: Full})
			require.ErrorIs(t, err, ErrBroken)
			require.NoError(t, s.Close())
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDamaged(t)
			break1(t, d)
			s, err := Open(d.cfg)
			if err == nil {
				require.NoError(t, s.Close())
			}
			require.ErrorContains(t, err, "the database is damaged; move the folder away")
			ro := d.cfg
			ro.SetAside, ro.ReadOnly = true, true
			_, err = Open(ro)
			require.Error(t, err, "who only looks changes nothing")

			d.cfg.SetAside = true
			s = openStore(t, d.cfg)
			require.Contains(t, d.said.String(), "put aside")
			require.EqualValues(t, 1, d.metric(t, "tocsin_state_set_aside"))
			aside, err := d.fs.List(path.Join(d.cfg.Dir, asideDir))
			require.NoError(t, err)
			require.NotEmpty(t, aside)
			infos, err := s.Partitions()
			require.NoError(t, err)
			require.Empty(t, infos)
			for _, m := range d.sims {
				_, err := restore(acquire(t, s, m.p), &m.log, RestoreConfig{Mode: Full})
				require.NoError(t, err)
				requireState(t, s, m.p, m.live)
			}
			require.NoError(t, s.Close())
			s = openStore(t, d.cfg)
			require.Zero(t, d.metric(t, "tocsin_state_set_aside"))
			requireState(t, s, p1, d.sims[1].live)
			require.NoError(t, s.Close())

			// Once more: what was put aside before goes.
			all(t, d, ".sst", func(name string) { require.NoError(t, d.fs.Remove(name)) })
			openStore(t, d.cfg)
			again, err := d.fs.List(path.Join(d.cfg.Dir, asideDir))
			require.NoError(t, err)
			require.NotEqual(t, aside, again)
		})
	}
}

// TestUnusable: what passes by itself, or is for an operator, is no reason to put a store aside.
func TestUnusable(t *testing.T) {
	cfg := testConfig(vfs.NewMem())
	cfg.SetAside = true
	s := openStore(t, cfg)
	_, err := Open(cfg)
	require.ErrorContains(t, err, "in use by another process")
	require.NoError(t, s.db.Set(metaFormat, []byte{0, 0, 0, 99}, nil))
	require.NoError(t, s.Close())
	_, err = Open(cfg)
	require.ErrorIs(t, err, ErrNewerFormat)
	names, err := cfg.FS.List(cfg.Dir)
	require.NoError(t, err)
	require.NotContains(t, names, asideDir)
}
