package state

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"tocsin/topics"
)

// FuzzRestore does something to the changelog behind the processor's back: a record put in, replaced or taken out
// anywhere. Both ways of restoring refuse it, or come to the state that was; they never take it in.
func FuzzRestore(f *testing.F) {
	head, chunk := append(group("user-1"), topics.AppendHead(nil)...), append(group("user-2"), topics.AppendChunk(nil, 1)...)
	f.Add(byte(0), uint16(3), head, toyHead(1, 2, "foreign"))
	f.Add(byte(0), uint16(200), chunk, []byte("foreign, at the end"))
	f.Add(byte(1), uint16(10), chunk, []byte{})
	f.Add(byte(2), uint16(12), []byte{}, []byte{})
	f.Add(byte(3), uint16(5), head, []byte{})
	f.Add(byte(0), uint16(5), []byte("no key of ours"), []byte("x"))
	f.Add(byte(0), uint16(5), []byte(topics.SealKey), (&topics.Seal{Sequence: 3}).Append(nil))
	f.Fuzz(func(t *testing.T, what byte, at uint16, key, value []byte) {
		rng := rand.New(rand.NewPCG(4, 4))
		s := openStore(t, testConfig(vfs.NewMem()))
		l, m := acquire(t, s, p1), newSim(p1)
		m.run(t, s, l, rng, 4, 9)
		forged := m.log
		// The records of the transactions are sealed, and their seals are ours to trust: what a seal says of offsets is
		// compared with the group's, see the processor.
		i := int(at) % (len(m.log.recs) + 1)
		seal := topics.IsSealKey(key)
		forged.recs = slices.Clone(m.log.recs)
		switch what % 4 {
		case 0: // one more; offsets behind it move, as if it had been written then
			for j := i; j < len(forged.recs); j++ {
				forged.recs[j].Offset++
			}
			offset := forged.next
			if i < len(forged.recs) {
				offset = forged.recs[i].Offset - 1
			}
			forged.next++
			forged.recs = slices.Insert(forged.recs, i, ChangeRecord{Offset: offset, Key: key, Value: value})
		case 1, 3: // another value, or none
			i = min(i, len(forged.recs)-1)
			seal = topics.IsSealKey(forged.recs[i].Key)
			forged.recs[i].Value = value
			if what%4 == 3 {
				forged.recs[i].Value = nil
			}
		case 2: // one less: compaction may take a record that is overwritten later, and any seal but the last
			i = min(i, len(forged.recs)-1)
			seal = topics.IsSealKey(forged.recs[i].Key)
			forged.recs = slices.Delete(forged.recs, i, i+1)
		}
		other := openStore(t, testConfig(vfs.NewMem()))
		fl := acquire(t, other, p1)
		for _, c := range []struct {
			store *Store
			lease *Lease
			cfg   RestoreConfig
		}{{s, l, RestoreConfig{Mode: Tail}}, {other, fl, RestoreConfig{Mode: Full, ChunkBytes: 500}}} {
			got, err := restore(c.lease, &forged, c.cfg)
			if err != nil || seal {
				continue
			}
			require.Equal(t, m.seal.Sequence, got.Seal.Sequence)
			requireState(t, c.store, p1, m.live)
		}
	})
}
