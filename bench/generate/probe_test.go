package generate

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tocsin/processor/processortest/oracle"
)

// Each probe makes one alert, of one rule, at the record that is said.
func TestEveryProbeMakesItsAlertAtItsRecord(t *testing.T) {
	cfg := Default(60_000)
	cfg.Duration, cfg.Start = 30*time.Second, time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	cfg.ProbeEvery, cfg.Attacks = 61, 3
	g, err := New(cfg)
	require.NoError(t, err)
	from, to := g.Probes()
	require.Equal(t, 2*33, from, "two lags of a second each")
	require.Equal(t, 60_000/61, to)

	x, err := g.Expect(g.Records(), 4, false)
	require.NoError(t, err)
	found := map[int]int64{} // probe: crossing
	for _, revisions := range x.Revisions {
		for _, r := range revisions {
			if n, ok := ProbeNumber(r.Key.Value); ok {
				require.Equal(t, oracle.SpacePrincipal, r.Key.Space)
				require.Equal(t, "unauthorized-access", r.Rule)
				require.Equal(t, 1, r.Revision)
				require.NotContains(t, found, n)
				found[n] = r.Crossing
			}
		}
	}
	require.Len(t, found, to-from)
	for n := from; n < to; n++ {
		i := g.Crossing(n)
		require.Equal(t, n, i/cfg.ProbeEvery)
		require.Equal(t, g.recordTime(i), found[n], "probe %d", n)
	}
}

func TestProbesStandInTheirBlocks(t *testing.T) {
	cfg := Default(10_000)
	cfg.ProbeEvery = 10
	g, err := New(cfg)
	require.NoError(t, err)
	denials := map[int]int{}
	for i := range g.Records() {
		if n, ok := g.probeAt(i); ok {
			denials[n]++
		}
	}
	from, to := g.Probes()
	require.Len(t, denials, to-from)
	for n, count := range denials {
		require.True(t, n >= from && n < to)
		require.Equal(t, probeSteps, count)
	}
}

func TestProbeNumber(t *testing.T) {
	for _, c := range []struct {
		principal string
		n         int
		ok        bool
	}{{"probe-12", 12, true}, {"probe-", 0, false}, {"probing-1", 0, false}, {"user-12", 0, false}} {
		n, ok := ProbeNumber(c.principal)
		require.Equal(t, c.ok, ok, c.principal)
		require.Equal(t, c.n, n, c.principal)
	}
	cfg := Default(10)
	cfg.ProbeEvery = 2
	_, err := New(cfg)
	require.ErrorContains(t, err, "a probe needs 3 records at least")
}
