package generate

import (
	"testing"

	"github.com/stretchr/testify/require"

	"tocsin/processor/processortest/oracle"
)

// keys counts the records of each principal.
func keys(t *testing.T, change func(*Config)) map[string]int {
	t.Helper()
	cfg := Default(40_000)
	cfg.Attacks, cfg.Downgrades, cfg.Principals = 0, 0, 400
	change(&cfg)
	g, err := New(cfg)
	require.NoError(t, err)
	c, counts := g.Cursor(), map[string]int{}
	var rec Record
	for i := range g.Records() {
		c.At(i, &rec)
		if rec.Class.Key.Space == oracle.SpacePrincipal {
			counts[rec.Class.Key.Value]++
		}
	}
	return counts
}

func most(counts map[string]int) (n int) {
	for _, c := range counts {
		n = max(n, c)
	}
	return n
}

// A draw without skew gives every principal its share; the hot one has the share that it was given, and nobody else's
// share grows.
func TestUniformAndHotKey(t *testing.T) {
	uniform := keys(t, func(c *Config) { c.Zipf = 0 })
	require.Greater(t, len(uniform), 395)
	require.Less(t, most(uniform), 160, "100 on average, and 10 the standard deviation")
	require.Greater(t, most(keys(t, func(*Config) {})), 4000, "Zipf 1.1 is skewed")

	hot := keys(t, func(c *Config) { c.Zipf, c.HotKey = 0, 0.3 })
	require.InDelta(t, 12_000, hot[HotPrincipal], 600)
	delete(hot, HotPrincipal)
	require.Less(t, most(hot), 125)

	cfg := Default(10)
	cfg.HotKey = 1.5
	_, err := New(cfg)
	require.ErrorContains(t, err, "hot key")
}

// The oracle knows the hot key's alerts as it knows all others: what it expects is what the stream says.
func TestHotKeyIsExpected(t *testing.T) {
	cfg := Default(20_000)
	cfg.HotKey = 0.3
	g, err := New(cfg)
	require.NoError(t, err)
	x, err := g.Expect(g.Records(), 2, true)
	require.NoError(t, err)
	found := false
	for _, revisions := range x.Revisions {
		for i := range revisions {
			found = found || revisions[i].Key.Value == HotPrincipal
		}
	}
	require.True(t, found)
}
