package window_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"tocsin/state/window"
	"tocsin/topics"
)

// FuzzLoad: whatever stands in the store, loading it gives an error or a key that writes itself as it was read; never a
// panic, and never more memory than the input can account for.
func FuzzLoad(f *testing.F) {
	key := topics.AppendGroupKey(nil, topics.SpacePrincipal, []byte("o"), []byte("p"))
	seed := &store{parts: map[string]string{}}
	k := new(window.Key)
	rules := []*window.Rule{{ID: "r", Matcher: 7, Threshold: 2, Window: 10, Cooldown: 10, MaxEpisode: 100}}
	for i := range 20 {
		e := window.Entry{Time: int64(i), Offset: int64(i), ID: [16]byte{byte(i)}}
		e.SetID([]byte("id"))
		_, err := k.Accept(&e, rules, int64(i), 5, [16]byte{1}, newID)
		require.NoError(f, err)
	}
	seed.save(f, k, key, 5)
	var head, chunk, evidence string
	for suffix, value := range seed.parts {
		switch suffix[0] {
		case topics.PartHead:
			head = value
		case topics.PartChunk:
			chunk = value
		case topics.PartEvidence:
			evidence = value
		}
	}
	f.Add([]byte(head), []byte(chunk), []byte(evidence))
	f.Fuzz(func(t *testing.T, head, chunk, evidence []byte) {
		s := &store{key: key, parts: map[string]string{
			string(topics.AppendHead(nil)):                         string(head),
			string(topics.AppendChunk(nil, 0)):                     string(chunk),
			string(topics.AppendEvidence(nil, newID(rules[0], 1))): string(evidence),
		}}
		k := new(window.Key)
		if k.Load(key, s) != nil || !k.Live() {
			return
		}
		_, err := window.HeadIndex(head)
		require.NoError(t, err)
		k.Late(3, 5)
		k.Find([16]byte{3}, [32]byte{})
		k.Due(5)
	})
}
