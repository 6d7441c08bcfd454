package state

import (
	"fmt"
	"hash/maphash"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"tocsin/topics"
)

func TestKeyFilter(t *testing.T) {
	t.Parallel()
	const n = 50_000
	f := newKeyFilter(n)
	seed := maphash.MakeSeed()
	hash := func(i int) uint64 { return maphash.String(seed, fmt.Sprint("key ", i)) }
	for i := range n {
		f.add(hash(i))
	}
	for i := range n {
		require.True(t, f.has(hash(i)))
	}
	wrong := 0
	for i := range n {
		if f.has(hash(n + i)) {
			wrong++
		}
	}
	require.Less(t, wrong, n/25, "false positives")
}

// TestMayHold: a key that has state is never denied, whatever is applied while the filter is filled, forgotten or
// outgrown; once it is full, keys without state are.
func TestMayHold(t *testing.T) {
	t.Parallel()
	s := openStore(t, testConfig(vfs.NewMem()))
	l := acquire(t, s, Partition{ID: 1})
	m := newSim(Partition{ID: 1})
	rng := rand.New(rand.NewPCG(1, 2))
	keys := 0
	key := func(i int) []byte { return group(fmt.Sprint("principal ", i)) }
	grow := func(n int) {
		var changes []change
		for range n {
			changes = append(changes, change{group: key(keys), suffix: topics.AppendHead(nil), value: toyHead(0, int64(keys), "")})
			keys++
		}
		m.txn(t, s, l, changes, true)
	}
	all := func() {
		for i := range keys {
			require.True(t, l.MayHold(key(i)), "key %d of %d", i, keys)
		}
	}
	full := func() bool { return !l.MayHold(key(keys)) || !l.MayHold(key(keys+1)) }
	for round := range 60 {
		grow(rng.IntN(100))
		all()
		if round%20 == 19 {
			require.Eventually(t, full, 10*time.Second, time.Millisecond)
			all()
			l.known.forget()
		}
	}
	require.Eventually(t, full, 10*time.Second, time.Millisecond)
	l.known.mu.Lock()
	l.known.filter.capacity = keys // the next key is one too many
	l.known.mu.Unlock()
	grow(1)
	all()
	require.Eventually(t, full, 10*time.Second, time.Millisecond)
	all()
	require.Greater(t, l.known.filter.capacity, keys)
}

// TestFillOutgrown: more keys in the index than the filter is made for.
func TestFillOutgrown(t *testing.T) {
	t.Parallel()
	s := openStore(t, testConfig(vfs.NewMem()))
	l := acquire(t, s, Partition{ID: 1})
	m := newSim(Partition{ID: 1})
	var changes []change
	for i := range 3000 {
		changes = append(changes, change{group: group(fmt.Sprint(i)), suffix: topics.AppendHead(nil), value: toyHead(0, int64(i), "")})
	}
	m.txn(t, s, l, changes, true)
	l.known.filling = true
	l.fill(0, 100)
	require.True(t, l.known.ready)
	require.Equal(t, 3200, l.known.filter.capacity)
	for _, c := range changes {
		require.True(t, l.MayHold(c.group))
	}
	lost := acquire(t, s, Partition{ID: 2})
	lost.Release()
	lost.fill(0, 100)
	require.False(t, lost.known.ready)
}
