package processor

import (
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
)

func TestPool(t *testing.T) {
	t.Parallel()
	p := newPool()
	b := p.GetDecompressBytes(make([]byte, 100_000), kgo.CodecSnappy)
	require.Empty(t, b)
	require.Equal(t, 458_752, cap(b), "four times, in whole steps")
	p.PutDecompressBytes(b)
	require.Equal(t, 458_752, cap(p.GetDecompressBytes(make([]byte, 80_000), kgo.CodecSnappy)), "the one that came back")
	require.Equal(t, bytesStep, cap(p.GetDecompressBytes([]byte("x"), kgo.CodecSnappy)), "a new one")

	small, large := make([]kgo.Record, 10), make([]kgo.Record, 300)
	p.PutRecords(large)
	p.PutRecords(small)
	require.Equal(t, 10, cap(p.GetRecords(5)), "the smallest that will do")
	require.Equal(t, 300, cap(p.GetRecords(11)))
	require.Equal(t, recordsStep, cap(p.GetRecords(11)))

	for range 2 * maxShelf {
		p.PutDecompressBytes(make([]byte, 1))
	}
	require.Len(t, p.bytes.free, maxShelf)
	p.bytes.free = nil
	p.PutDecompressBytes(make([]byte, poolBytes+1))
	require.Empty(t, p.bytes.free, "more than the pool may keep")
}
