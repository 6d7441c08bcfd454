package state

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"tocsin/topics"
)

func TestLeaseLost(t *testing.T) {
	s := openStore(t, testConfig(vfs.NewMem()))
	a, b := newSim(p0), newSim(p1)
	la, lb := acquire(t, s, p0), acquire(t, s, p1)
	rng := rand.New(rand.NewPCG(1, 2))
	st := s.NewStage()
	ra, sa, err := a.stage(st, la, randomChanges(rng, 10, 5))
	require.NoError(t, err)
	rb, sb, err := b.stage(st, lb, randomChanges(rng, 10, 5))
	require.NoError(t, err)
	next := map[Partition]ChangelogPosition{p0: a.commit(ra, sa), p1: b.commit(rb, sb)}
	lb.Release()
	lb.Release()
	err = st.Apply(next)
	require.ErrorIs(t, err, ErrLeaseLost)
	require.ErrorContains(t, err, "partition 0/1, holder test, epoch 2")
	require.Empty(t, contents(t, s, p0), "nothing of the other partition either")
	require.Empty(t, contents(t, s, p1))

	_, _, err = lb.Get(nil)
	require.ErrorIs(t, err, ErrLeaseLost)
	require.ErrorIs(t, lb.Scan(nil, nil), ErrLeaseLost)
	require.ErrorIs(t, lb.Timers(nil), ErrLeaseLost)
	_, err = lb.Expired(1, 1)
	require.ErrorIs(t, err, ErrLeaseLost)
	_, _, err = lb.Position()
	require.ErrorIs(t, err, ErrLeaseLost)
	_, err = lb.Restore(RestoreConfig{})
	require.ErrorIs(t, err, ErrLeaseLost)

	// The new holder and the old one, each in a stage of its own.
	lb2 := acquire(t, s, p1)
	require.Greater(t, lb2.Epoch(), lb.Epoch())
	st = s.NewStage()
	defer st.Discard()
	_, _, err = b.stage(st, lb, nil)
	require.ErrorIs(t, err, ErrLeaseLost)
	b = newSim(p1)
	b.txn(t, s, lb2, randomChanges(rng, 5, 5), true)
	requireState(t, s, p1, b.live)
	require.Equal(t, p1, lb2.Partition())
}

func TestAcquireWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := Open(testConfig(vfs.NewMem()))
		require.NoError(t, err)
		first := acquire(t, s, p0)
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_, err = s.Acquire(ctx, p0, "second")
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorContains(t, err, "acquire partition 0/0: held by test")

		got := make(chan *Lease)
		go func() {
			l, err := s.Acquire(context.Background(), p0, "second")
			if err != nil {
				t.Error(err)
			}
			got <- l
		}()
		synctest.Wait()
		select {
		case <-got:
			t.Fatal("two holders")
		default:
		}
		first.Release()
		second := <-got
		require.Equal(t, p0, second.Partition())

		// Close takes the lease away from the holder and from who waits for it.
		failed := make(chan error)
		go func() {
			_, err := s.Acquire(context.Background(), p0, "third")
			failed <- err
		}()
		synctest.Wait()
		require.NoError(t, s.Close())
		require.ErrorIs(t, <-failed, ErrClosed)
		_, _, err = second.Get(nil)
		require.ErrorIs(t, err, ErrLeaseLost)
		_, err = s.Acquire(context.Background(), p0, "late")
		require.ErrorIs(t, err, ErrClosed)
	})
}

func TestAcquireRefuses(t *testing.T) {
	s := openStore(t, testConfig(vfs.NewMem()))
	for _, p := range []Partition{{0, -1}, {0x80, 0}} {
		_, err := s.Acquire(context.Background(), p, "x")
		require.ErrorContains(t, err, "no such partition")
	}
}

