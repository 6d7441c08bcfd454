package window

import (
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"tocsin/topics"
)

// TestIndex: whatever happened to a key, and in whichever of its slots somebody has looked by then, the index of a slot
// is the sorted list of the retained entries that match. The marks are always those of the entries.
func TestIndex(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		const grace = 20
		rules := []*Rule{
			{ID: "a", Kind: "count", Matcher: 1, Threshold: 2, Window: 5, Cooldown: 60, MaxEpisode: 1 << 40},
			{ID: "b", Kind: "count", Matcher: 2, Threshold: 30, Window: 10, Cooldown: 1, MaxEpisode: 8},
			{ID: "c", Kind: "count", Matcher: 2, Threshold: 5, Window: 3, Cooldown: 1, MaxEpisode: 8},
		}
		k, key := new(Key), topics.AppendGroupKey(nil, topics.SpacePrincipal, []byte("org"), []byte("p"))
		parts := &memorySource{key: key, parts: map[string][]byte{}}
		recordTime, from, to := int64(1000), 0, 3
		for i := range rapid.IntRange(1, 150).Draw(t, "steps") {
			if i%ChunkSize == 0 { // whole chunks without matches of one rule go early
				from = rapid.IntRange(0, 2).Draw(t, "from")
				to = rapid.IntRange(from+1, 3).Draw(t, "to")
			}
			recordTime += rapid.Int64Range(0, 6).Draw(t, "pause")
			if et := recordTime - rapid.Int64Range(0, 12).Draw(t, "delay"); !k.Late(et, grace) {
				e := Entry{Time: et, Offset: int64(i), ID: [16]byte{15: byte(i)}}
				_, err := k.Accept(&e, rules[from:to], recordTime, grace, [16]byte{},
					func(r *Rule, crossing int64) [16]byte { return [16]byte{r.ID[0], byte(crossing), byte(crossing >> 8)} })
				require.NoError(t, err)
			}
			if rapid.IntRange(0, 4).Draw(t, "reload") == 0 {
				require.NoError(t, k.Changes(key, grace, new(Scratch), parts.put))
				k = new(Key)
				require.NoError(t, k.Load(key, parts))
			}
			checkIndex(t, k)
		}
	})
}

// checkIndex compares the slots and the marks of k with new ones.
func checkIndex(t require.TestingT, k *Key) {
	for i := range k.chunks {
		require.Equal(t, marksOf(k.chunks[i].entries), k.chunks[i].marks)
	}
	tail := marksOf(k.tail)
	require.Equal(t, tail[:len(k.tail)], k.marks[:len(k.tail)])
	fresh := Key{accepted: k.accepted, chunks: k.chunks, tail: k.tail, slots: make([]slot, len(k.slots))}
	require.NoError(t, fresh.countMatches())
	for i := range k.slots {
		require.Equal(t, fresh.slots[i].matches, k.slots[i].matches)
		if !k.slots[i].indexed {
			require.Empty(t, k.slots[i].refs)
			continue
		}
		fresh.index(i)
		require.Equal(t, append([]ref{}, fresh.slots[i].refs...), append([]ref{}, k.slots[i].refs...))
	}
}

// memorySource holds the parts of one key by suffix.
type memorySource struct {
	key   []byte
	parts map[string][]byte
}

func (m *memorySource) put(_ Index, c Change) error {
	if delete(m.parts, string(c.Suffix)); c.Value != nil {
		m.parts[string(c.Suffix)] = append([]byte{}, c.Value...)
	}
	return nil
}

func (m *memorySource) Get(changeKey []byte) ([]byte, bool, error) {
	v, ok := m.parts[string(changeKey[len(m.key):])]
	return v, ok, nil
}

func (m *memorySource) Scan(_ []byte, visit func(suffix, value []byte) error) error {
	for _, suffix := range slices.Sorted(maps.Keys(m.parts)) {
		if err := visit([]byte(suffix), m.parts[suffix]); err != nil {
			return err
		}
	}
	return nil
}
