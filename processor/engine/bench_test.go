package engine_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tocsin/processor/detect"
	"tocsin/processor/engine"
	"tocsin/processor/verify"
	"tocsin/state/window"
)

// nothing is a store without any state.
type nothing struct{}

func (nothing) Load([]byte, *window.Key) error { return nil }

func newEngine(t testing.TB, secret string) *engine.Engine {
	t.Helper()
	rules, err := detect.Compile(detect.Default())
	require.NoError(t, err)
	var c verify.Config
	if secret != "" {
		c.Secret = []byte(secret)
	}
	v, err := verify.New(c)
	require.NoError(t, err)
	e, err := engine.New(engine.Config{Topic: "audit.events", Rules: rules, Verifier: v, Ticks: true})
	require.NoError(t, err)
	return e
}

// benchRecords are reads by one principal, a little under the threshold of data-velocity when pause is 1.3 s.
func benchRecords(n int, pause time.Duration, principals int) []engine.Record {
	base := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	records := make([]engine.Record, n)
	for i := range records {
		t := base.Add(time.Duration(i) * pause)
		records[i] = engine.Record{Offset: int64(i), Timestamp: t.UnixNano(), Value: fmt.Appendf(nil,
			`{"id":"e-%d","timestamp":%q,"action":"data.read","status":"success","organizationId":"org","principalId":"p-%d","targetResourceType":"Patient"}`,
			i, t.Format(time.RFC3339Nano), i%principals)}
	}
	return records
}

func benchmarkStep(b *testing.B, pause time.Duration, principals int) {
	b.Helper()
	e := newEngine(b, "")
	records := benchRecords(b.N, pause, principals)
	var scratch engine.Scratch
	prepared := make([]engine.Prepared, b.N)
	for i := range records {
		e.Prepare(&records[i], &scratch, &prepared[i])
	}
	p := e.NewPartition(engine.PartitionConfig{Loader: nothing{}, CacheBytes: 1 << 30})
	var fx engine.Effects
	b.ReportAllocs()
	b.ResetTimer()
	for i := range records {
		if _, err := p.Advance(records[i].Timestamp, 1<<30, &fx); err != nil {
			b.Fatal(err)
		}
		if err := p.Step(&prepared[i], &fx); err != nil {
			b.Fatal(err)
		}
		if i%1000 == 0 {
			if err := p.Changes(func([]byte, window.Index, window.Change) error { return nil }); err != nil {
				b.Fatal(err)
			}
			p.Committed(p.SealFields())
			fx.Reset()
		}
	}
}

func BenchmarkStepBelowThreshold(b *testing.B) { benchmarkStep(b, 1300*time.Millisecond, 1) }
func BenchmarkStepInEpisode(b *testing.B)      { benchmarkStep(b, 20*time.Millisecond, 1) }
func BenchmarkStepManyKeys(b *testing.B)       { benchmarkStep(b, 20*time.Millisecond, 1000) }

// BenchmarkStepCrossing is the event that makes an alert: the third denial of a principal. Writing the state is not
// counted.
func BenchmarkStepCrossing(b *testing.B) {
	e := newEngine(b, "")
	p := e.NewPartition(engine.PartitionConfig{Loader: nothing{}, CacheBytes: 1 << 40})
	var scratch engine.Scratch
	var fx engine.Effects
	offset := int64(0)
	t := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	_, err := p.Advance(t.UnixNano(), 1<<30, &fx)
	require.NoError(b, err)
	denied := func(principal int) engine.Prepared {
		r := engine.Record{Offset: offset, Timestamp: t.UnixNano(), Value: fmt.Appendf(nil, `{"id":"e-%d","timestamp":%q,`+
			`"action":"data.read","status":"failure","errorCode":"AccessDenied","organizationId":"org","principalId":"p-%d"}`,
			offset, t.Format(time.RFC3339Nano), principal)}
		offset++
		var prepared engine.Prepared
		e.Prepare(&r, &scratch, &prepared)
		return prepared
	}
	written := func() {
		require.NoError(b, p.Changes(func([]byte, window.Index, window.Change) error { return nil }))
		p.Committed(p.SealFields())
		fx.Reset()
	}
	for i := range 2 * b.N {
		event := denied(i % b.N)
		require.NoError(b, p.Step(&event, &fx))
		if i%1000 == 999 {
			written()
		}
	}
	events := make([]engine.Prepared, b.N)
	for i := range events {
		events[i] = denied(i)
	}
	written()
	b.ReportAllocs()
	b.ResetTimer()
	for i := range events {
		if err := p.Step(&events[i], &fx); err != nil {
			b.Fatal(err)
		}
		if i%1000 == 999 {
			b.StopTimer()
			require.Len(b, fx.Alerts, 1000)
			written()
			b.StartTimer()
		}
	}
}

func BenchmarkPrepare(b *testing.B) {
	e := newEngine(b, "")
	records := benchRecords(1, time.Second, 1)
	var scratch engine.Scratch
	var p engine.Prepared
	b.ReportAllocs()
	for b.Loop() {
		e.Prepare(&records[0], &scratch, &p)
	}
}
