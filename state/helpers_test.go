package state

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"tocsin/state/window"
	"tocsin/topics"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDirEnv); dir != "" {
		runChild(dir)
		return
	}
	goleak.VerifyTestMain(m)
}

// A toy head: due and last write, 8 bytes each, then anything.
func toyHead(due, lastWrite int64, rest string) []byte {
	b := binary.BigEndian.AppendUint64(nil, uint64(due))
	b = binary.BigEndian.AppendUint64(b, uint64(lastWrite))
	return append(b, rest...)
}

func toyIndex(head []byte) (window.Index, error) {
	if len(head) < 16 {
		return window.Index{}, errors.New("toy head: too short")
	}
	return window.Index{
		Due:       int64(binary.BigEndian.Uint64(head)),
		LastWrite: int64(binary.BigEndian.Uint64(head[8:])),
	}, nil
}

// Toy values have one format.
func toyFormat([]byte) error { return nil }

func toyCanonical(_, value []byte) ([]byte, error) { return value, nil }

// clock is a wall clock that stands still.
type clock struct{ t time.Time }

func (c *clock) now() time.Time { return c.t }

func testConfig(fs vfs.FS) Config {
	return Config{
		FS: fs, Dir: "state", HeadIndex: toyIndex, CheckFormat: toyFormat, Canonical: toyCanonical,
		Now:           (&clock{time.Unix(1_700_000_000, 0)}).now,
		MemTableBytes: 1 << 20, CacheBytes: 1 << 20,
	}
}

func openStore(t testing.TB, cfg Config) *Store {
	t.Helper()
	s, err := Open(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

func acquire(t testing.TB, s *Store, p Partition) *Lease {
	t.Helper()
	l, err := s.Acquire(context.Background(), p, "test")
	require.NoError(t, err)
	return l
}

// crashFS is a file system in memory that can be cut off. MemFS takes its lock twice in some calls, which stops
// everything when a clone is asked for in between: these calls and the clone exclude each other here.
type crashFS struct {
	*vfs.MemFS
	mu       sync.RWMutex
	onRemove func(name string) // called after each Remove
}

func newCrashFS() *crashFS { return &crashFS{MemFS: vfs.NewCrashableMem()} }

// crash gives what is on the disk after a crash of the machine: all that was synced, and this percentage of the rest.
func (fs *crashFS) crash(unsynced int, rng *rand.Rand) *crashFS {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	return &crashFS{MemFS: fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: unsynced, RNG: rng})}
}

func (fs *crashFS) Link(oldname, newname string) error {
	fs.mu.RLock()
	defer fs.mu.RUnlock()
	return fs.MemFS.Link(oldname, newname)
}

func (fs *crashFS) ReuseForWrite(oldname, newname string, category vfs.DiskWriteCategory) (vfs.File, error) {
	fs.mu.RLock()
	defer fs.mu.RUnlock()
	return fs.MemFS.ReuseForWrite(oldname, newname, category)
}

func (fs *crashFS) Remove(name string) error {
	err := fs.MemFS.Remove(name)
	if fs.onRemove != nil {
		fs.onRemove(name)
	}
	return err
}

func (fs *crashFS) Lock(name string) (io.Closer, error) {
	fs.mu.RLock()
	defer fs.mu.RUnlock()
	return fs.MemFS.Lock(name)
}

var (
	p0      = Partition{0, 0}
	p1      = Partition{0, 1}
	topicID = [16]byte{0xc0, 15: 0xff}
	inputID = [16]byte{0x10}
)

// log is a changelog partition: records at their offsets, and the offsets that markers take up.
type log struct {
	recs []ChangeRecord
	next int64
}

func (l *log) append(key, value []byte) int64 {
	l.recs = append(l.recs, ChangeRecord{l.next, key, value})
	l.next++
	return l.next - 1
}

// compact keeps the last record of each key up to (not including) an offset, as a broker's cleaner does.
func (l *log) compact(upTo int64) {
	last := map[string]int64{}
	for _, r := range l.recs {
		if r.Offset < upTo {
			last[string(r.Key)] = r.Offset
		}
	}
	l.recs = slices.DeleteFunc(l.recs, func(r ChangeRecord) bool {
		return r.Offset < upTo && last[string(r.Key)] != r.Offset
	})
}

// feed gives the records from r.From() on to a restore and finishes it.
func (l *log) feed(r *Restore) (Result, error) {
	defer r.Abort()
	for _, rec := range l.recs {
		if rec.Offset >= r.From() {
			if err := r.Add(rec); err != nil {
				return Result{}, err
			}
		}
	}
	return r.Finish(l.next)
}

// change is one change of a test transaction.
type change struct {
	group, suffix, value []byte // a nil value removes
}

// sim is one partition as it should be: what is live, after which transaction, and its changelog.
type sim struct {
	p    Partition
	live map[string][]byte // change key → value
	log  log
	seal topics.Seal
	// history[n] is live after the transaction with sequence n, if keepHistory.
	history     []map[string][]byte
	keepHistory bool
}

