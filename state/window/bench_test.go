package window_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"tocsin/state/window"
	"tocsin/topics"
)

// benchKey is a key with so many events of one rule, 20 s apart, and what a store has of it. With 100 there is an
// episode, and more than one part.
func benchKey(b *testing.B, events int) (k *window.Key, groupKey []byte, s benchStore) {
	b.Helper()
	groupKey = topics.AppendGroupKey(nil, topics.SpacePrincipal, []byte("org"), []byte("ann"))
	k, s = new(window.Key), benchStore{groupKey, map[string][]byte{}}
	for i := range events {
		benchAccept(b, k, i)
	}
	require.NoError(b, k.Changes(groupKey, 900*sec, new(window.Scratch), func(_ window.Index, c window.Change) error {
		if c.Value != nil {
			s.parts[string(c.Suffix)] = slices.Clone(c.Value)
		}
		return nil
	}))
	return k, groupKey, s
}

// benchStore gives its parts without copying them.
type benchStore struct {
	key   []byte
	parts map[string][]byte
}

func (s benchStore) Get(changeKey []byte) ([]byte, bool, error) {
	v, ok := s.parts[string(changeKey[len(s.key):])]
	return v, ok, nil
}

func (s benchStore) Scan(_ []byte, visit func(suffix, value []byte) error) error {
	for suffix, value := range s.parts {
		if err := visit([]byte(suffix), value); err != nil {
			return err
		}
	}
	return nil
}

var benchRules = []*window.Rule{{ID: "rule", Version: [8]byte{1}, Kind: "count", Matcher: 1, Threshold: 30,
	Window: 600 * sec, Cooldown: 900 * sec, MaxEpisode: 86_400 * sec}}

func benchAccept(b *testing.B, k *window.Key, i int) {
	b.Helper()
	at := int64(1_700_000_000)*sec + int64(i)*20*sec
	e := window.Entry{Time: at, Offset: int64(i), ID: [16]byte{byte(i), byte(i >> 8)}, Outcome: topics.OutcomeVerified}
	e.SetID([]byte("0195a1c2-7b34-7c1e-9f40-6f2d8f1f7a11"))
	if _, err := k.Accept(&e, benchRules, at, 900*sec, [16]byte{}, newID); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkLoad decodes a key from its parts, which are in memory.
func BenchmarkLoad(b *testing.B) {
	for _, events := range []int{5, 20, 100} {
		b.Run(fmt.Sprint(events), func(b *testing.B) {
			_, groupKey, s := benchKey(b, events)
			k := new(window.Key)
			k.Use(new(window.Memory))
			b.ReportAllocs()
			for b.Loop() {
				if err := k.Load(groupKey, s); err != nil {
					b.Fatal(err)
				}
				k.Release()
			}
		})
	}
}

// BenchmarkEncode is what must be written of a key that has changed: its head, with the digest.
func BenchmarkEncode(b *testing.B) {
	for _, events := range []int{5, 20, 100} {
		b.Run(fmt.Sprint(events), func(b *testing.B) {
			k, groupKey, _ := benchKey(b, events)
			var scratch window.Scratch
			bytes := 0
			b.ReportAllocs()
			for b.Loop() {
				k.SetCounter(k.Counter()+1, 1) // dirty, and no larger than before
				if err := k.Changes(groupKey, 900*sec, &scratch, func(_ window.Index, c window.Change) error {
					bytes = len(c.Value)
					return nil
				}); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(bytes), "B/part")
		})
	}
}
