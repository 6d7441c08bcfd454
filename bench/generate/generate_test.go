package generate

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"tocsin/processor/processortest/oracle"
	"tocsin/topics"
)

func small(t testing.TB, n int) *Generator {
	t.Helper()
	cfg := Default(n)
	cfg.TooLarge = 1
	g, err := New(cfg)
	require.NoError(t, err)
	return g
}

func TestRecordsAreAFunctionOfTheirPlace(t *testing.T) {
	a, b := small(t, 20_000), small(t, 20_000)
	var x, y Record
	ca, cb := a.Cursor(), b.Cursor()
	for i := 0; i < 20_000; i += 7 {
		ca.At(i, &x)
		cb.At(19_999-i, &y)
		cb.At(i, &y)
		require.Equal(t, x, y)
		other := Record{Class: x.Class}
		cb.Write(i, &other)
		require.Equal(t, x, other)
	}
}

func TestValues(t *testing.T) {
	g := small(t, 20_000)
	c := g.Cursor()
	var r Record
	var bytes, sound int
	for i := range g.Records() {
		c.At(i, &r)
		switch r.Class.Reason {
		case topics.ReasonTooLarge:
			require.Greater(t, len(r.Value), 1<<20)
			continue
		case topics.ReasonNotJSON, topics.ReasonInvalidUTF8, topics.ReasonTooDeep:
			continue
		}
		require.True(t, json.Valid(r.Value), "record %d: %s", i, r.Value)
		bytes += len(r.Value)
		sound++
	}
	require.InDelta(t, 754, float64(bytes)/float64(sound), 20)
}

func TestPartitionIsKafkas(t *testing.T) {
	p := kgo.StickyKeyPartitioner(nil).ForTopic("t")
	for _, key := range []string{"", "a", "ab", "abc", "abcd", "org-01/user-1", "/user-77", "org-19/backup"} {
		want := p.Partition(&kgo.Record{Key: []byte(key)}, 12)
		if key == "" {
			continue // no key is no choice
		}
		require.EqualValues(t, want, Partition([]byte(key), 12), key)
	}
}

func TestZipf(t *testing.T) {
	const n, draws = 10_000_000, 400_000
	z := newZipf(n, 1.1)
	sum := 0.0
	for k := 1; k <= n; k++ {
		sum += math.Pow(float64(k), -1.1)
	}
	seen := map[int64]int{}
	r := newRandom(3, 4)
	for range draws {
		k := z.rank(&r)
		require.True(t, k >= 1 && k <= n)
		seen[k]++
	}
	for _, k := range []int64{1, 2, 3, 10, 50} {
		want := draws * math.Pow(float64(k), -1.1) / sum
		require.InDelta(t, want, seen[k], 5*math.Sqrt(want), "rank %d", k)
	}
}

func TestExpectationHoldsAllThereIs(t *testing.T) {
	g := small(t, 200_000)
	x, err := g.Expect(g.Records(), 4, true)
	require.NoError(t, err)
	for _, reason := range []topics.Reason{topics.ReasonTooLarge, topics.ReasonInvalidUTF8, topics.ReasonNotJSON,
		topics.ReasonTooDeep, topics.ReasonAmbiguousField, topics.ReasonMissingField, topics.ReasonBadType,
		topics.ReasonBadTimestamp, topics.ReasonTampered, topics.ReasonForged, topics.ReasonUnverifiable,
		topics.ReasonFuture, topics.ReasonLate} {
		require.NotZero(t, x.Counts.DeadLetters[reason], reason.String())
	}
	require.NotZero(t, x.Counts.Duplicates)
	require.NotZero(t, x.Counts.Conflicts)
	require.EqualValues(t, 4, x.Counts.Ticks)

	var all []oracle.Revision
	alerts := map[string]int{}
	for _, revisions := range x.Revisions {
		all = append(all, revisions...)
		for _, r := range revisions {
			if r.Revision == 1 {
				alerts[r.Rule]++
			}
		}
	}
	spans := oracle.SpansOf(all)
	for _, a := range g.Attacks() {
		require.Len(t, spans[oracle.RuleKey{Rule: a.Rule, Key: a.Key}], a.Episodes, a.Name)
	}
	require.GreaterOrEqual(t, len(g.Attacks()), 20)
	t.Logf("alerts %v, revisions %d, over the cap %d, counts %+v", alerts, len(all), len(x.Over), x.Counts)
}

func BenchmarkAt(b *testing.B) {
	g := small(b, 1_000_000)
	c := g.Cursor()
	var r Record
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		c.At(i%1_000_000, &r)
		b.SetBytes(int64(len(r.Value)))
		i++
	}
}

// BenchmarkExpect is the oracle over two million records, in one pass.
func BenchmarkExpect(b *testing.B) {
	for b.Loop() {
		g := small(b, 2_000_000)
		x, err := g.Expect(g.Records(), 4, true)
		require.NoError(b, err)
		n := 0
		for _, r := range x.Revisions {
			n += len(r)
		}
		b.ReportMetric(float64(n), "revisions")
		b.ReportMetric(float64(len(x.Over)), "keys-over-cap")
		b.Logf("%+v", x.Counts)
	}
}

// Every principal of the census has a key of its own, which the first rule that counts reads remembers.
func TestCensus(t *testing.T) {
	cfg := Default(6000)
	cfg.Census, cfg.Principals, cfg.Attacks, cfg.Downgrades = 5000, 5000, 0, 0
	g, err := New(cfg)
	require.NoError(t, err)
	c := g.Cursor()
	keys := map[oracle.Key]bool{}
	var r Record
	for i := range cfg.Census {
		c.At(i, &r)
		require.Equal(t, topics.ReasonNone, r.Class.Reason)
		require.NotZero(t, r.Class.Matched)
		keys[r.Class.Key] = true
	}
	require.Len(t, keys, cfg.Census)
	found := 0 // those of the census are at work afterwards
	for i := cfg.Census; i < cfg.Records; i++ {
		if c.At(i, &r); keys[r.Class.Key] {
			found++
		}
	}
	require.Greater(t, found, 800)
	cfg.Census = 6001
	_, err = New(cfg)
	require.ErrorContains(t, err, "census")
}
