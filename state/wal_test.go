package state

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/stretchr/testify/require"

	"tocsin/topics"
)

const (
	childDirEnv  = "TOCSIN_STATE_TEST_DIR"
	childModeEnv = "TOCSIN_STATE_TEST_MODE"
	childStopEnv = "TOCSIN_STATE_TEST_STOP"
)

// runChild is the process that gets killed: it applies transactions of about 1 kB, one after the other, and reports
// each when Apply has returned. In mode nosync it commits without sync. After the number of transactions in
// TOCSIN_STATE_TEST_STOP it applies no more and waits to be killed.
func runChild(dir string) {
	s, err := Open(Config{Dir: dir, HeadIndex: toyIndex, CheckFormat: toyFormat, Now: time.Now})
	if err != nil {
		panic(err)
	}
	apply := childApply(s)
	if os.Getenv(childModeEnv) == "nosync" {
		apply = childNoSync(s)
	}
	stop, err := strconv.ParseUint(os.Getenv(childStopEnv), 10, 64)
	if err != nil {
		panic(err)
	}
	for seq := uint64(0); ; {
		if seq == stop {
			_, _ = os.Stdin.Read(make([]byte, 1)) // a pipe that nobody writes to
		}
		if seq, err = apply(); err != nil {
			panic(err)
		}
		if _, err := fmt.Println(seq); err != nil {
			panic(err)
		}
	}
}

func childApply(s *Store) func() (uint64, error) {
	l, err := s.Acquire(context.Background(), p0, "child")
	if err != nil {
		panic(err)
	}
	m := newSim(p0)
	return func() (uint64, error) {
		st := s.NewStage()
		n := m.seal.Sequence
		recs, seal, err := m.stage(st, l, []change{
			{group("a"), topics.AppendHead(nil), toyHead(0, 0, strconv.FormatUint(n, 10))},
			{group("b"), topics.AppendChunk(nil, uint32(n)), make([]byte, 900)},
		})
		if err != nil {
			return 0, err
		}
		at := m.commit(recs, seal)
		return seal.Sequence, st.Apply(map[Partition]ChangelogPosition{p0: at})
	}
}

// childNoSync writes a position and 900 bytes per batch, as Apply would if it committed without sync.
func childNoSync(s *Store) func() (uint64, error) {
	var n uint64
	return func() (uint64, error) {
		n++
		b := s.db.NewBatch()
		pos := Position{Seal: topics.Seal{Sequence: n, Partitions: 4}}
		if err := b.Set(prefix(p0, storePosition), pos.encode(), nil); err != nil {
			return 0, err
		}
		key := topics.AppendChunk(append(prefix(p0, storeData), group("b")...), uint32(n))
		if err := b.Set(key, make([]byte, 900), nil); err != nil {
			return 0, err
		}
		return n, b.Commit(pebble.NoSync)
	}
}

// killChild runs a child until it has reported n transactions, kills it with SIGKILL, and returns the last one it
// reported.
func killChild(t *testing.T, dir, mode string, n, stop int) uint64 {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(),
		childDirEnv+"="+dir, childModeEnv+"="+mode, childStopEnv+"="+strconv.Itoa(stop))
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	defer func() { _ = in.Close() }() // the child is gone by then
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	r := bufio.NewReader(out)
	for range n {
		_, err := r.ReadString('\n')
		require.NoError(t, err)
	}
	require.NoError(t, cmd.Process.Kill())
	rest, err := io.ReadAll(r)
	require.NoError(t, err)
	require.Error(t, cmd.Wait(), "killed")
	lines := strings.Split(strings.TrimSuffix(string(rest), "\n"), "\n")
	if last := lines[len(lines)-1]; last != "" {
		seq, err := strconv.ParseUint(last, 10, 64)
		require.NoError(t, err)
		return seq
	}
	return uint64(n)
}

func sequenceIn(t *testing.T, dir string) uint64 {
	t.Helper()
	s, err := Open(Config{Dir: dir, HeadIndex: toyIndex, CheckFormat: toyFormat, Now: time.Now})
	require.NoError(t, err)
	defer func() { require.NoError(t, s.Close()) }()
	pos, _, err := s.position(p0)
	require.NoError(t, err)
	return pos.Seal.Sequence
}

