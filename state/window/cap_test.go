package window_test

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"tocsin/state/window"
	"tocsin/topics"
)

// TestCap: a key with more events than are kept exactly stays bounded, goes on counting, says that it is approximate,
// and is the same after every reload.
func TestCap(t *testing.T) {
	t.Parallel()
	const second, grace = int64(1e9), int64(900e9)
	busy := &window.Rule{ID: "busy", Version: [8]byte{1}, Matcher: 1, Threshold: 50, Window: 60 * second, Cooldown: grace, MaxEpisode: 1 << 60}
	rare := &window.Rule{ID: "rare", Version: [8]byte{2}, Matcher: 2, Threshold: 3, Window: 600 * second, Cooldown: grace, MaxEpisode: 1 << 60}
	key := topics.AppendGroupKey(nil, topics.SpacePrincipal, nil, []byte("hot"))
	s := &store{parts: map[string]string{}}
	k := new(window.Key)
	random := rand.New(rand.NewPCG(1, 2))
	const events = 40_000
	opened := map[string]int{}
	at := int64(1e18)
	for i := range events {
		at += second / 20
		e := window.Entry{Time: at - random.Int64N(5*second), Offset: int64(i), Outcome: topics.OutcomeVerified}
		binary.LittleEndian.PutUint64(e.ID[:], uint64(i))
		rules := []*window.Rule{busy}
		if i%1000 == 999 {
			rules = append(rules, rare)
		}
		require.False(t, k.Late(e.Time, grace))
		duplicate, conflict := k.Find(e.ID, e.Hash)
		require.False(t, duplicate || conflict)
		ems, err := k.Accept(&e, rules, at, grace, [16]byte{}, newID)
		require.NoError(t, err)
		for _, em := range ems {
			if em.Cause == window.CauseOpened {
				opened[em.Episode.Rule]++
			}
			require.Equal(t, i > window.MaxEntries, em.Episode.Approximate && em.Episode.Rule == "busy" || i > window.MaxEntries && em.Episode.Rule == "rare", "event %d", i)
		}
		if i%997 == 0 {
			s.save(t, k, key, grace)
			k = new(window.Key)
			require.NoError(t, k.Load(key, s))
		}
	}
	s.save(t, k, key, grace)
	require.LessOrEqual(t, k.Len(), window.MaxEntries)
	require.LessOrEqual(t, len(s.parts[string(topics.AppendHead(nil))]), 8<<10)
	require.Equal(t, map[string]int{"busy": 1, "rare": 1}, opened)
	for k.Due(grace) != 0 {
		for _, em := range k.Fire(k.Due(grace), grace, at) {
			if em.State == topics.StateClosed && em.Episode.Rule == "busy" {
				require.EqualValues(t, events, em.Episode.Count, "matches are counted when they arrive, so the fold loses none")
			}
		}
	}
}
