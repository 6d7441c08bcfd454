package live

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tocsin/processor/processortest/redistest"
)

// reporter is a process that tells what a test says, when it says so.
func (e *env) reporter(instance string) *Counters {
	cfg := e.config(instance)
	cfg.Alerts, cfg.Sample = nil, func() (Sample, error) { return Sample{}, nil }
	c, err := New(cfg)
	require.NoError(e.t, err)
	return c
}

func TestTotalsAreThoseOfAllProcesses(t *testing.T) {
	e := newEnv(t, redistest.Config{})
	tell := func(c *Counters, s Sample, r rates, after time.Duration) {
		t.Helper()
		require.NoError(t, c.tell(t.Context(), &s, r, e.now.Add(after)))
	}
	totals := func() Totals {
		t.Helper()
		n, err := e.numbers(t.Context(), time.Hour)
		require.NoError(t, err)
		return n.Totals
	}
	a, b := e.reporter("a"), e.reporter("b")
	tell(a, Sample{Judged: 90, DeadLetters: 10, IntegrityViolations: 3, Lag: 7}, rates{}, 0)
	tell(a, Sample{Judged: 90, DeadLetters: 10, IntegrityViolations: 3, Lag: 7}, rates{}, 0)
	got := totals()
	require.Equal(t, e.now.UnixMilli(), got.Updated.UnixMilli())
	got.Updated = time.Time{}
	require.Equal(t, Totals{Events: 100, Errors: 10, ErrorRate: .1, IntegrityViolations: 3, Queue: 7}, got, "told twice")

	tell(b, Sample{Judged: 300, Lag: 5}, rates{known: true, latency: 12500 * time.Microsecond}, 0)
	require.EqualValues(t, 400, totals().Events)
	require.EqualValues(t, 12, totals().Queue)
	require.Equal(t, 12.5, totals().Latency)

	e.now = e.now.Add(time.Second)
	restarted := e.reporter("a")
	restarted.run = "another"
	tell(restarted, Sample{Judged: 1}, rates{}, 0)
	require.EqualValues(t, 401, totals().Events, "a process that begins anew counts from zero")
	require.EqualValues(t, 5, totals().Queue)
	tell(restarted, Sample{Judged: 2}, rates{}, 2*time.Minute)
	require.EqualValues(t, 402, totals().Events)
	require.Zero(t, totals().Queue, "nobody has heard of b for two minutes")
	n, err := e.numbers(t.Context(), time.Hour)
	require.NoError(t, err)
	require.Len(t, n.Processes, 1)
	require.Equal(t, "a", n.Processes[0].Instance)
	require.Equal(t, "2", n.Processes[0].Numbers["judged"])
	tell(b, Sample{Judged: 310}, rates{}, 2*time.Minute)
	require.EqualValues(t, 412, totals().Events, "it had only been silent")
}

func TestProcessTellsHowItFares(t *testing.T) {
	e := newEnv(t, redistest.Config{})
	cfg := e.config("a")
	cfg.Alerts, cfg.Every = nil, 20*time.Millisecond
	var mu sync.Mutex
	sample, failed := Sample{Judged: 5, Roles: "processor"}, error(nil)
	cfg.Sample = func() (Sample, error) {
		mu.Lock()
		defer mu.Unlock()
		return sample, failed
	}
	c := e.start(cfg)
	events := func(n int64) {
		t.Helper()
		e.eventually(func(t require.TestingT) {
			got, err := e.numbers(e.t.Context(), time.Hour)
			require.NoError(t, err)
			require.Equal(t, n, got.Totals.Events)
			require.True(t, c.Health().OK)
		})
	}
	events(5)
	e.redis.Kill()
	e.eventually(func(t require.TestingT) { require.False(t, c.Health().OK) })
	mu.Lock()
	sample.Judged = 50
	mu.Unlock()
	e.redis.Restart()
	events(50)
	mu.Lock()
	failed = errors.New("no numbers")
	mu.Unlock()
	e.eventually(func(t require.TestingT) { require.Contains(t, c.Health().Reason, "no numbers") })
}

func TestRates(t *testing.T) {
	before := Sample{Judged: 100, Transactions: 10, TransactionSeconds: 1}
	now := Sample{Judged: 140, Duplicates: 5, DeadLetters: 5, Transactions: 14, TransactionSeconds: 2}
	r := ratesOf(&before, &now, 2*time.Second)
	require.Equal(t, rates{perSecond: 25, latency: 250 * time.Millisecond, known: true}, r)
	require.Equal(t, rates{}, ratesOf(&now, &now, 0))
}

func TestConfigSaysWhatIsMissing(t *testing.T) {
	_, err := New(Config{})
	for _, want := range []string{"Redis", "Log", "Instance", "Alerts or Sample"} {
		require.ErrorContains(t, err, want)
	}
	_, err = New(Config{Alerts: &Alerts{}})
	require.ErrorContains(t, err, "Alerts.Kafka")
}
