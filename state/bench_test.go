package state

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tocsin/state/window"
	"tocsin/topics"
)

// benchLog makes a changelog of n records of about 350 B over n/1.25 keys, with a seal after every thousand.
type benchLog struct {
	rng    *rand.Rand
	keys   int
	next   int64
	seal   topics.Seal
	hashes map[uint64][32]byte // of the live value of each key
	roll   topics.Rolling
	key    []byte
	value  []byte
}

func newBenchLog(n int) *benchLog {
	b := &benchLog{rng: rand.New(rand.NewPCG(1, 1)), keys: n * 4 / 5, hashes: make(map[uint64][32]byte, n)}
	b.value = toyHead(0, 0, string(make([]byte, 300)))
	b.seal = topics.Seal{InputTopicID: inputID, Partitions: 4}
	b.roll.Reset(b.seal.Rolling)
	return b
}

func (b *benchLog) record() ChangeRecord {
	rec := ChangeRecord{Offset: b.next}
	b.next++
	if b.next%1001 == 0 {
		b.seal.Sequence++
		b.seal.Rolling = b.roll.Sum()
		b.roll.Reset(b.seal.Rolling)
		rec.Key, rec.Value = []byte(topics.SealKey), b.seal.Append(nil)
		return rec
	}
	k := b.rng.Uint64N(uint64(b.keys))
	b.key = topics.AppendGroupKey(b.key[:0], topics.SpacePrincipal, fmt.Appendf(nil, "org-%d", k%50),
		fmt.Appendf(nil, "principal-%08d", k))
	b.key = topics.AppendHead(b.key)
	due := uint64(0) // most keys wait for nothing
	if k%10 == 0 {
		due = b.rng.Uint64N(1 << 40)
	}
	binary.BigEndian.PutUint64(b.value, due)
	binary.BigEndian.PutUint64(b.value[8:], uint64(b.next)*uint64(100*time.Microsecond))
	for i := 16; i+8 <= len(b.value); i += 8 { // half of it does not compress
		if i%16 == 0 {
			binary.BigEndian.PutUint64(b.value[i:], b.rng.Uint64())
		}
	}
	if old, ok := b.hashes[k]; ok {
		b.seal.Sum.Sub(old)
	}
	h := topics.ChangeHash(b.key, b.value)
	b.hashes[k] = h
	b.seal.Sum.Add(h)
	b.roll.Add(b.key, b.value)
	rec.Key, rec.Value = b.key, b.value
	return rec
}

// BenchmarkRestore restores a million records on the real file system. Run it with -benchtime=1x; making the records is
// not counted.
func BenchmarkRestore(b *testing.B) {
	const n = 1001 * 1000
	recs := make([]ChangeRecord, 0, n)
	arena := make([]byte, 0, n*370)
	lg := newBenchLog(n)
	for range n {
		r := lg.record()
		at := len(arena)
		arena = append(append(arena, r.Key...), r.Value...)
		r.Key, r.Value = arena[at:at+len(r.Key)], arena[at+len(r.Key):]
		recs = append(recs, r)
	}
	for _, mode := range []Mode{Full, Tail} {
		b.Run(mode.String(), func(b *testing.B) {
			var cpu time.Duration
			b.ReportAllocs()
			for b.Loop() {
				b.StopTimer()
				s := openStore(b, Config{Dir: b.TempDir(), HeadIndex: toyIndex, CheckFormat: toyFormat, Now: time.Now})
				l := acquire(b, s, p0)
				if mode == Tail {
					_, err := (&log{}).feedEmpty(l)
					require.NoError(b, err)
				}
				cpu -= cpuTime(b)
				b.StartTimer()
				r, err := l.Restore(RestoreConfig{Mode: mode, TopicID: topicID})
				require.NoError(b, err)
				for _, rec := range recs {
					if err := r.Add(rec); err != nil {
						b.Fatal(err)
					}
				}
				_, err = r.Finish(n)
				require.NoError(b, err)
				b.StopTimer()
				cpu += cpuTime(b)
				require.NoError(b, s.Close())
				b.StartTimer()
			}
			b.ReportMetric(float64(b.N)*n/b.Elapsed().Seconds(), "records/s")
			b.ReportMetric(float64(cpu.Nanoseconds())/float64(b.N)/n, "cpu-ns/record")
		})
	}
}

