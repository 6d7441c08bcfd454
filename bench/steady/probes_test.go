package steady

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tocsin/bench/generate"
)

func testProbes(t *testing.T, s schedule, seconds int, first int) *probes {
	t.Helper()
	cfg := generate.Default(s.rate * seconds)
	cfg.Attacks, cfg.Duration, cfg.ProbeEvery = 0, time.Duration(seconds)*time.Second, 10
	g, err := generate.New(cfg)
	require.NoError(t, err)
	return newProbes(s, g, first)
}

func TestProbesAreTimedFromWhenTheyWereDue(t *testing.T) {
	s := schedule{start: time.Now(), rate: 100}
	p := testProbes(t, s, 10, s.first(5*time.Second))
	require.Equal(t, 20, p.number, "two lags of a second with ten blocks each")
	for n := 20; n < 100; n++ {
		select {
		case <-p.all:
			t.Fatal("not all are there")
		default:
		}
		late := 30 * time.Millisecond
		if n < 50 {
			late = time.Hour // warm-up
		}
		require.NoError(t, p.found(n, p.due(p.stream.Crossing(n)).Add(late)))
	}
	<-p.all
	require.NoError(t, p.check())
	require.NoError(t, p.wait(t.Context(), time.Now(), time.Hour))
	require.EqualValues(t, 50, p.latency.TotalCount())
	require.InEpsilon(t, 0.03, quantile(p.latency, 100).Seconds(), 0.001)
	require.InEpsilon(t, 0.03, quantile(p.latency, 50).Seconds(), 0.001)

	require.NoError(t, p.found(31, time.Now()))
	require.ErrorContains(t, p.check(), "1 alerts came twice: probes 31")
}

func TestProbesSayWhatIsMissing(t *testing.T) {
	s := schedule{start: time.Now().Add(-time.Minute), rate: 100}
	p := testProbes(t, s, 10, 0)
	for n := 20; n < 100; n++ {
		if n%4 != 0 {
			require.NoError(t, p.found(n, time.Now()))
		}
	}
	sent, seen, _ := p.state()
	require.Equal(t, 80, sent)
	require.Equal(t, 60, seen)
	require.NoError(t, p.wait(t.Context(), time.Now(), 0), "nothing more comes")
	require.EqualError(t, p.check(), "20 of 80 probes have no alert: probes 20 24 28 32 36 40 44 48 52 56 …")

	require.ErrorContains(t, p.found(19, time.Now()), "only 20 to 99 were sent")
	require.ErrorContains(t, p.found(100, time.Now()), "only 20 to 99 were sent")
	require.ErrorContains(t, p.found(20, s.start), "before its event was due")
}

func TestProbeOf(t *testing.T) {
	for _, c := range []struct {
		name, value string
		n           int
		ok          bool
		err         string
	}{
		{"first revision", `{"revision":1,"rule":{"id":"unauthorized-access"},"group":{"principal":"probe-7"}}`, 7, true, ""},
		{"later one", `{"revision":2,"rule":{"id":"unauthorized-access"},"group":{"principal":"probe-7"}}`, 0, false, ""},
		{"somebody", `{"revision":1,"rule":{"id":"unauthorized-access"},"group":{"principal":"user-7"}}`, 0, false, ""},
		{"other field", `{"revision":1,"rule":{"id":"x"},"group":{"kind":"probe-7"}}`, 0, false, ""},
		{"other rule", `{"revision":1,"rule":{"id":"x"},"group":{"principal":"probe-7"}}`, 0, false, "alert of x for probe 7"},
		{"no JSON", `{"probe-7`, 0, false, "unexpected end"},
	} {
		n, ok, err := probeOf([]byte(c.value))
		require.Equal(t, c.n, n, c.name)
		require.Equal(t, c.ok, ok, c.name)
		if c.err == "" {
			require.NoError(t, err, c.name)
		} else {
			require.ErrorContains(t, err, c.err, c.name)
		}
	}
}
