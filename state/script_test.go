package state

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/stretchr/testify/require"

	"tocsin/topics"
)

// TestScripts runs the stories in testdata/script. Commands:
//
//	acquire p=N holder=NAME      release p=N       reopen       crash (the page cache is lost)      flush
//	txn p=N [discard|behind]     one change per line: head KEY due=D last=D TEXT | chunk KEY N TEXT | remove KEY [N];
//	                             discard: not committed; behind: committed, and this process has not applied it
//	show p=N                     position, records and indexes
//	log p=N                      the changelog
//	compact p=N upto=OFFSET      what a broker's cleaner does
//	foreign p=N key=KEY          somebody else writes a head
//	restore p=N [full] [stop=N]  from the position or in full; broken off after N records
func TestScripts(t *testing.T) {
	datadriven.Walk(t, "testdata/script", func(t *testing.T, path string) {
		t.Helper()
		e := &script{t: t, cfg: testConfig(nil), sims: map[Partition]*sim{}}
		e.fs = newCrashFS()
		e.open()
		defer func() { require.NoError(t, e.s.Close()) }()
		datadriven.RunTest(t, path, e.run)
	})
}

type script struct {
	t      *testing.T
	cfg    Config
	fs     *crashFS
	s      *Store
	leases map[Partition]*Lease
	sims   map[Partition]*sim
}

func (e *script) open() {
	var err error
	e.cfg.FS, e.leases = e.fs, map[Partition]*Lease{}
	e.s, err = Open(e.cfg)
	require.NoError(e.t, err)
}

func (e *script) run(t *testing.T, d *datadriven.TestData) string {
	t.Helper()
	p := Partition{}
	if d.HasArg("p") {
		d.ScanArgs(t, "p", &p.ID)
	}
	if e.sims[p] == nil {
		e.sims[p] = newSim(p)
	}
	m, l := e.sims[p], e.leases[p]
	switch d.Cmd {
	case "acquire":
		var holder string
		d.ScanArgs(t, "holder", &holder)
		ctx, cancel := context.WithCancel(context.Background())
		cancel() // no waiting in a script
		l, err := e.s.Acquire(ctx, p, holder)
		if err != nil {
			return err.Error()
		}
		e.leases[p] = l
		return fmt.Sprintf("epoch %d", l.Epoch())
	case "release":
		l.Release()
	case "reopen":
		require.NoError(t, e.s.Close())
		e.open()
	case "crash":
		crashed := e.fs.crash(0, nil)
		require.NoError(t, e.s.Close())
		e.fs = crashed
		e.open()
	case "flush":
		require.NoError(t, e.s.Flush())
	case "txn":
		return e.txn(d, m, l)
	case "show":
		return e.show(p)
	case "log":
		return showLog(&m.log)
	case "compact":
		var upTo int64
		d.ScanArgs(t, "upto", &upTo)
		m.log.compact(upTo)
	case "foreign":
		var key string
		d.ScanArgs(t, "key", &key)
		return fmt.Sprintf("offset %d", m.log.append(append(group(key), topics.PartHead), toyHead(0, 0, "foreign")))
	case "restore":
		return e.restore(d, m, l)
	default:
		d.Fatalf(t, "unknown command %s", d.Cmd)
	}
	return ""
}

func (e *script) txn(d *datadriven.TestData, m *sim, l *Lease) string {
	var changes []change
	for line := range strings.Lines(d.Input) {
		var key, due, last, text string
		var n uint32
		line = strings.TrimSpace(line)
		if _, err := fmt.Sscanf(line, "head %s due=%s last=%s %s", &key, &due, &last, &text); err == nil {
			changes = append(changes, change{group(key), topics.AppendHead(nil), toyHead(ns(e.t, due), ns(e.t, last), text)})
		} else if _, err := fmt.Sscanf(line, "chunk %s %d %s", &key, &n, &text); err == nil {
			changes = append(changes, change{group(key), topics.AppendChunk(nil, n), []byte(text)})
		} else if _, err := fmt.Sscanf(line, "remove %s %d", &key, &n); err == nil {
			changes = append(changes, change{group(key), topics.AppendChunk(nil, n), nil})
		} else if _, err := fmt.Sscanf(line, "remove %s", &key); err == nil {
			changes = append(changes, change{group(key), topics.AppendHead(nil), nil})
		} else {
			d.Fatalf(e.t, "cannot read %q", line)
		}
	}
	if d.HasArg("behind") {
		m.offlineChanges(changes)
		return ""
	}
	st := e.s.NewStage()
	defer st.Discard()
	recs, seal, err := m.stage(st, l, changes)
	if err != nil {
		return err.Error()
	}
	if d.HasArg("discard") {
		return ""
	}
	if err := st.Apply(map[Partition]ChangelogPosition{m.p: m.commit(recs, seal)}); err != nil {
		return err.Error()
	}
	return fmt.Sprintf("sequence %d", seal.Sequence)
}

