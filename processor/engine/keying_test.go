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
	"tocsin/topics"
)

const keyedPartitions = 8

func keyTemplate(t testing.TB, text string) topics.KeyTemplate {
	t.Helper()
	key, err := topics.ParseKeyTemplate(text)
	require.NoError(t, err)
	return key
}

func newKeyedEngine(t testing.TB, key topics.KeyTemplate) *engine.Engine {
	t.Helper()
	rules, err := detect.Compile(detect.Default())
	require.NoError(t, err)
	v, err := verify.New(verify.Config{})
	require.NoError(t, err)
	e, err := engine.New(engine.Config{Topic: "audit.events", Rules: rules, Verifier: v, Ticks: true, Key: key})
	require.NoError(t, err)
	return e
}

func partitionOf(key string) int32 {
	return topics.PartitionOf(topics.KeyHash([]byte(key)), keyedPartitions)
}

// One offset of 64 is checked, against the key that ingest would have given the event.
func TestKeyCheck(t *testing.T) {
	start := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	body := func(fields string) string {
		return `{"timestamp":"2026-03-02T12:00:00Z","action":"x","status":"success"` + fields + `}`
	}
	for name, c := range map[string]struct {
		template string
		offset   int64
		value    string
		tick     bool
		key      string // that belongs to the event; empty: it is not checked
	}{
		"principal":          {offset: 0, value: body(`,"organizationId":"acme","principalId":"ann"`), key: "acme/ann"},
		"address":            {offset: 64, value: body(`,"organizationId":"acme","sessionContext":{"ipAddress":"10.0.0.1"}`), key: "acme/10.0.0.1"},
		"neither":            {offset: 128, value: body(""), key: "/unknown"},
		"template":           {offset: 640, template: "{principalId}", value: body(`,"organizationId":"acme","principalId":"ann"`), key: "ann"},
		"before the offset":  {offset: 63, value: body(`,"principalId":"ann"`)},
		"behind the offset":  {offset: 65, value: body(`,"principalId":"ann"`)},
		"dead letter":        {offset: 64, value: "{broken"},
		"quarantined":        {offset: 64, value: body(`,"principalId":"ann","hash":"00"`)},
		"tick":               {offset: 64, tick: true},
		"judged as a future": {offset: 64, value: `{"timestamp":"2026-03-03T12:00:00Z","action":"x","status":"success","principalId":"ann"}`, key: "/ann"},
	} {
		t.Run(name, func(t *testing.T) {
			if c.template == "" {
				c.template = topics.DefaultKeyTemplate
			}
			e := newKeyedEngine(t, keyTemplate(t, c.template))
			rec := engine.Record{Offset: c.offset, Timestamp: start.UnixNano(), Value: []byte(c.value), Key: []byte("whatever")}
			if c.tick {
				rec.Headers = []topics.Header{{Key: topics.HeaderTick}}
			}
			for id := range int32(keyedPartitions) {
				p := e.NewPartition(engine.PartitionConfig{Partition: id, Partitions: keyedPartitions, Loader: nothing{}})
				var fx engine.Effects
				var scratch engine.Scratch
				var pr engine.Prepared
				e.Prepare(&rec, &scratch, &pr)
				_, err := p.Advance(rec.Timestamp, 1, &fx)
				require.NoError(t, err)
				require.NoError(t, p.Step(&pr, &fx))
				switch {
				case c.key == "":
					require.Zero(t, fx.KeysChecked)
					require.Empty(t, fx.MisKeyed)
				case partitionOf(c.key) == id:
					require.EqualValues(t, 1, fx.KeysChecked)
					require.Empty(t, fx.MisKeyed)
				default:
					require.EqualValues(t, 1, fx.KeysChecked)
					require.Equal(t, []engine.MisKeyed{{
						Partition: id, Belongs: partitionOf(c.key), Offset: c.offset, RecordTime: start.UnixNano(),
					}}, fx.MisKeyed)
				}
				fx.Reset()
				require.Zero(t, fx.KeysChecked)
				require.Empty(t, fx.MisKeyed)
			}
		})
	}
}

// What the check finds influences nothing: the same records give the same effects, changes and seal with and without it.
func TestKeyCheckChangesNothing(t *testing.T) {
	type outcome struct {
		fx      engine.Effects
		changes []string
		seal    topics.Seal
	}
	judge := func(e *engine.Engine) (o outcome) {
		p := e.NewPartition(engine.PartitionConfig{Partition: 1, Partitions: keyedPartitions, Loader: nothing{}})
		var scratch engine.Scratch
		var pr engine.Prepared
		for _, rec := range benchRecords(2000, 20*time.Millisecond, 30) {
			e.Prepare(&rec, &scratch, &pr)
			_, err := p.Advance(rec.Timestamp, 1<<30, &o.fx)
			require.NoError(t, err)
			require.NoError(t, p.Step(&pr, &o.fx))
		}
		require.NoError(t, p.Changes(func(key []byte, _ window.Index, c window.Change) error {
			o.changes = append(o.changes, fmt.Sprintf("%x %+v", key, c))
			return nil
		}))
		o.seal = p.SealFields()
		return o
	}
	without, with := judge(newKeyedEngine(t, topics.KeyTemplate{})), judge(newKeyedEngine(t, keyTemplate(t, "{principalId}")))
	require.EqualValues(t, 2000/64+1, with.fx.KeysChecked)
	require.NotEmpty(t, with.fx.MisKeyed)
	require.NotEmpty(t, with.fx.Alerts)
	with.fx.KeysChecked, with.fx.MisKeyed = 0, nil
	require.Equal(t, without, with)
}

// A checked record costs no allocation.
func TestKeyCheckAllocatesNothing(t *testing.T) {
	e := newKeyedEngine(t, keyTemplate(t, topics.DefaultKeyTemplate))
	records := benchRecords(1, time.Second, 1)
	var scratch engine.Scratch
	var pr engine.Prepared
	e.Prepare(&records[0], &scratch, &pr)
	require.Zero(t, testing.AllocsPerRun(100, func() { e.Prepare(&records[0], &scratch, &pr) }))
}
