package engine_test

import (
	"bytes"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"tocsin/processor/engine"
	"tocsin/state/window"
	"tocsin/topics"
)

// FuzzStep judges any bytes as records, one a line: each gets exactly one verdict, nothing is taken for a bug of ours,
// what is said about it is text of bounded length, and every alert and every change can be read again.
func FuzzStep(f *testing.F) {
	f.Add([]byte(`{"id":"1","timestamp":"2026-03-02T12:00:00Z","action":"auth.login.failure","status":"failure"}`), []byte("h"), "source")
	f.Add(bytes.Repeat([]byte(`{"timestamp":"2026-03-02T23:00:00Z","action":"data.read","status":"success","hash":"x"}`+"\n"), 4), []byte(nil), "ce_id")
	f.Add([]byte("{\n\n\x00\n{\"timestamp\":7}\n[]"), []byte("1.0"), "ce_specversion")
	f.Add([]byte(`{"timestamp":"1700-01-01T00:00:00Z","action":"bulk","status":"success","principalId":"\ud800","recordCount":1e308}`),
		[]byte("tick"), topics.HeaderTick)
	e := newEngine(f, "")
	f.Fuzz(func(t *testing.T, text, header []byte, name string) {
		p := e.NewPartition(engine.PartitionConfig{Partition: 1, Partitions: 4, Loader: nothing{}, CacheBytes: 1 << 20})
		var fx engine.Effects
		var scratch engine.Scratch
		var prepared engine.Prepared
		lines := bytes.Split(text, []byte("\n"))
		for i, line := range lines {
			r := engine.Record{Offset: int64(i), Timestamp: 1772452800e9 + int64(i)*60e9, Key: header, Value: line,
				Headers: []topics.Header{{Key: name, Value: header}}}
			e.Prepare(&r, &scratch, &prepared)
			done, err := p.Advance(r.Timestamp, 1<<30, &fx)
			require.NoError(t, err)
			require.True(t, done)
			require.NoError(t, p.Step(&prepared, &fx))
			require.EqualValues(t, i+1, fx.Counts.Total())
		}
		require.Zero(t, fx.Counts.DeadLetters[topics.ReasonInternal])
		for _, d := range fx.DeadLetters {
			require.NotEqual(t, topics.ReasonNone, d.Reason)
			require.True(t, utf8.ValidString(d.Err))
			require.Less(t, len(d.Err), 1<<10)
		}
		for _, a := range fx.Alerts {
			require.True(t, utf8.Valid(a.Value))
			require.NotContains(t, string(a.Value), `\u0000`)
		}
		keys := parts{}
		require.NoError(t, p.Changes(func(groupKey []byte, _ window.Index, c window.Change) error {
			if c.Value != nil {
				keys[string(groupKey)+string(c.Suffix)] = string(c.Value)
			}
			return nil
		}))
		for key := range keys {
			groupKey, _, err := topics.SplitChangeKey([]byte(key))
			require.NoError(t, err)
			require.NoError(t, new(window.Key).Load(groupKey, keys))
		}
	})
}

// parts are changes by their key in the changelog.
type parts map[string]string

// Get implements window.Source.
func (p parts) Get(key []byte) ([]byte, bool, error) {
	v, ok := p[string(key)]
	return []byte(v), ok, nil
}

// Scan implements window.Source.
func (p parts) Scan(groupKey []byte, visit func(suffix, value []byte) error) error {
	for key, value := range p {
		if suffix, ok := bytes.CutPrefix([]byte(key), groupKey); ok {
			if err := visit(suffix, []byte(value)); err != nil {
				return err
			}
		}
	}
	return nil
}