// cpuTime is what the process has used of all cores: on a machine with other work, elapsed time says little.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkGet reads heads of about 350 B of a hundred thousand keys, in no order, as a restarted process does: once
// the table's blocks are in memory.
func BenchmarkGet(b *testing.B) {
	const n = 1001 * 100 // ends with a seal
	s := openStore(b, Config{Dir: b.TempDir(), HeadIndex: toyIndex, CheckFormat: toyFormat, Now: time.Now})
	l := acquire(b, s, p0)
	lg := newBenchLog(n)
	r, err := l.Restore(RestoreConfig{Mode: Full, TopicID: topicID})
	require.NoError(b, err)
	var keys [][]byte
	for range n {
		rec := lg.record()
		require.NoError(b, r.Add(rec))
		if !topics.IsSealKey(rec.Key) {
			keys = append(keys, bytes.Clone(rec.Key))
		}
	}
	_, err = r.Finish(n)
	require.NoError(b, err)
	i := 0
	b.ReportAllocs()
	for b.Loop() {
		if _, ok, err := l.Get(keys[i]); err != nil || !ok {
			b.Fatal(ok, err)
		}
		i = (i + 7919) % len(keys)
	}
}

func (l *log) feedEmpty(lease *Lease) (Result, error) {
	r, err := lease.Restore(RestoreConfig{Mode: Full, TopicID: topicID})
	if err != nil {
		return Result{}, err
	}
	return r.Finish(0)
}

// BenchmarkApply is the way of a transaction, on the real file system: Change for each of its heads of about 350 B,
// Seal and Apply. The hashes are given by the caller, as an engine does, and not counted.
func BenchmarkApply(b *testing.B) {
	for _, size := range []int{10, 1000, 10_000} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			s := openStore(b, Config{Dir: b.TempDir(), HeadIndex: toyIndex, CheckFormat: toyFormat, Now: time.Now})
			l := acquire(b, s, p0)
			e := newBenchEngine()
			var changed, applied, cpu time.Duration
			next := int64(0)
			b.ReportAllocs()
			for b.Loop() {
				b.StopTimer()
				changes := e.changes(size)
				cpu -= cpuTime(b)
				b.StartTimer()
				start := time.Now()
				st := s.NewStage()
				for i := range changes {
					c := &changes[i]
					if _, err := st.Change(l, c.group, c.old, c.change); err != nil {
						b.Fatal(err)
					}
				}
				if _, err := st.Seal(l, topics.Seal{Partitions: 4}); err != nil {
					b.Fatal(err)
				}
				half := time.Now()
				next++
				if err := st.Apply(map[Partition]ChangelogPosition{p0: {topicID, next}}); err != nil {
					b.Fatal(err)
				}
				changed += half.Sub(start)
				applied += time.Since(half)
				b.StopTimer()
				cpu += cpuTime(b)
				b.StartTimer()
			}
			per := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / float64(b.N*size) }
			b.ReportMetric(per(changed), "ns/change")
			b.ReportMetric(per(applied), "apply-ns/change")
			b.ReportMetric(per(cpu), "cpu-ns/change")
		})
	}
}

// benchEngine makes changes and remembers what the store has, as the processor does.
type benchEngine struct {
	log  *benchLog
	live map[string]benchHead
}

type benchHead struct {
	index window.Index
	hash  [32]byte
}

type benchChange struct {
	group  []byte
	old    window.Index
	change window.Change
}

func newBenchEngine() *benchEngine {
	return &benchEngine{log: newBenchLog(100_000), live: map[string]benchHead{}}
}

func (e *benchEngine) changes(n int) []benchChange {
	out := make([]benchChange, 0, n)
	for len(out) < n {
		rec := e.log.record()
		if topics.IsSealKey(rec.Key) {
			continue
		}
		old, had := e.live[string(rec.Key)]
		value := append([]byte{}, rec.Value...)
		group := append([]byte{}, rec.Key[:len(rec.Key)-1]...)
		now, _ := toyIndex(value)
		hash := topics.ChangeHash(rec.Key, value)
		e.live[string(rec.Key)] = benchHead{now, hash}
		out = append(out, benchChange{group, old.index, window.Change{
			Suffix: topics.AppendHead(nil), Value: value, NewHash: hash, OldHash: old.hash, HadOld: had,
		}})
	}
	slices.SortStableFunc(out, func(a, b benchChange) int { return bytes.Compare(a.group, b.group) })
	return out
}
