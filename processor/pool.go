package processor

import (
	"bytes"
	"encoding/binary"
	"slices"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"
)

// poolBytes bounds what a client's pool keeps: about what lies between being fetched and being judged.
const poolBytes = 6 << 20

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
	// expansion is how much larger than its compressed form a batch is taken to be when it does not say. Too little costs
	// a new slice, which then takes its place here.
	expansion = 4
	// Slices are made in multiples of these, so that one fits where another was: bytes, and records.
	bytesStep   = 16 << 10
	recordsStep = 64
)

// GetDecompressBytes implements kgo.PoolDecompressBytes.
func (p *pool) GetDecompressBytes(compressed []byte, codec kgo.CompressionCodecType) []byte {
	n := expansion * len(compressed)
	if codec == kgo.CodecSnappy {
		n = snappySize(compressed, n)
	}
	return p.bytes.get(n, bytesStep)
}

// snappySize is what a Snappy block says of its size, where that is possible; else the guess: Java's clients send many
// blocks in a frame, whose first bytes would read as a size too.
func snappySize(compressed []byte, guess int) int {
	const most = 32 // times: no Snappy block expands as much
	if bytes.HasPrefix(compressed, []byte("\x82SNAPPY\x00")) {
		return guess
	}
	size, n := binary.Uvarint(compressed)
	if n <= 0 || size < uint64(len(compressed)/2) || size > uint64(most*len(compressed)) {
		return guess
	}
	return int(size)
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
	free  [][]T // the one unused for longest first
}

// get takes the smallest slice that fits, of several the one used last, which may still be in a core's cache; or makes
// one, larger by up to a step. One of more than twice the size does not fit: it will be missed by whoever needs it.
func (s *shelf[T]) get(n, step int) []T {
	s.mu.Lock()
	defer s.mu.Unlock()
	n = max((n+step-1)/step, 1) * step
	best := -1
	for i, f := range s.free {
		if cap(f) >= n && cap(f) <= 2*n && (best < 0 || cap(f) <= cap(s.free[best])) {
			best = i
		}
	}
	if best < 0 {
		return make([]T, 0, n)
	}
	got := s.free[best]
	s.remove(best)
	return got[:0]
}

// maxShelf bounds the number of slices, so that a search stays short.
const maxShelf = 256

// put keeps b, in the place of what has been unused for longest.
func (s *shelf[T]) put(b []T) {
	if cap(b) > s.most {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.free) == maxShelf || s.total+cap(b) > s.most {
		s.remove(0)
	}
	s.free = append(s.free, b)
	s.total += cap(b)
}

func (s *shelf[T]) remove(i int) {
	s.total -= cap(s.free[i])
	s.free = slices.Delete(s.free, i, i+1)
}
