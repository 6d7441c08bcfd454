package processor

import (
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"
)

// poolBytes bounds what a client's pool keeps: about what is fetched while a transaction is worked on.
const poolBytes = 16 << 20

// pool keeps the memory of fetched batches for the next ones: without it, decompressed input is most of what the
// program allocates. The client takes from it, and gives back once every record of a batch has been recycled. A batch
// whose records are never recycled is left to the garbage collector.
type pool struct {
	bytes   shelf[byte]
	records shelf[kgo.Record]
}

func newPool() *pool {
	return &pool{bytes: shelf[byte]{most: poolBytes}, records: shelf[kgo.Record]{most: poolBytes / 256}}
}

const (
	// expansion is how much larger than its compressed form a batch is taken to be. Too little costs a new slice, which
	// then takes its place here.
	expansion = 4
	// Slices are made in multiples of these, so that one fits where another was: bytes, and records.
	bytesStep   = 64 << 10
	recordsStep = 256
)

// GetDecompressBytes implements kgo.PoolDecompressBytes.
func (p *pool) GetDecompressBytes(compressed []byte, _ kgo.CompressionCodecType) []byte {
	return p.bytes.get(expansion*len(compressed), bytesStep)
}

// PutDecompressBytes implements kgo.PoolDecompressBytes.
func (p *pool) PutDecompressBytes(b []byte) { p.bytes.put(b) }

// GetRecords implements kgo.PoolRecords.
func (p *pool) GetRecords(n int) []kgo.Record { return p.records.get(n, recordsStep) }

// PutRecords implements kgo.PoolRecords.
func (p *pool) PutRecords(r []kgo.Record) { p.records.put(r) }

// shelf holds slices to be used again, up to a total capacity.
type shelf[T any] struct {
	mu    sync.Mutex
	most  int // total capacity, in elements
	total int
	free  [][]T
}

// get takes the smallest slice of at least that capacity, or makes one, larger by up to a step.
func (s *shelf[T]) get(n, step int) []T {
	s.mu.Lock()
	defer s.mu.Unlock()
	best := -1
	for i, f := range s.free {
		if cap(f) >= n && (best < 0 || cap(f) < cap(s.free[best])) {
			best = i
		}
	}
	if best < 0 {
		return make([]T, 0, (n+step-1)/step*step)
	}
	got, last := s.free[best], len(s.free)-1
	s.free[best], s.free[last] = s.free[last], nil
	s.free = s.free[:last]
	s.total -= cap(got)
	return got[:0]
}

// maxShelf bounds the number of slices, so that a search stays short.
const maxShelf = 64

func (s *shelf[T]) put(b []T) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.free) == maxShelf || s.total+cap(b) > s.most {
		return
	}
	s.free = append(s.free, b)
	s.total += cap(b)
}
