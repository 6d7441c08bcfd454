package window_test

import (
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"tocsin/state/window"
	"tocsin/topics"
)

// store is the plainest changelog there is: the live records of one key.
type store struct {
	key    []byte
	parts  map[string]string
	format byte // of what is saved; 0: the default
}

// canonical gives the parts as digests see them.
func (s *store) canonical(t require.TestingT) map[string]string {
	parts := map[string]string{}
	for suffix, value := range s.parts {
		c, err := window.Canonical([]byte(suffix), []byte(value))
		require.NoError(t, err)
		parts[suffix] = string(c)
	}
	return parts
}

func (s *store) Get(changeKey []byte) ([]byte, bool, error) {
	v, ok := s.parts[string(changeKey[len(s.key):])]
	return []byte(v), ok, nil
}

func (s *store) Scan(_ []byte, visit func(suffix, value []byte) error) error {
	for _, suffix := range sortedKeys(s.parts) {
		if err := visit([]byte(suffix), []byte(s.parts[suffix])); err != nil {
			return err
		}
	}
	return nil
}

// save writes the key's changes and checks what they say about the records they replace.
func (s *store) save(t require.TestingT, k *window.Key, key []byte, grace int64) {
	s.key = key
	scratch := window.Scratch{Format: s.format}
	err := k.Changes(key, grace, &scratch, func(old window.Index, c window.Change) error {
		before, had := s.parts[string(c.Suffix)]
		require.Equal(t, had, c.HadOld, "part %x", c.Suffix)
		full := append(append([]byte(nil), key...), c.Suffix...)
		if had {
			require.Equal(t, topics.ChangeHash(full, []byte(before)), c.OldHash)
		}
		if len(c.Suffix) == 1 && had {
			index, err := window.HeadIndex([]byte(before))
			require.NoError(t, err)
			require.Equal(t, index, old)
		}
		if c.Value == nil {
			require.True(t, had, "a tombstone for a part that is not there: %x", c.Suffix)
			delete(s.parts, string(c.Suffix))
			return nil
		}
		require.Equal(t, topics.ChangeHash(full, c.Value), c.NewHash)
		s.parts[string(c.Suffix)] = string(c.Value)
		return nil
	})
	require.NoError(t, err)
}

func drawRules(t *rapid.T) []*window.Rule {
	n := rapid.IntRange(1, 3).Draw(t, "rules")
	rules := make([]*window.Rule, n)
	for i := range rules {
		threshold := rapid.Int64Range(1, 4).Draw(t, "threshold")
		w := rapid.Int64Range(1, 12).Draw(t, "window")
		if threshold == 1 && rapid.Bool().Draw(t, "point") {
			w = 1
		}
		rules[i] = &window.Rule{ID: fmt.Sprint("r", i), Version: [8]byte{byte(i)}, Kind: "count",
			Matcher: uint64(rapid.IntRange(1, n).Draw(t, "matcher")), Threshold: threshold, Window: w,
			Cooldown: rapid.Int64Range(0, 15).Draw(t, "cooldown"), MaxEpisode: rapid.SampledFrom([]int64{8, 40, 1 << 40}).Draw(t, "max")}
	}
	return rules
}

func newID(r *window.Rule, crossing int64) (id [16]byte) {
	copy(id[:4], r.ID)
	binary.BigEndian.PutUint64(id[8:], uint64(crossing))
	return id
}

// matching gives the rules whose matcher is in the set.
func matching(rules []*window.Rule, matchers int) (m []*window.Rule) {
	for _, r := range rules {
		if matchers&(1<<r.Matcher) != 0 {
			m = append(m, r)
		}
	}
	return m
}

// TestReload: writing and loading a key between any two events changes nothing, in whichever format that this build can
// write, and every record of the changelog says rightly what it replaces.
func TestReload(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		const grace = 20
		rules := drawRules(t)
		kept, reloaded := new(window.Key), new(window.Key)
		a, b := &store{parts: map[string]string{}}, &store{parts: map[string]string{}}
		key := topics.AppendGroupKey(nil, topics.SpacePrincipal, []byte("org"), []byte("p"))
		recordTime := int64(1000)
		for i := range rapid.IntRange(1, 120).Draw(t, "steps") {
			recordTime += rapid.Int64Range(0, 4).Draw(t, "pause")
			fireBoth(t, kept, reloaded, recordTime, grace)
			et := recordTime - rapid.Int64Range(0, 25).Draw(t, "delay")
			require.Equal(t, kept.Late(et, grace), reloaded.Late(et, grace))
			if m := matching(rules, rapid.IntRange(0, 15).Draw(t, "matchers")); !kept.Late(et, grace) && len(m) > 0 {
				e := window.Entry{Time: et, Offset: int64(i), ID: [16]byte{byte(i)}, Outcome: topics.OutcomeVerified}
				f := e
				x, err := kept.Accept(&e, m, recordTime, grace, [16]byte{}, newID)
				require.NoError(t, err)
				shown := describe(kept, x)
				y, err := reloaded.Accept(&f, m, recordTime, grace, [16]byte{}, newID)
				require.NoError(t, err)
				require.Equal(t, shown, describe(reloaded, y))
			}
			b.format = byte(rapid.IntRange(topics.OldestValueFormat, topics.NewestValueFormat).Draw(t, "format"))
			b.save(t, reloaded, key, grace)
			reloaded = new(window.Key)
			require.NoError(t, reloaded.Load(key, b))
		}
		a.save(t, kept, key, grace)
		require.Equal(t, a.parts, b.canonical(t))
	})
}

func fireBoth(t require.TestingT, a, b *window.Key, recordTime, grace int64) {
	for {
		due := a.Due(grace)
		require.Equal(t, due, b.Due(grace))
		if due == 0 || due >= recordTime {
			return
		}
		require.Equal(t, describe(a, a.Fire(due, grace, recordTime)), describe(b, b.Fire(due, grace, recordTime)))
	}
}

// describe writes revisions as text.
func describe(k *window.Key, ems []window.Emission) (lines []string) {
	for _, em := range ems {
		e := em.Episode
		line := fmt.Sprintf("%s %d #%d %s count=%d span=[%d,%d] seen=%d crossing=", e.Rule, e.Crossing, e.Revision, em.State,
			e.Count, e.First, e.Last, e.FirstSeen)
		for i := range e.Evidence() {
			line += fmt.Sprint(e.Evidence()[i].Offset, ",")
		}
		line += " recent="
		for _, r := range k.Recent(nil, e, 10) {
			line += fmt.Sprint(r.Offset, ",")
		}
		lines = append(lines, line)
	}
	return lines
}
