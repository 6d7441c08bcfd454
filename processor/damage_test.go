package processor

import (
	"bytes"
	"path/filepath"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/stretchr/testify/require"
)

// A value on disk is another than was written, and its checksum is right: somebody changed it, or there is a bug. The
// next tail restore finds that the sums do not agree any more, and the partition is rebuilt.
func TestRestoreOfAlteredState(t *testing.T) {
	e := newEnv(t, 2)
	x := e.start(t.TempDir(), nil)
	e.sendMany(0, 100)
	e.drain()
	require.NoError(t, x.stop())
	e.leave()
	old := filepath.Join(t.TempDir(), "old")
	copyDir(t, x.dir, old)
	db, err := pebble.Open(old, &pebble.Options{FormatMajorVersion: pebble.FormatColumnarBlocks})
	require.NoError(t, err)
	data := []byte{0, 0, 0, 0, 1, 0x10} // of partition 1, see package state
	it, err := db.NewIter(&pebble.IterOptions{LowerBound: data, UpperBound: []byte{0, 0, 0, 0, 1, 0x11}})
	require.NoError(t, err)
	require.True(t, it.First())
	key, value := bytes.Clone(it.Key()), bytes.Clone(it.Value())
	require.NoError(t, it.Close())
	value[len(value)-1] ^= 1
	require.NoError(t, db.Set(key, value, pebble.Sync))
	require.NoError(t, db.Close())

	y := e.start(x.dir, nil)
	e.sendMany(100, 50)
	e.drain()
	want := y.digest()
	require.NoError(t, y.stop())
	e.leave()
	z := e.start(old, nil)
	z.waitRunning(2)
	for _, line := range z.log.restored(0) {
		if line["partition"] == "0" {
			require.Equal(t, "tail", line["mode"])
			continue
		}
		require.Equal(t, "full", line["mode"])
		require.Equal(t, whyDamaged, line["why"])
	}
	require.Len(t, z.log.find("the state of a partition is damaged; it is restored in full from the changelog"), 1)
	require.Equal(t, want, z.digest())
	e.requireExact()
	require.NoError(t, z.stop())
}
