package processor

import (
	"bytes"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"tocsin/state"
	"tocsin/state/window"
	"tocsin/topics"
)

// A build of a later release has written the state of partition 0 in a format that this build does not read. Wherever it
// meets that (on its own disk, in the tail of the changelog, in all of it), it stops that partition with the remedy and
// goes on with the other; nothing is lost by it: when the state can be read again, every event has its one verdict.
func TestUnknownFormat(t *testing.T) {
	e := newEnv(t, 2)
	x := e.start(t.TempDir(), nil)
	e.sendMany(0, 60)
	e.drain()
	require.NoError(t, x.stop())
	e.leave()
	behind := filepath.Join(t.TempDir(), "behind")
	copyDir(t, x.dir, behind)
	const later = topics.NewestValueFormat + 7
	e.rewriteHeads(x.dir, 0, later)

	judged := e.committed()[0]
	from := 60
	for name, dir := range map[string]string{"on disk": x.dir, "in the tail": behind, "in all of it": t.TempDir()} {
		e.sendMany(from, 60)
		from += 60
		y := e.start(dir, nil)
		require.Eventually(t, func() bool { return y.partition(0).State == Stopped }, testTimeout, 10*time.Millisecond)
		p := y.partition(0)
		require.Equal(t, CauseFormat, p.Cause, "%s: %s", name, p.Detail)
		for _, part := range []string{
			"written in a format that this build does not read", fmt.Sprintf("a value of format %d: this build reads", later),
			"run the build that wrote it, or a newer one", "nothing is lost", "deploy/docs/upgrade.md",
		} {
			require.Contains(t, p.Detail, part, name)
		}
		require.Eventually(t, func() bool { return e.committed()[1] == int64(e.sent[1]) }, testTimeout, 10*time.Millisecond,
			"%s: the other partition goes on", name)
		require.Equal(t, judged, e.committed()[0], name)
		require.NoError(t, y.stop())
		e.leave()
	}

	e.rewriteHeads(x.dir, 0, topics.DefaultValueFormat) // what another build would make of it
	y := e.start(behind, nil)
	e.drain()
	e.requireExact()
	require.NoError(t, y.stop())
}

// rewriteHeads writes all heads of a partition as if they were of a format, in a transaction as a process makes it.
func (e *env) rewriteHeads(dir string, partition int32, format byte) {
	e.t.Helper()
	ctx := e.t.Context()
	store, err := state.Open(state.Config{
		Dir: dir, Now: time.Now, CheckFormat: func([]byte) error { return nil },
		HeadIndex: func(head []byte) (window.Index, error) {
			head = bytes.Clone(head)
			head[0] = topics.DefaultValueFormat
			return window.HeadIndex(head)
		},
	})
	require.NoError(e.t, err)
	lease, err := store.Acquire(ctx, statePartition(partition), "test")
	require.NoError(e.t, err)
	pos, _, err := lease.Position()
	require.NoError(e.t, err)
	stage := store.NewStage()
	var records []*kgo.Record
	record := func(key, value []byte) {
		records = append(records, &kgo.Record{Topic: e.names.Changelog, Partition: partition, Key: key, Value: value})
	}
	require.NoError(e.t, store.Visit(statePartition(partition), func(key, value []byte) error {
		groupKey, suffix, err := topics.SplitChangeKey(key)
		if err != nil || suffix[0] != topics.PartHead {
			return err
		}
		head := bytes.Clone(value)
		head[0] = topics.DefaultValueFormat
		old, err := window.HeadIndex(head)
		require.NoError(e.t, err)
		head[0] = format
		changeKey, err := stage.Change(lease, groupKey, old, window.Change{
			Suffix: suffix, Value: head, NewHash: topics.ChangeHash(key, head), HadOld: true, OldHash: topics.ChangeHash(key, value),
		})
		record(changeKey, head)
		return err
	}))
	require.NotEmpty(e.t, records)
	seal, err := stage.Seal(lease, pos.Seal)
	require.NoError(e.t, err)
	record([]byte(topics.SealKey), seal.Append(nil))
	require.NoError(e.t, e.client.ProduceSync(ctx, records...).FirstErr())
	require.NoError(e.t, stage.Apply(map[state.Partition]state.ChangelogPosition{
		statePartition(partition): {TopicID: pos.ChangelogTopicID, Next: records[len(records)-1].Offset + 1},
	}))
	lease.Release()
	require.NoError(e.t, store.Close())
}
