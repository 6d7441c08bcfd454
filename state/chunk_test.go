package state

import (
	"bytes"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// keys draws keys that share long beginnings, are beginnings of each other, and hold zeros.
func keys() *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		p := rapid.SampledFrom([]string{"", "a", "principal-", strings.Repeat("x", 40), "\x00\x00\x00\x00\x00\x00\x00\x00"})
		return p.Draw(t, "prefix") + rapid.StringOfN(rapid.RuneFrom([]rune("\x00ab")), 1, 12, -1).Draw(t, "rest")
	})
}

// TestSortAndMerge: chunks sorted, written and merged give what a map gives to which all was written in order.
func TestSortAndMerge(t *testing.T) {
	fs := vfs.NewMem()
	s := openStore(t, testConfig(fs))
	rapid.Check(t, func(rt *rapid.T) {
		want := map[string][]byte{}
		var sources []source
		for i := range rapid.IntRange(1, 6).Draw(rt, "runs") {
			var c chunk
			for range rapid.IntRange(0, 200).Draw(rt, "records") {
				key := []byte(keys().Draw(rt, "key"))
				var value []byte
				if rapid.IntRange(0, 3).Draw(rt, "dead") > 0 {
					value = rapid.SliceOfN(rapid.Byte(), 0, 3).Draw(rt, "value")
				}
				c.add(key, value)
				want[string(key)] = bytes.Clone(value)
			}
			c.sort()
			require.True(rt, slices.IsSortedFunc(c.recs, func(a, b chunkRecord) int {
				return bytes.Compare(c.key(&a), c.key(&b))
			}))
			if rapid.Bool().Draw(rt, "in memory") {
				sources = append(sources, &chunkSource{chunk: &c})
				continue
			}
			r, err := s.writeRun(string(rune('a'+i)), &c)
			require.NoError(rt, err)
			src, err := s.openRun(r)
			require.NoError(rt, err)
			sources = append(sources, src)
		}
		got, last := map[string][]byte{}, ""
		require.NoError(rt, merge(sources, func(key, value []byte) error {
			if len(got) > 0 {
				require.Greater(rt, string(key), last)
			}
			last = string(key)
			got[last] = bytes.Clone(value)
			return nil
		}))
		for _, src := range sources {
			require.NoError(rt, src.close())
		}
		require.True(rt, maps.EqualFunc(want, got, func(a, b []byte) bool {
			return bytes.Equal(a, b) && (a == nil) == (b == nil)
		}))
	})
}

// TestSortAdversary: keys chosen so that every partition goes wrong must not take long.
func TestSortAdversary(t *testing.T) {
	var c chunk
	for i := range 200_000 {
		key := make([]byte, 24)
		for b := range 8 {
			key[8+b] = byte(i >> (8 * (7 - b)))
		}
		if i%2 == 0 {
			key[8] = 0xff
		}
		c.add(key, nil)
	}
	c.sort()
	require.Len(t, c.recs, 200_000)
	same := []byte("the same key")
	c.reset()
	for range 200_000 {
		c.add(same, []byte{})
	}
	c.sort()
	require.Len(t, c.recs, 1)
	require.Equal(t, 199_999*len(same), c.recs[0].at, "the last one")
}

func BenchmarkSort(b *testing.B) {
	lg := newBenchLog(100_000)
	var full chunk
	for range 90_000 {
		if r := lg.record(); len(r.Key) > 10 {
			full.add(r.Key, r.Value)
		}
	}
	n := len(full.recs)
	recs := make([]chunkRecord, n)
	for b.Loop() {
		copy(recs, full.recs[:n])
		c := chunk{buf: full.buf, recs: recs}
		c.sort()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/record")
}
