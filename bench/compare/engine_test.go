package compare

import (
	"encoding/json"
	"maps"
	"slices"
	"sort"
	"testing"

	"github.com/stretchr/testify/require"

	"tocsin/bench/generate"
	"tocsin/processor/detect"
	"tocsin/processor/engine"
	"tocsin/processor/verify"
	"tocsin/state/window"
	"tocsin/topics"
)

// store is committed state in memory, as the engine's Loader wants it.
type store map[string]map[string]string

func (s store) Load(groupKey []byte, k *window.Key) error {
	return k.Load(groupKey, s)
}

// Get implements window.Source.
func (s store) Get(changeKey []byte) ([]byte, bool, error) {
	groupKey, suffix, err := topics.SplitChangeKey(changeKey)
	v, ok := s[string(groupKey)][string(suffix)]
	return []byte(v), ok, err
}

// Scan implements window.Source.
func (s store) Scan(groupKey []byte, visit func(suffix, value []byte) error) error {
	parts := s[string(groupKey)]
	suffixes := make([]string, 0, len(parts))
	for x := range parts {
		suffixes = append(suffixes, x)
	}
	sort.Strings(suffixes)
	for _, x := range suffixes {
		if err := visit([]byte(x), []byte(parts[x])); err != nil {
			return err
		}
	}
	return nil
}

func (s store) change(groupKey []byte, _ window.Index, c window.Change) error {
	parts := s[string(groupKey)]
	if parts == nil {
		parts = map[string]string{}
		s[string(groupKey)] = parts
	}
	if c.Value == nil {
		delete(parts, string(c.Suffix))
	} else {
		parts[string(c.Suffix)] = string(c.Value)
	}
	return nil
}

// judged is the outcome of a run of the engine in memory.
type judged struct {
	alerts  []topics.Alert
	letters []generate.DeadLetter
	counts  topics.Counts
	states  []store // by partition
}

// runEngine judges a stream in memory, with transactions of a given number of records.
func runEngine(t testing.TB, g *generate.Generator, secret []byte, partitions int32, batch int) (judged, *detect.RuleSet) {
	t.Helper()
	rules, err := detect.Compile(detect.Default())
	require.NoError(t, err)
	verifier, err := verify.New(verify.Config{Secret: secret})
	require.NoError(t, err)
	e, err := engine.New(engine.Config{Topic: "events", Rules: rules, Verifier: verifier, Limits: topics.DefaultLimits(),
		Mode: topics.ModeLive, Ticks: true})
	require.NoError(t, err)

	var out judged
	c := g.Cursor()
	var rec generate.Record
	for p := range partitions {
		s := store{}
		out.states = append(out.states, s)
		part := e.NewPartition(engine.PartitionConfig{Partition: p, Partitions: partitions, Loader: s, CacheBytes: 1 << 20})
		var fx engine.Effects
		var scratch engine.Scratch
		var pr engine.Prepared
		var sequence uint64
		commit := func() {
			require.NoError(t, part.Changes(s.change))
			seal := part.SealFields()
			sequence++
			seal.Sequence = sequence
			part.Committed(seal)
			for _, a := range fx.Alerts {
				var alert topics.Alert
				require.NoError(t, json.Unmarshal(a.Value, &alert))
				out.alerts = append(out.alerts, alert)
			}
			for _, d := range fx.DeadLetters {
				out.letters = append(out.letters, generate.DeadLetter{Partition: p, Offset: d.Offset, Reason: d.Reason})
			}
			out.counts.Add(&fx.Counts)
			fx.Reset()
		}
		step := func(r *engine.Record) {
			e.Prepare(r, &scratch, &pr)
			for {
				done, err := part.Advance(r.Timestamp, 1000, &fx)
				require.NoError(t, err)
				if done {
					break
				}
				commit()
			}
			require.NoError(t, part.Step(&pr, &fx))
			if r.Offset%int64(batch) == 0 {
				commit()
			}
		}
		offset := int64(0)
		for i := range g.Records() {
			c.At(i, &rec)
			if generate.Partition(rec.Key, partitions) != p {
				continue
			}
			step(&engine.Record{Offset: offset, Timestamp: rec.Timestamp, Key: rec.Key, Value: rec.Value})
			offset++
		}
		step(&engine.Record{Offset: offset, Timestamp: g.TickAt(), Headers: []topics.Header{{Key: topics.HeaderTick}}})
		commit()
	}
	return out, rules
}

func TestEngineGivesWhatTheOracleExpects(t *testing.T) {
	cfg := generate.Default(60_000)
	cfg.TooLarge = 1
	g, err := generate.New(cfg)
	require.NoError(t, err)
	const partitions = 3
	want, err := g.Expect(g.Records(), partitions, true)
	require.NoError(t, err)
	got, rules := runEngine(t, g, cfg.Secret, partitions, 777)

	require.NoError(t, Counts(want.Counts, got.counts).Err())
	require.NoError(t, DeadLetters(want, got.letters).Err())
	report := Alerts(want, got.alerts, rules, Options{Recent: true})
	require.NoError(t, report.Err())
	require.Greater(t, report.Revisions, 1000)
	t.Logf("%d alerts, %d revisions", report.Alerts, report.Revisions)

	// The comparison must notice.
	lost := slices.Clone(got.alerts)[1:]
	require.Error(t, Alerts(want, lost, rules, Options{}).Err())
	twice := append(slices.Clone(got.alerts), got.alerts[0])
	require.Error(t, Alerts(want, twice, rules, Options{}).Err())
	wrong := slices.Clone(got.alerts)
	wrong[7].Count++
	require.Error(t, Alerts(want, wrong, rules, Options{}).Err())
}

// A few principals with more matches than are retained one by one: their alerts keep ids and crossings.
func TestAboveTheCap(t *testing.T) {
	cfg := generate.Default(60_000)
	cfg.Principals = 20
	cfg.Duration /= 4
	g, err := generate.New(cfg)
	require.NoError(t, err)
	want, err := g.Expect(g.Records(), 2, true)
	require.NoError(t, err)
	require.NotEmpty(t, want.Over)
	got, rules := runEngine(t, g, cfg.Secret, 2, 5000)
	require.NoError(t, Counts(want.Counts, got.counts).Err())
	require.NoError(t, DeadLetters(want, got.letters).Err())
	report := Alerts(want, got.alerts, rules, Options{})
	require.NoError(t, report.Err())
	require.NotZero(t, report.AboveCap)
	t.Logf("%d alerts, %d of them above the cap", report.Alerts, report.AboveCap)

	// What is retained there does not depend on where transactions end: a replay comes to the same state.
	again, _ := runEngine(t, g, cfg.Secret, 2, 333)
	require.True(t, maps.EqualFunc(got.states[0], again.states[0], maps.Equal[map[string]string]))
	require.True(t, maps.EqualFunc(got.states[1], again.states[1], maps.Equal[map[string]string]))
	require.NotEmpty(t, got.states[0])
	require.Equal(t, got.counts, again.counts)
}
