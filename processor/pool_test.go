package processor

import (
	"bytes"
	"testing"

	"github.com/klauspost/compress/s2"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
)

func TestPool(t *testing.T) {
	t.Parallel()
	p := newPool()
	b := p.GetDecompressBytes(make([]byte, 100_000), kgo.CodecLz4)
	require.Empty(t, b)
	require.Equal(t, 409_600, cap(b), "four times, in whole steps")
	p.PutDecompressBytes(b)
	require.Equal(t, 409_600, cap(p.GetDecompressBytes(make([]byte, 80_000), kgo.CodecLz4)), "the one that came back")
	p.PutDecompressBytes(b)
	require.Equal(t, bytesStep, cap(p.GetDecompressBytes([]byte("x"), kgo.CodecLz4)),
		"a new one: the large one will be missed")

	text := bytes.Repeat([]byte("a Snappy block says how large it is. "), 3000)
	require.Equal(t, 114_688, cap(p.GetDecompressBytes(s2.EncodeSnappy(nil, text), kgo.CodecSnappy)))
	require.Equal(t, bytesStep, cap(p.GetDecompressBytes([]byte{0xff, 0xff, 0xff, 0xff, 0x0f, 0}, kgo.CodecSnappy)),
		"what nothing of that length can hold is not believed")
	require.Equal(t, bytesStep, cap(p.GetDecompressBytes(nil, kgo.CodecSnappy)))
	framed := append([]byte("\x82SNAPPY\x00"), make([]byte, 8192)...)
	require.Equal(t, 3*bytesStep, cap(p.GetDecompressBytes(framed, kgo.CodecSnappy)), "four times: a frame says nothing")

	small, large := make([]kgo.Record, 64), make([]kgo.Record, 100)
	p.PutRecords(large)
	p.PutRecords(small)
	require.Equal(t, 64, cap(p.GetRecords(5)), "the smallest that will do")
	require.Equal(t, 100, cap(p.GetRecords(11)))
	require.Equal(t, recordsStep, cap(p.GetRecords(11)))
}

func TestPoolIsBounded(t *testing.T) {
	t.Parallel()
	p := newPool()
	for range 2 * maxShelf {
		p.PutDecompressBytes(make([]byte, 1))
	}
	require.Len(t, p.bytes.free, maxShelf)
	const large = poolBytes / 6
	for i := range 20 {
		p.PutDecompressBytes(make([]byte, large+i))
	}
	require.LessOrEqual(t, p.bytes.total, poolBytes)
	require.Equal(t, 5, len(p.bytes.free)) //nolint:testifylint // it would print megabytes
	require.Equal(t, large+15, cap(p.bytes.free[0]), "the ones unused for longest have gone")
	p.PutDecompressBytes(make([]byte, poolBytes+1))
	require.Equal(t, 5, len(p.bytes.free), "more than the pool may keep") //nolint:testifylint // the same
}
