package state

import (
	"bytes"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"tocsin/state/window"
	"tocsin/topics"
)

// older is a build that does not read values that end with "new".
func older(fs vfs.FS) Config {
	cfg := testConfig(fs)
	cfg.CheckFormat = func(value []byte) error {
		if bytes.HasSuffix(value, []byte("new")) {
			return &topics.FormatError{What: "value", Format: 2, Oldest: 1, Newest: 1}
		}
		return nil
	}
	return cfg
}

// TestUnknownFormat: a build that does not read a value does not take it over, whichever part it is, and touches nothing:
// one that reads it goes on from where this one was.
func TestUnknownFormat(t *testing.T) {
	head, chunk := topics.AppendHead(nil), topics.AppendChunk(nil, 7)
	for _, c := range []struct {
		name   string
		mode   Mode
		suffix []byte
	}{{"head", Tail, head}, {"chunk", Tail, chunk}, {"head", Full, head}, {"chunk", Full, chunk}} {
		t.Run(c.mode.String()+"/"+c.name, func(t *testing.T) {
			fs := vfs.NewMem()
			s, err := Open(older(fs))
			require.NoError(t, err)
			l, m := acquire(t, s, p0), newSim(p0)
			m.txn(t, s, l, []change{{group("a"), head, toyHead(0, 1, "a0")}}, true)
			m.offlineChanges([]change{{group("a"), head, toyHead(0, 1, "a1")}, {group("b"), c.suffix, toyHead(0, 2, "new")}})
			m.offlineChanges([]change{{group("c"), head, toyHead(3, 2, "c0")}})

			_, err = restore(l, &m.log, RestoreConfig{Mode: c.mode, ChunkBytes: 10})
			var format *topics.FormatError
			require.ErrorAs(t, err, &format)
			require.ErrorContains(t, err, "value of key")
			require.NotErrorAs(t, err, new(*ForeignRecordError))
			pos, ok, err := l.Position()
			require.NoError(t, err)
			require.Equal(t, c.mode == Tail, ok, "a full restore has begun, and is not done")
			if ok {
				require.EqualValues(t, 1, pos.Seal.Sequence)
				require.NoError(t, s.Verify(p0))
			}
			require.NoError(t, s.Close())

			s = openStore(t, testConfig(fs)) // the newer build
			l = acquire(t, s, p0)
			got, err := restore(l, &m.log, RestoreConfig{Mode: c.mode, ChunkBytes: 10, ResumeWithin: time.Hour})
			require.NoError(t, err)
			require.Equal(t, c.mode == Full, got.Resumed)
			requireState(t, s, p0, m.live)
			requireLease(t, l, m)
		})
	}
}

// TestUnknownFormatIsNotProven: what no seal accounts for is a foreign record, whatever format it claims to have.
func TestUnknownFormatIsNotProven(t *testing.T) {
	for _, mode := range []Mode{Tail, Full} {
		s := openStore(t, older(vfs.NewMem()))
		l, m := acquire(t, s, p0), newSim(p0)
		head := topics.AppendHead(nil)
		m.txn(t, s, l, []change{{group("a"), head, toyHead(0, 1, "a0")}}, true)
		m.log.append(append(group("z"), head...), toyHead(0, 1, "new"))
		m.offlineChanges([]change{{group("a"), head, toyHead(0, 1, "a1")}})
		_, err := restore(l, &m.log, RestoreConfig{Mode: mode})
		require.ErrorAs(t, err, new(*ForeignRecordError), "%s", mode)
	}
}

// TestUnknownSeal: a seal of a later format is no foreign record.
func TestUnknownSeal(t *testing.T) {
	for _, mode := range []Mode{Tail, Full} {
		s := openStore(t, testConfig(vfs.NewMem()))
		l, m := acquire(t, s, p0), newSim(p0)
		head := topics.AppendHead(nil)
		m.txn(t, s, l, []change{{group("a"), head, toyHead(0, 1, "a0")}}, true)
		m.offlineChanges([]change{{group("a"), head, toyHead(0, 1, "a1")}})
		seal := &m.log.recs[len(m.log.recs)-1]
		seal.Value = bytes.Clone(seal.Value)
		seal.Value[0]++
		_, err := restore(l, &m.log, RestoreConfig{Mode: mode})
		require.ErrorAs(t, err, new(*topics.FormatError), "%s", mode)
		require.ErrorContains(t, err, "a seal of format 2: this build reads format 1; use the build that wrote it")
		require.NotErrorAs(t, err, new(*ForeignRecordError))
	}
}

// windows is a partition with real windows, written in the formats of the transactions.
type windows struct {
	t     *testing.T
	store *Store
	lease *Lease
	log   log
	next  int64
}

