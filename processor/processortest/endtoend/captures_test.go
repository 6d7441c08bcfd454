package endtoend

import (
	"encoding/json"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tocsin/processor/processortest/captures"
	"tocsin/processor/processortest/pgtest"
	"tocsin/topics"
)

// TestCaptures: the recorded captures go through the whole of it: in event-time order they give the alerts that were
// computed independently; in the order of the files the same spans and counts; a second time nothing new.
func TestCaptures(t *testing.T) {
	t.Parallel()
	eachBroker(t, func(t *testing.T, brokers []string) {
		t.Helper()
		for _, set := range captures.Sets() {
			t.Run(set, func(t *testing.T) { testCapture(t, brokers, set) })
		}
	})
}

func testCapture(t *testing.T, brokers []string, set string) {
	t.Helper()
	facts, folder := captures.Load(t, set), captures.Folder(t, set)

	e := newEnv(t, "ordered-"+set, brokers, pgtest.NewDatabase(t), 4, "")
	e.setUp()
	p := e.start()
	e.waitReady(p)
	first := e.ingest(folder, "--historic")
	require.EqualValues(t, facts.EventsDelivered, first.Accepted)
	require.Zero(t, first.Duplicate+first.Late+first.Future)
	ordered := e.alerts()
	facts.Check(t, ordered)
	e.waitStored(time.Minute, p, ordered)

	second := e.ingest(folder, "--historic")
	require.EqualValues(t, facts.EventsDelivered, second.Accepted+second.Duplicate+second.Late)
	require.Positive(t, second.Duplicate+second.Late)
	again := e.alerts()
	require.Equal(t, captures.Final(ordered), captures.Final(again))
	require.Equal(t, ids(ordered), ids(again))
	e.waitStored(time.Minute, p, ordered)
	p.stop()

	f := newEnv(t, "filed-"+set, brokers, pgtest.NewDatabase(t), 4, "")
	f.setUp()
	p = f.start()
	f.waitReady(p)
	filed := f.ingest(folder, "--historic", "--file-order")
	require.EqualValues(t, facts.EventsDelivered, filed.Accepted)
	inFileOrder := f.alerts()
	require.Equal(t, captures.Final(ordered), captures.Final(inFileOrder))
	f.waitStored(time.Minute, p, inFileOrder)
	p.stop()
}

func ids(alerts []topics.Alert) []string {
	set := map[string]bool{}
	for _, a := range alerts {
		set[a.ID] = true
	}
	return slices.Sorted(maps.Keys(set))
}

// ingested is what `tocsin ingest` prints at its end.
type ingested struct {
	Accepted, Duplicate, Late, Future int64
}

func (e *env) ingest(folder string, args ...string) (r ingested) {
	out := e.cli(append([]string{"ingest", folder, "--output", "json", "--format", "cloudtrail"}, args...)...)
	e.t.Log("ingest:", out)
	require.NoError(e.t, json.Unmarshal([]byte(out), &r), out)
	return r
}
