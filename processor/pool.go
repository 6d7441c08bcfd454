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

// expansion is how much larger than its compressed form a batch is taken to be. Too little costs a new slice, which
// then takes its place here.
const expansion = 4

// GetDecompressBytes implements kgo.PoolDecompressBytes.
func (p *pool) GetDecompressBytes(compressed []byte, _ kgo.CompressionCodecType) []byte {
	return p.bytes.get(expansion * len(compressed))
}

// PutDecompressBytes implements kgo.PoolDecompressBytes.
func (p *pool) PutDecompressBytes(b []byte) { p.bytes.put(b) }

// GetRecords implements kgo.PoolRecords.
func (p *pool) GetRecords(n int) []kgo.Record {
	if r := p.records.get(n); cap(r) >= n {
		return r
	}
	return make([]kgo.Record, n)
}

// PutRecords implements kgo.PoolRecords.
func (p *pool) PutRecords(r []kgo.Record) { p.records.put(r) }

// shelf holds slices to be used again, up to a total capacity.
type shelf[T any] struct {
	mu    sync.Mutex
	most  int // total capacity, in elements
	total int
	free  [][]T
}

// get takes the smallest slice of at least that capacity, or else the largest; nil when there is none.
func (s *shelf[T]) get(n int) []T {
	s.mu.Lock()
	defer s.mu.Unlock()
	best := -1
	for i, f := range s.free {
		switch {
		case best < 0,
			cap(f) >= n && (cap(s.free[best]) < n || cap(f) < cap(s.free[best])),
			cap(s.free[best]) < n && cap(f) > cap(s.free[best]):
			best = i
		}
	}
	if best < 0 {
		return nil
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
