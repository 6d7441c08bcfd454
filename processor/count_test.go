package processor

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"tocsin/topics"
)

// addedPartition is a cluster whose two partitions were judged by a process that has ended, and a third one that was
// added then, to the changelog too. dir is the process's state folder.
func addedPartition(t *testing.T) (e *env, dir string) {
	t.Helper()
	e = newEnv(t, 2)
	x := e.start(t.TempDir(), nil)
	e.sendMany(0, 60)
	e.drain()
	require.NoError(t, x.stop())
	e.leave()
	_, err := e.adm.UpdatePartitions(t.Context(), 3, e.names.Input, e.names.Changelog)
	require.NoError(t, err)
	// The client of before does not know of the partition yet.
	cl, err := kgo.NewClient(kgo.SeedBrokers(e.addrs...), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	require.NoError(t, err)
	t.Cleanup(cl.Close)
	e.partitions, e.client = 3, cl
	return e, x.dir
}

// Partitions were added, to the changelog too, while no process ran: keys lie elsewhere now. Nothing is judged, not
// even in the partitions that are new.
func TestRestoreOfOtherCount(t *testing.T) {
	e, dir := addedPartition(t)
	for i, dir := range []string{dir, t.TempDir()} {
		e.sendMany(60+100*i, 60)
		y := e.start(dir, nil)
		for id := range int32(3) {
			p := y.waitStopped(id, CauseCount)
			require.Contains(t, p.Detail, "new application id")
		}
		require.NoError(t, y.stop())
		e.leave()
	}
	require.Equal(t, map[int32]int64{0: 60, 1: 60}, e.committed())
	plans, err := PlanOffsets(t.Context(), e.offsetsConfig())
	require.NoError(t, err)
	require.Equal(t, CauseCount, plans[0].Cause)
	require.Empty(t, plans[0].Actions, "none of them would be right")
}

// As before, but no seal of the old partitions can be read. That the new one may be judged is not proven, so it waits.
func TestRestoreOfOtherCountUnproven(t *testing.T) {
	e, _ := addedPartition(t)
	for id := range int32(2) {
		r := &kgo.Record{Topic: e.names.Changelog, Partition: id, Key: []byte(topics.SealKey), Value: []byte("x")}
		require.NoError(t, e.client.ProduceSync(t.Context(), r).FirstErr())
	}
	e.sendMany(60, 60)
	y := e.start(t.TempDir(), nil)
	y.waitStopped(0, CauseChangelog)
	y.waitStopped(1, CauseChangelog)
	require.Eventually(t, func() bool {
		p := y.partition(2)
		require.NotEqual(t, Running, p.State, "it is judged")
		return strings.Contains(p.Detail, "partitions it was built with")
	}, testTimeout, 10*time.Millisecond, "%+v", y.p.Health())
	require.NoError(t, y.stop())
	require.Equal(t, map[int32]int64{0: 60, 1: 60}, e.committed())
}
