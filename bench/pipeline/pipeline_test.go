package pipeline_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tocsin/bench/generate"
	"tocsin/processor"
	"tocsin/processor/detect"
	"tocsin/processor/engine"
	"tocsin/processor/verify"
	"tocsin/state"
	"tocsin/state/window"
)

const (
	events     = 1_000_000 // of the stream
	partitions = 8         // one of which is judged
	perCommit  = 1250      // records of a partition in a transaction: 100 ms of 100,000 events/s over 8 partitions
	perChunk   = 64
	cacheBytes = 128 << 20 / partitions
)

// input gives what one partition gets of the stream of the acceptance runs.
func input(b *testing.B, cfg generate.Config) []engine.Record {
	b.Helper()
	g, err := generate.New(cfg)
	require.NoError(b, err)
	var records []engine.Record
	var rec generate.Record
	c := g.Cursor()
	for i := range g.Records() {
		c.At(i, &rec)
		if generate.Partition(rec.Key, partitions) != 0 {
			continue
		}
		records = append(records, engine.Record{Offset: int64(len(records)), Timestamp: rec.Timestamp,
			Value: append([]byte(nil), rec.Value...)})
	}
	return records
}

func newEngine(b *testing.B, secret []byte) *engine.Engine {
	b.Helper()
	rules, err := detect.Compile(detect.Default())
	require.NoError(b, err)
	verifier, err := verify.New(verify.Config{Secret: secret})
	require.NoError(b, err)
	e, err := engine.New(engine.Config{Topic: "events", Rules: rules, Verifier: verifier, Ticks: true})
	require.NoError(b, err)
	return e
}

// BenchmarkPartition judges one partition's records in transactions, with a real store. It reports the time of each
// step, in ns per event, the changelog bytes per event, and the share of events that changed a key first in their
// transaction.
func BenchmarkPartition(b *testing.B) {
	cfg := generate.Default(events)
	records := input(b, cfg)
	e := newEngine(b, cfg.Secret)
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		r := newRun(b, e)
		b.StartTimer()
		for len(records[r.next:]) > 0 {
			r.transaction(b, records)
		}
		b.StopTimer()
		r.report(b, len(records))
		require.NoError(b, r.store.Close())
		b.StartTimer()
	}
}

// run is one partition on its way.
type run struct {
	e     *engine.Engine
	store *state.Store
	lease *state.Lease
	part  *engine.Partition
	next  int
	log   int64 // changelog offset

	scratch  engine.Scratch
	prepared []engine.Prepared
	fx       engine.Effects

	prepare, step, changes, apply time.Duration
	bytes, keys                   int
}

func newRun(b *testing.B, e *engine.Engine) *run {
	b.Helper()
	store, err := state.Open(state.Config{Dir: b.TempDir(), HeadIndex: window.HeadIndex, Now: time.Now})
	require.NoError(b, err)
	lease, err := store.Acquire(b.Context(), state.Partition{}, "benchmark")
	require.NoError(b, err)
	r := &run{e: e, store: store, lease: lease, prepared: make([]engine.Prepared, perChunk)}
	r.part = e.NewPartition(engine.PartitionConfig{Partitions: partitions,
		Loader: processor.LeaseLoader{Lease: lease}, CacheBytes: cacheBytes})
	return r
}

func (r *run) transaction(b *testing.B, records []engine.Record) {
	b.Helper()
	records = records[r.next:min(r.next+perCommit, len(records))]
	r.next += len(records)
	for len(records) > 0 {
		n := min(perChunk, len(records))
		began := time.Now()
		for i := range records[:n] {
			r.e.Prepare(&records[i], &r.scratch, &r.prepared[i])
		}
		prepared := time.Now()
		for i := range records[:n] {
			if _, err := r.part.Advance(records[i].Timestamp, 1<<20, &r.fx); err != nil {
				b.Fatal(err)
			}
			if err := r.part.Step(&r.prepared[i], &r.fx); err != nil {
				b.Fatal(err)
			}
		}
		r.prepare += prepared.Sub(began)
		r.step += time.Since(prepared)
		records = records[n:]
	}
	began := time.Now()
	stage := r.store.NewStage()
	err := r.part.Changes(func(groupKey []byte, old window.Index, c window.Change) error {
		key, err := stage.Change(r.lease, groupKey, old, c)
		r.bytes += len(key) + len(c.Value)
		r.keys++
		r.log++
		return err
	})
	require.NoError(b, err)
	seal, err := stage.Seal(r.lease, r.part.SealFields())
	require.NoError(b, err)
	r.log++
	staged := time.Now()
	next := map[state.Partition]state.ChangelogPosition{{}: {TopicID: [16]byte{1}, Next: r.log}}
	require.NoError(b, stage.Apply(next))
	r.part.Committed(seal)
	r.fx.Reset()
	r.changes += staged.Sub(began)
	r.apply += time.Since(staged)
}

func (r *run) report(b *testing.B, n int) {
	b.Helper()
	per := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / float64(n) }
	b.ReportMetric(per(r.prepare), "prepare-ns/event")
	b.ReportMetric(per(r.step), "step-ns/event")
	b.ReportMetric(per(r.changes), "changes-ns/event")
	b.ReportMetric(per(r.apply), "apply-ns/event")
	b.ReportMetric(float64(r.bytes)/float64(n), "changelog-B/event")
	b.ReportMetric(float64(r.keys)/float64(n), "changes/event")
}