func newWindows(t *testing.T) *windows {
	t.Helper()
	s := openStore(t, realConfig())
	return &windows{t: t, store: s, lease: acquire(t, s, p0)}
}

func realConfig() Config {
	cfg := testConfig(vfs.NewMem())
	cfg.HeadIndex, cfg.CheckFormat, cfg.Canonical = window.HeadIndex, nil, nil
	return cfg
}

var windowRule = &window.Rule{ID: "r", Kind: "count", Matcher: 7, Threshold: 3, Window: 1000, Cooldown: 500, MaxEpisode: 1 << 40}

// txn counts an event for each of the principals and commits it, as a process does that writes this format.
func (w *windows) txn(format int, principals ...string) {
	t := w.t
	stage := w.store.NewStage()
	defer stage.Discard()
	scratch := window.Scratch{Format: byte(format)}
	for _, who := range principals {
		w.next++
		var k window.Key
		key := group(who)
		require.NoError(t, k.Load(key, w.lease))
		e := window.Entry{Time: 1e9 + w.next*10, Offset: w.next, ID: [16]byte{byte(w.next), byte(w.next >> 8)}}
		e.SetID([]byte(who))
		_, err := k.Accept(&e, []*window.Rule{windowRule}, e.Time, 5000, [16]byte{1}, func(_ *window.Rule, crossing int64) [16]byte {
			return [16]byte{who[0], byte(crossing), byte(crossing >> 8)}
		})
		require.NoError(t, err)
		require.NoError(t, k.Changes(key, 5000, &scratch, func(old window.Index, c window.Change) error {
			changeKey, err := stage.Change(w.lease, key, old, c)
			w.log.append(changeKey, bytes.Clone(c.Value))
			return err
		}))
	}
	seal, err := stage.Seal(w.lease, topics.Seal{InputTopicID: inputID, Partition: p0.ID, Partitions: 4, Next: w.next})
	require.NoError(t, err)
	w.log.append([]byte(topics.SealKey), seal.Append(nil))
	w.log.next++ // the marker
	require.NoError(t, stage.Apply(map[Partition]ChangelogPosition{p0: {TopicID: topicID, Next: w.log.next}}))
}

// digestOf checks the state and gives its digest, and how many values are written in which format.
func digestOf(t *testing.T, s *Store) (Digest, map[byte]int) {
	t.Helper()
	require.NoError(t, s.Verify(p0))
	d, err := s.Digest(p0, nil)
	require.NoError(t, err)
	formats := map[byte]int{}
	require.NoError(t, s.Visit(p0, func(_, value []byte) error {
		formats[value[0]]++
		return nil
	}))
	return d, formats
}

// TestMixedFormats: the same events, written in one format and in all that this build writes by turns, lead to the same
// digest: applied, restored in full, and restored up to any transaction and from there by the tail. Built with
// tocsin_next_format there are two formats.
func TestMixedFormats(t *testing.T) {
	plain, mixed := newWindows(t), newWindows(t)
	const span = topics.NewestValueFormat - topics.OldestValueFormat + 1
	var ends []int // of the transactions, in the log
	for i := range 60 {
		who := []string{"ann", "bob"}
		if i%5 == 0 {
			who = []string{"carl"} // written rarely: keeps old formats
		}
		plain.txn(0, who...)
		mixed.txn(topics.OldestValueFormat+i/3%span, who...)
		ends = append(ends, len(mixed.log.recs))
	}
	mixed.txn(topics.NewestValueFormat, "dora")
	plain.txn(0, "dora")
	want, formats := digestOf(t, plain.store)
	require.Len(t, formats, 1)
	require.Positive(t, want.Records-want.Keys, "chunks and evidence too")
	got, formats := digestOf(t, mixed.store)
	require.Equal(t, want, got)
	require.Len(t, formats, span, "every format is in use")

	for _, at := range append(ends, 0) {
		s := openStore(t, realConfig())
		l := acquire(t, s, p0)
		if at > 0 {
			prefix := log{recs: mixed.log.recs[:at], next: mixed.log.recs[at-1].Offset + 2}
			_, err := restore(l, &prefix, RestoreConfig{Mode: Full, ChunkBytes: 1000})
			require.NoError(t, err)
		}
		mode, _ := l.ChooseMode(topicID, 0, time.Hour)
		require.Equal(t, at > 0, mode == Tail)
		_, err := restore(l, &mixed.log, RestoreConfig{Mode: mode, ChunkBytes: 1000})
		require.NoError(t, err)
		got, _ := digestOf(t, s)
		require.Equal(t, want, got, "tail from record %d", at)
	}
}