func ns(t *testing.T, s string) int64 {
	t.Helper()
	d, err := time.ParseDuration(s)
	require.NoError(t, err)
	return int64(d)
}

func (e *script) restore(d *datadriven.TestData, m *sim, l *Lease) string {
	cfg := RestoreConfig{TopicID: topicID, ChunkBytes: 100}
	if d.HasArg("full") {
		cfg.Mode = Full
	}
	r, err := l.Restore(cfg)
	if err != nil {
		return err.Error()
	}
	defer r.Abort()
	if d.HasArg("stop") {
		var stop int
		d.ScanArgs(e.t, "stop", &stop)
		for _, rec := range m.log.recs[:stop] {
			require.NoError(e.t, r.Add(rec))
		}
		return fmt.Sprintf("stopped after %d records", stop)
	}
	from := r.From()
	got, err := m.log.feed(r)
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("from %d: %d records, %d seals (%d verified), resumed %t, now at seal %d",
		from, got.Records, got.Seals, got.Verified, got.Resumed, got.Seal.Sequence)
}

// name is the readable form of a change key.
func name(key []byte) string {
	if topics.IsSealKey(key) {
		return "seal"
	}
	_, _, value, rest, err := topics.ParseGroupKey(key)
	if err != nil {
		return err.Error()
	}
	part, err := topics.ParsePart(rest)
	switch {
	case err != nil:
		return string(value)
	case part.Kind == topics.PartHead:
		return string(value) + " head"
	}
	return fmt.Sprintf("%s chunk %d", value, part.Chunk)
}

func text(key, value []byte) string {
	switch {
	case value == nil:
		return "removed"
	case topics.IsSealKey(key):
		s, err := topics.DecodeSeal(value)
		if err != nil {
			return err.Error()
		}
		return fmt.Sprint(s.Sequence)
	case strings.HasSuffix(name(key), "head"):
		ix, _ := toyIndex(value)
		return fmt.Sprintf("due=%s last=%s %s", time.Duration(ix.Due), time.Duration(ix.LastWrite), value[16:])
	}
	return string(value)
}

func showLog(l *log) string {
	var b strings.Builder
	for _, r := range l.recs {
		fmt.Fprintf(&b, "%d: %s: %s\n", r.Offset, name(r.Key), text(r.Key, r.Value))
	}
	return b.String()
}

func (e *script) show(p Partition) string {
	var b strings.Builder
	pos, ok, err := e.s.position(p)
	require.NoError(e.t, err)
	if ok {
		fmt.Fprintf(&b, "at seal %d, changelog %d\n", pos.Seal.Sequence, pos.ChangelogNext)
	} else {
		fmt.Fprintln(&b, "no position")
	}
	require.NoError(e.t, e.s.Visit(p, func(key, value []byte) error {
		fmt.Fprintf(&b, "%s: %s\n", name(key), text(key, value))
		return nil
	}))
	require.NoError(e.t, e.s.iterate(prefix(p, storeTimers), prefix(p, storeEnd), func(key, _ []byte) error {
		if key[prefixLen-1] == storeTimers {
			fmt.Fprintf(&b, "timer %s: %s\n", time.Duration(parseTime(key[prefixLen:])), name(key[prefixLen+8:]))
		} else {
			fmt.Fprintf(&b, "day %d: %s\n", key[prefixLen+3], name(key[prefixLen+4:]))
		}
		return nil
	}))
	if err := e.s.Verify(p); ok && err != nil {
		fmt.Fprintln(&b, err)
	}
	return b.String()
}