// TestHandOver lets several workers fight for two partitions. Whoever holds one goes on from what the one before has
// applied; a stage that lost its lease leaves no trace. In the end the state is exactly what was applied.
func TestHandOver(t *testing.T) {
	s := openStore(t, testConfig(vfs.NewMem()))
	var applied, lost atomic.Int64
	var mu sync.Mutex
	type step struct {
		p        Partition
		sequence uint64
	}
	seen := map[step]bool{} // stages applied
	work := func(rng *rand.Rand) error {
		for range 60 {
			p := Partition{0, rng.Int32N(2)}
			l, err := s.Acquire(context.Background(), p, "worker")
			if err != nil {
				return err
			}
			pos, _, err := l.Position()
			if err != nil {
				return err
			}
			m := newSim(p)
			m.seal = pos.Seal
			err = s.Visit(p, func(k, v []byte) error {
				m.live[string(k)] = append([]byte{}, v...)
				return nil
			})
			if err != nil {
				return err
			}
			st := s.NewStage()
			_, seal, err := m.stage(st, l, randomChanges(rng, 5, 5))
			if err != nil {
				return err
			}
			if rng.IntN(4) == 0 {
				l.Release()
			}
			released := make(chan struct{})
			go func() { // sometimes before, sometimes after Apply
				defer close(released)
				l.Release()
			}()
			err = st.Apply(map[Partition]ChangelogPosition{p: {topicID, int64(seal.Sequence) * 10}})
			if err == nil {
				applied.Add(1)
				mu.Lock()
				seen[step{p, seal.Sequence}] = true
				mu.Unlock()
			} else if lost.Add(1); !isLost(err) {
				return err
			}
			<-released
		}
		return nil
	}
	errs := make(chan error)
	for i := range uint64(4) {
		go func() { errs <- work(rand.New(rand.NewPCG(i, 9))) }()
	}
	for range 4 {
		require.NoError(t, <-errs)
	}
	require.EqualValues(t, 240, applied.Load()+lost.Load())
	require.Len(t, seen, int(applied.Load()), "no sequence twice")
	for _, p := range []Partition{p0, p1} {
		pos, _, err := s.position(p)
		require.NoError(t, err)
		for n := range pos.Seal.Sequence {
			require.True(t, seen[step{p, n + 1}], "partition %s: sequence %d is missing", p, n+1)
			delete(seen, step{p, n + 1})
		}
		require.NoError(t, s.Verify(p))
	}
	require.Empty(t, seen)
	t.Logf("%d applied, %d lost", applied.Load(), lost.Load())
}

// TestCloseWhileWorking: Close waits for what is going on and makes the rest fail; nothing is used after it.
func TestCloseWhileWorking(t *testing.T) {
	s, err := Open(testConfig(vfs.NewMem()))
	require.NoError(t, err)
	l, m := acquire(t, s, p0), newSim(p0)
	started := make(chan struct{})
	done := make(chan error)
	go func() {
		for i := 0; ; i++ {
			if i == 10 {
				close(started)
			}
			st := s.NewStage()
			recs, seal, err := m.stage(st, l, []change{{group("a"), topics.AppendHead(nil), toyHead(0, 0, fmt.Sprint(i))}})
			if err == nil {
				err = st.Apply(map[Partition]ChangelogPosition{p0: {topicID, m.log.next}})
			}
			if err != nil {
				st.Discard()
				done <- err
				return
			}
			m.commit(recs, seal)
		}
	}()
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error)
	go func() { ran <- s.Run(ctx) }()
	<-started
	require.NoError(t, s.Close())
	err = <-done
	require.True(t, isLost(err) || isClosed(err), "%v", err)
	require.NoError(t, <-ran)
	cancel()
}

// TestRunFlushes: Run writes to disk on time, and only when there is something.
func TestRunFlushes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := newCrashFS()
		cfg := testConfig(fs)
		cfg.FlushEvery = time.Minute
		s, err := Open(cfg)
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(context.Background())
		ran := make(chan error)
		go func() { ran <- s.Run(ctx) }()
		m := newSim(p0)
		m.txn(t, s, acquire(t, s, p0), []change{{group("a"), topics.AppendHead(nil), toyHead(0, 0, "")}}, true)
		flushes := func() int64 { return s.db.Metrics().Flush.Count }
		before := flushes()
		time.Sleep(59 * time.Second) // synctest's clock
		synctest.Wait()
		require.Equal(t, before, flushes())
		time.Sleep(2 * time.Second)
		synctest.Wait()
		require.Equal(t, before+1, flushes())
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		require.Equal(t, before+1, flushes(), "nothing was applied since")
		cancel()
		require.NoError(t, <-ran)
		crashed := fs.crash(0, nil)
		require.NoError(t, s.Close())

		cfg.FS = crashed
		s, err = Open(cfg)
		require.NoError(t, err)
		requireState(t, s, p0, m.live)
		require.NoError(t, s.Close())
	})
}