func newSim(p Partition) *sim { return &sim{p: p, live: map[string][]byte{}} }

// stage gives the changes of one transaction to a stage, as an engine does, and seals it.
func (m *sim) stage(st *Stage, l *Lease, changes []change) (recs []ChangeRecord, seal topics.Seal, err error) {
	over := map[string][]byte{} // the same key may be changed twice
	for _, c := range changes {
		key := string(c.group) + string(c.suffix)
		old, had := over[key]
		if !had {
			old = m.live[key]
		}
		wc := window.Change{Suffix: c.suffix, Value: c.value, HadOld: old != nil}
		var ix window.Index
		if old != nil {
			wc.OldHash = topics.ChangeHash([]byte(key), old)
			if len(c.suffix) == 1 {
				ix, _ = toyIndex(old)
			}
		}
		if c.value != nil {
			wc.NewHash = topics.ChangeHash([]byte(key), c.value)
		}
		got, err := st.Change(l, c.group, ix, wc)
		if err != nil {
			return nil, seal, err
		}
		if string(got) != key {
			return nil, seal, fmt.Errorf("change key %q, want %q", got, key)
		}
		over[key] = c.value
		recs = append(recs, ChangeRecord{Key: got, Value: c.value})
	}
	seal, err = st.Seal(l, topics.Seal{
		InputTopicID: inputID, Partition: m.p.ID, Partitions: 4, Next: m.seal.Next + int64(len(changes)) + 1,
	})
	return recs, seal, err
}

// commit makes a staged transaction part of the changelog and of what should be.
func (m *sim) commit(recs []ChangeRecord, seal topics.Seal) ChangelogPosition {
	for _, r := range recs {
		m.log.append(r.Key, r.Value)
		if r.Value == nil {
			delete(m.live, string(r.Key))
		} else {
			m.live[string(r.Key)] = r.Value
		}
	}
	at := m.log.append([]byte(topics.SealKey), seal.Append(nil))
	m.log.next++ // the marker
	m.seal = seal
	if m.keepHistory {
		if m.history == nil {
			m.history = []map[string][]byte{{}}
		}
		m.history = append(m.history, maps.Clone(m.live))
	}
	return ChangelogPosition{TopicID: topicID, Next: at + 1}
}

// txn runs one transaction of one partition to its end; apply false: committed in Kafka, and then the process died.
func (m *sim) txn(t testing.TB, s *Store, l *Lease, changes []change, apply bool) {
	t.Helper()
	st := s.NewStage()
	recs, seal, err := m.stage(st, l, changes)
	require.NoError(t, err)
	at := m.commit(recs, seal)
	if !apply {
		st.Discard()
		return
	}
	require.NoError(t, st.Apply(map[Partition]ChangelogPosition{m.p: at}))
}

// contents reads what the store has for p.
func contents(t testing.TB, s *Store, p Partition) map[string][]byte {
	t.Helper()
	got := map[string][]byte{}
	require.NoError(t, s.Visit(p, func(key, value []byte) error {
		got[string(key)] = append([]byte{}, value...)
		return nil
	}))
	return got
}

// requireState checks data, sum and indexes.
func requireState(t testing.TB, s *Store, p Partition, want map[string][]byte) {
	t.Helper()
	got := contents(t, s, p)
	require.Len(t, got, len(want))
	for k, v := range want {
		require.Equal(t, v, got[k], "%q", k)
	}
	require.NoError(t, s.Verify(p))
}

func group(name string) []byte {
	return topics.AppendGroupKey(nil, topics.SpacePrincipal, []byte("org"), []byte(name))
}

// randomChanges draws the changes of a transaction over a small set of keys, so that they meet.
func randomChanges(rng *rand.Rand, n, keys int) []change {
	var out []change
	for range n {
		g := group(fmt.Sprintf("user-%d", rng.IntN(keys)))
		c := change{group: g}
		switch rng.IntN(4) {
		case 0, 1:
			c.suffix = topics.AppendHead(nil)
			due := int64(rng.IntN(5)) * int64(time.Hour)
			c.value = toyHead(due, int64(rng.IntN(10)-5)*int64(20*time.Hour), fmt.Sprint(rng.Uint64()))
		case 2:
			c.suffix = topics.AppendChunk(nil, uint32(rng.IntN(3)))
			c.value = fmt.Appendf(nil, "chunk %d", rng.Uint64())
		case 3:
			c.suffix = topics.AppendEvidence(nil, [16]byte{byte(rng.IntN(2))})
			c.value = fmt.Appendf(nil, "evidence %d", rng.Uint64())
		}
		if rng.IntN(4) == 0 {
			c.value = nil
		}
		out = append(out, c)
	}
	return out
}

func isLost(err error) bool   { return errors.Is(err, ErrLeaseLost) }
func isClosed(err error) bool { return errors.Is(err, ErrClosed) }
