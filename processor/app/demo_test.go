package app

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tocsin/processor/app/hospital"
	"tocsin/processor/detect"
	"tocsin/processor/engine"
	"tocsin/processor/ingest"
	"tocsin/processor/processortest/pgtest"
	"tocsin/processor/sink"
	"tocsin/state/window"
	"tocsin/topics"
)

var demoTestSecret = []byte("a secret of at least thirty-two bytes, for tests")

// The days of many seeds, judged with the settings that come with them: what was planted is found, and nothing else.
func TestDemoDays(t *testing.T) {
	for seed := range uint64(6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			d, err := hospital.New(seed, demoTestSecret)
			require.NoError(t, err)
			require.Greater(t, len(d.Records), 20_000)
			require.Greater(t, d.People, 250)
			r := judgeDay(t, d)
			r.match()
			r.compare()
			require.Empty(t, r.Faults)
			require.Empty(t, r.Unexpected)
			for _, p := range r.Planted {
				require.True(t, p.OK(), "%s: %+v", p.What, p.Found)
			}
		})
	}
}

func TestDemoDayIsTheSameEveryTime(t *testing.T) {
	one, err := hospital.New(1, demoTestSecret)
	require.NoError(t, err)
	two, err := hospital.New(1, demoTestSecret)
	require.NoError(t, err)
	require.Len(t, two.Records, len(one.Records))
	for i := range one.Records {
		require.Equal(t, one.Records[i], two.Records[i])
	}
	require.Equal(t, one.Settings(), two.Settings())
	other, err := hospital.New(2, demoTestSecret)
	require.NoError(t, err)
	require.NotEqual(t, one.Records[:100], other.Records[:100])
}

// nothing is the state of keys that nobody has seen.
type nothing struct{}

func (nothing) Load([]byte, *window.Key) error { return nil }

// judgeDay judges a day with the engine alone.
func judgeDay(t *testing.T, d *hospital.Day) *DemoReport {
	t.Helper()
	dir := &demoFolder{path: t.TempDir()}
	require.NoError(t, os.WriteFile(dir.file(demoSecret), demoTestSecret, 0o600))
	require.NoError(t, dir.settings(d))
	cfg, err := demoConfig(dir)
	require.NoError(t, err)
	cfg.Input.Ticks = true
	eng, err := cfg.newEngine(topics.ModeLive)
	require.NoError(t, err)
	rules, err := detect.Compile(cfg.Detect())
	require.NoError(t, err)

	const partitions = 4
	var parts [partitions]*engine.Partition
	for i := range parts {
		parts[i] = eng.NewPartition(engine.PartitionConfig{Partition: int32(i), Partitions: partitions, Loader: nothing{}})
	}
	var fx engine.Effects
	var scratch engine.Scratch
	var pr engine.Prepared
	var offsets [partitions]int64
	last := map[string]topics.Alert{}
	step := func(p int32, rec engine.Record) {
		rec.Offset = offsets[p]
		offsets[p]++
		eng.Prepare(&rec, &scratch, &pr)
		done, err := parts[p].Advance(rec.Timestamp, 1<<30, &fx)
		require.NoError(t, err)
		require.True(t, done)
		require.NoError(t, parts[p].Step(&pr, &fx))
		for _, a := range fx.Alerts {
			var alert topics.Alert
			require.NoError(t, json.Unmarshal(a.Value, &alert))
			last[alert.ID] = alert
		}
	}
	v := &ingest.Verdicts{DeadLetters: map[string]int64{}}
	count := func() {
		v.Judged += fx.Counts.Judged
		v.Duplicates += fx.Counts.Duplicates
		v.IDConflicts += fx.Counts.IDConflicts
		for i, n := range fx.Counts.DeadLetters {
			if n > 0 {
				v.DeadLetters[topics.Reason(i).String()] += n
			}
		}
		fx.Reset()
	}
	for _, r := range d.Records {
		step(topics.PartitionOf(topics.KeyHash(r.Key), partitions), engine.Record{Timestamp: r.At.UnixMilli() * 1e6, Key: r.Key, Value: r.Value})
		count()
	}
	at := d.End.Add(time.Duration(rules.LongestCooldown()) + time.Second).UnixNano()
	for p := range int32(partitions) {
		step(p, engine.Record{Timestamp: at, Headers: []topics.Header{{Key: topics.HeaderTick, Value: []byte("1")}}})
		count()
	}
	r := &DemoReport{Day: d, Verdicts: v}
	for _, a := range last {
		r.alerts = append(r.alerts, sink.Stored{Alert: a})
	}
	return r
}

func TestDemoFolder(t *testing.T) {
	path := filepath.Join(pgtest.TempDir(t), "demo")
	d, err := openDemoFolder(path)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(d.file("left"), nil, 0o600))
	_, err = openDemoFolder(path)
	require.ErrorContains(t, err, "a demo is running in "+path)
	require.NoError(t, d.close())

	d, err = openDemoFolder(path)
	require.NoError(t, err)
	require.NoFileExists(t, d.file("left"), "what the former one left is gone")
	require.NoError(t, d.close())

	require.NoError(t, os.Remove(d.file(demoMark)))
	require.NoError(t, os.WriteFile(d.file("mine"), nil, 0o600))
	_, err = openDemoFolder(path)
	require.ErrorContains(t, err, "not a demo's")
	require.FileExists(t, d.file("mine"))
}