// TestKill: what was reported as applied is there after kill -9. The child may have applied one more than it reported.
func TestKill(t *testing.T) {
	for _, c := range []struct{ reports, stop int }{
		{1, 1 << 30}, {7, 1 << 30}, {33, 1 << 30}, {1000, 1 << 30}, // killed in the middle of something
		{1, 1}, {10, 10}, {40, 40}, {101, 101}, // killed while the last batch lies in a block that is not full
	} {
		dir := t.TempDir()
		reported := killChild(t, dir, "", c.reports, c.stop)
		have := sequenceIn(t, dir)
		require.GreaterOrEqual(t, have, reported, "state is behind what was applied: %v", c)
		require.LessOrEqual(t, have, reported+1, "%v", c)
		s := openStore(t, Config{Dir: dir, HeadIndex: toyIndex, CheckFormat: toyFormat, Now: time.Now})
		require.NoError(t, s.Verify(p0), "data and position agree")
		l := acquire(t, s, p0)
		head, _, err := l.Get(topics.AppendHead(group("a")))
		require.NoError(t, err)
		require.Equal(t, strconv.FormatUint(have-1, 10), string(head[16:]))
	}
}

// TestKillWithoutSync is why kernelWAL exists: with plain NoSync, Pebble keeps up to 32 KiB of log in the process, and
// a kill loses the last batches although Commit had returned. It may write them all the same when the child is slow, so
// one loss in some tries is enough. If this ever fails, Pebble has changed, and kernelWAL may not be needed any more.
func TestKillWithoutSync(t *testing.T) {
	lost := false
	for range 10 {
		dir := t.TempDir()
		reported := killChild(t, dir, "nosync", 10, 10) // less than a block, so that nothing makes Pebble write it
		have := sequenceIn(t, dir)
		t.Logf("%d batches committed, %d left", reported, have)
		if lost = have+1 < reported; lost {
			break
		}
	}
	require.True(t, lost, "a kill should have lost more than one batch")
}

// TestLostPageCache: after a crash of the machine the state is that after an earlier transaction, exactly, whatever
// part of what was not synced reached the disk.
func TestLostPageCache(t *testing.T) {
	behind := 0
	for seed := range uint64(60) {
		rng := rand.New(rand.NewPCG(seed, 1))
		fs := newCrashFS()
		cfg := testConfig(fs)
		cfg.MemTableBytes = 64 << 10 // several logs
		s, err := Open(cfg)
		require.NoError(t, err)
		a, b := newSim(p0), newSim(p1)
		a.keepHistory, b.keepHistory = true, true
		la, lb := acquire(t, s, p0), acquire(t, s, p1)
		flushed := uint64(0)
		txns := 20 + rng.IntN(300)
		for i := range txns {
			st := s.NewStage()
			ra, sa, err := a.stage(st, la, randomChanges(rng, rng.IntN(12), 30))
			require.NoError(t, err)
			rb, sb, err := b.stage(st, lb, randomChanges(rng, rng.IntN(4), 30))
			require.NoError(t, err)
			next := map[Partition]ChangelogPosition{p0: a.commit(ra, sa), p1: b.commit(rb, sb)}
			require.NoError(t, st.Apply(next))
			if i == txns/2 && seed%3 == 0 {
				require.NoError(t, s.Flush())
				flushed = a.seal.Sequence
			}
		}
		crashed := fs.crash(int(seed%5)*25, rng)
		require.NoError(t, s.Close())

		cfg.FS = crashed
		s, err = Open(cfg)
		require.NoError(t, err, "seed %d", seed)
		seq := [2]uint64{}
		for i, m := range []*sim{a, b} {
			pos, ok, err := s.position(m.p)
			require.NoError(t, err)
			if ok {
				seq[i] = pos.Seal.Sequence
				requireState(t, s, m.p, m.history[pos.Seal.Sequence])
			} else {
				require.Empty(t, contents(t, s, m.p))
			}
		}
		require.Equal(t, seq[0], seq[1], "one batch, one fate")
		require.GreaterOrEqual(t, seq[0], flushed, "what was flushed is there")
		if seq[0] < a.seal.Sequence {
			behind++
		}
		// The changelog gives the rest.
		for _, m := range []*sim{a, b} {
			l := acquire(t, s, m.p)
			mode, _ := l.ChooseMode(topicID, 0, time.Hour)
			r, err := l.Restore(RestoreConfig{Mode: mode, TopicID: topicID})
			require.NoError(t, err)
			_, err = m.log.feed(r)
			require.NoError(t, err)
			requireState(t, s, m.p, m.live)
		}
		require.NoError(t, s.Close())
	}
	require.Greater(t, behind, 20, "the test must lose something to mean anything")
}
