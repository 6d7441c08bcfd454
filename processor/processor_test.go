package processor

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// What is sent is judged, once, and the state on disk is what the changelog says.
func TestEndToEnd(t *testing.T) {
	e := newEnv(t, 4)
	x := e.start(t.TempDir(), nil)
	e.sendMany(0, 300)
	e.drain()
	e.requireExact()
	require.Eventually(t, func() bool { return x.p.Health().Ready }, testTimeout, time.Millisecond)
	require.NoError(t, x.stop())
}

// The answer to a commit that took effect is lost, in all the ways in which it can be. Nothing is judged twice.
func TestEndOutcomes(t *testing.T) {
	isCommit := func(r kmsg.Request) bool {
		end, ok := r.(*kmsg.EndTxnRequest)
		return ok && end.Commit
	}
	for _, c := range []struct {
		name  string
		fault func(t *testing.T, c *kfake.Cluster)
		want  outcome
	}{
		{"commit refused before anything happened", func(_ *testing.T, c *kfake.Cluster) {
			c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.EndTxn}, Err: kerr.UnknownServerError, When: isCommit})
		}, unknown},
		{"commit done and answered with an error", func(_ *testing.T, c *kfake.Cluster) {
			c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.EndTxn}, Err: kerr.RequestTimedOut, When: isCommit})
		}, unknown},
		{"commit done and answered UNKNOWN_SERVER_ERROR", answerAfterWork, unknown},
		{"commit refused: abortable", func(_ *testing.T, c *kfake.Cluster) {
			c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.EndTxn}, Err: kerr.TransactionAbortable, When: isCommit})
		}, aborted},
		{"connection lost at the commit", func(_ *testing.T, c *kfake.Cluster) {
			once := true
			c.ControlKey(int16(kmsg.EndTxn), func(kmsg.Request) (kmsg.Response, error, bool) {
				c.KeepControl()
				if once {
					once = false
					return nil, fmt.Errorf("cut"), true
				}
				return nil, nil, false //nolint:nilnil // how kfake is told to go on
			})
		}, committed}, // the client asks again
		{"offset commit refused: generation", func(_ *testing.T, c *kfake.Cluster) {
			c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.TxnOffsetCommit}, Err: kerr.IllegalGeneration})
		}, aborted},
		{"offset commit done and answered with an error", func(_ *testing.T, c *kfake.Cluster) {
			c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.TxnOffsetCommit}, Err: kerr.RequestTimedOut})
		}, aborted},
		{"produce refused", func(_ *testing.T, c *kfake.Cluster) {
			c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: "test-window-changelog", Err: kerr.TransactionAbortable})
		}, aborted},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := newEnv(t, 2)
			seen := make(chan outcome, 10_000)
			ends := map[Point]outcome{PointCommitted: committed, PointAborted: aborted, PointUnknown: unknown}
			x := e.prepare(t.TempDir(), func(c *Config) {
				c.Workers = 1
				c.Probe = func(at Point, _ int32) {
					if o, ok := ends[at]; ok {
						seen <- o
					}
				}
			})
			x.run()
			e.sendMany(0, 60)
			e.drain()
			c.fault(t, e.cluster)
			ended := len(seen)
			e.sendMany(60, 60)
			require.Eventually(t, func() bool { return len(seen) > ended }, testTimeout, time.Millisecond)
			e.sendMany(120, 30) // moves the offsets on, should something have been left out
			e.drain()
			e.requireExact()
			require.NoError(t, x.stop())
			close(seen)
			counts := make(map[outcome]int)
			for o := range seen {
				counts[o]++
			}
			for _, o := range []outcome{unknown, aborted} {
				want := 0
				if o == c.want {
					want = 1
				}
				require.Equal(t, want, counts[o], "%s: %v", o, counts)
			}
			require.NotZero(t, counts[committed])
			e.checkRebuilt(x.dir)
		})
	}
}

