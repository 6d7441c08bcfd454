package state

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
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
	binary.BigEndian.PutUint64(b.value, k%3*b.rng.Uint64N(1<<40))
	binary.BigEndian.PutUint64(b.value[8:], b.rng.Uint64N(uint64(30*24*time.Hour)))
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
			for b.Loop() {
				b.StopTimer()
				s := openStore(b, Config{Dir: b.TempDir(), HeadIndex: toyIndex, Now: time.Now})
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
	var u syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func (l *log) feedEmpty(lease *Lease) (Result, error) {
	r, err := lease.Restore(RestoreConfig{Mode: Full, TopicID: topicID})
	if err != nil {
		return Result{}, err
	}
	return r.Finish(0)
}

// BenchmarkApply is the cost per change of the way of a transaction, on the real file system: Change, Seal and Apply of
// transactions of 1,000 heads of 350 B.
func BenchmarkApply(b *testing.B) {
	for _, size := range []int{10, 1000, 10_000} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			s := openStore(b, Config{Dir: b.TempDir(), HeadIndex: toyIndex, Now: time.Now})
			l := acquire(b, s, p0)
			lg := newBenchLog(200_000)
			type head struct {
				index window.Index
				hash  [32]byte
			}
			live := map[string]head{}
			b.ReportAllocs()
			st, n := s.NewStage(), 0
			var changed time.Duration
			for b.Loop() {
				b.StopTimer()
				rec := lg.record()
				for topics.IsSealKey(rec.Key) {
					rec = lg.record()
				}
				old, had := live[string(rec.Key)]
				c := window.Change{Suffix: rec.Key[len(rec.Key)-1:], Value: rec.Value, OldHash: old.hash, HadOld: had}
				c.NewHash = topics.ChangeHash(rec.Key, rec.Value)
				now, _ := toyIndex(rec.Value)
				live[string(rec.Key)] = head{now, c.NewHash}
				b.StartTimer()
				start := time.Now()
				if _, err := st.Change(l, rec.Key[:len(rec.Key)-1], old.index, c); err != nil {
					b.Fatal(err)
				}
				changed += time.Since(start)
				if n++; n%size == 0 {
					if _, err := st.Seal(l, topics.Seal{Partitions: 4}); err != nil {
						b.Fatal(err)
					}
					if err := st.Apply(map[Partition]ChangelogPosition{p0: {topicID, int64(n)}}); err != nil {
						b.Fatal(err)
					}
					st = s.NewStage()
				}
			}
			st.Discard()
			b.ReportMetric(float64(changed.Nanoseconds())/float64(b.N), "ns/change")
		})
	}
}