// answerAfterWork lets the broker do the next commit, and answers UNKNOWN_SERVER_ERROR in its place.
func answerAfterWork(t *testing.T, c *kfake.Cluster) {
	t.Helper()
	done := false
	c.ControlKey(int16(kmsg.EndTxn), func(r kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		req := r.(*kmsg.EndTxnRequest)
		if done || !req.Commit {
			return nil, nil, false //nolint:nilnil // how kfake is told to go on
		}
		done = true
		// A second client sends the same commit and is answered; then this one gets an error.
		again := *req
		c.SleepControl(func() {
			cl, err := kgo.NewClient(kgo.SeedBrokers(c.ListenAddrs()...))
			if err == nil {
				defer cl.Close()
				var resp *kmsg.EndTxnResponse
				if resp, err = again.RequestWith(context.Background(), cl); err == nil {
					err = kerr.ErrorForCode(resp.ErrorCode)
				}
			}
			assert.NoError(t, err, "the commit itself") // not on the goroutine of the test
		})
		resp := req.ResponseKind().(*kmsg.EndTxnResponse)
		resp.ErrorCode = kerr.UnknownServerError.Code
		return resp, nil, true
	})
}

// checkRebuilt checks that the folder's state equals one restored in full from the changelog.
func (e *env) checkRebuilt(dir string) {
	e.t.Helper()
	one := e.start(dir, nil)
	one.waitRunning(int(e.partitions))
	want := one.digest()
	require.NoError(e.t, one.stop())
	two := e.start(e.t.TempDir(), nil)
	two.waitRunning(int(e.partitions))
	got := two.digest()
	require.NoError(e.t, two.stop())
	require.Equal(e.t, want, got)
}

// Killed again and again, it goes on where it was: each time at most two transactions are read back.
func TestCrashAndTailRestore(t *testing.T) {
	e := newEnv(t, 2)
	dir := t.TempDir()
	for round := range 4 {
		x := e.start(dir, nil)
		e.sendMany(round*200, 200)
		require.Eventually(t, func() bool {
			at := e.committed()
			return at[0] > int64(round*200+20)
		}, testTimeout, time.Millisecond)
		dir = x.crash()
		lines := x.log.find("restored")
		require.NotEmpty(t, lines)
		for _, line := range lines {
			if round > 0 {
				require.Equal(t, "tail", line["mode"], "%v", line)
				require.LessOrEqual(t, x.log.number(line, "transactions"), 2, "%v", line)
			}
		}
	}
	x := e.start(dir, nil)
	e.drain()
	e.requireExact()
	require.NoError(t, x.stop())
	e.checkRebuilt(x.dir)
}

// A state folder that is lost is rebuilt from the changelog.
func TestFullRestore(t *testing.T) {
	e := newEnv(t, 3)
	x := e.start(t.TempDir(), nil)
	e.sendMany(0, 200)
	e.drain()
	want := x.digest()
	require.NoError(t, x.stop())
	y := e.start(t.TempDir(), nil)
	y.waitRunning(3)
	require.Equal(t, want, y.digest())
	e.sendMany(200, 100)
	e.drain()
	e.requireExact()
	require.NoError(t, y.stop())
}

// Two processes share the partitions, and one takes over what the other had.
func TestRebalance(t *testing.T) {
	e := newEnv(t, 4)
	one := e.start(t.TempDir(), func(c *Config) { c.Instance, c.Workers = "one", 1 })
	e.sendMany(0, 150)
	e.drain()
	two := e.start(t.TempDir(), func(c *Config) { c.Instance, c.Workers = "two", 1 })
	from := 150
	require.Eventually(t, func() bool { // input goes on while partitions move
		e.sendMany(from, 20)
		from += 20
		return two.running() == 2
	}, testTimeout, 20*time.Millisecond)
	e.drain()
	e.requireExact()
	require.NoError(t, one.stop())
	_, err := e.adm.LeaveGroup(t.Context(), kadm.LeaveGroup("test").InstanceIDs("test-one-0"))
	require.NoError(t, err)
	e.sendMany(from, 100)
	two.waitRunning(4)
	e.drain()
	e.requireExact()
	require.NoError(t, two.stop())
}
