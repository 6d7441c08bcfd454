package processortest_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"tocsin/processor/detect"
	"tocsin/processor/engine"
	"tocsin/processor/processortest/captures"
	"tocsin/processor/verify"
	"tocsin/topics"
)

// TestEngineCaptures: on real captures the engine finds what was computed independently; in the order of the files it
// ends with the same spans and counts; a second time nothing new.
func TestEngineCaptures(t *testing.T) {
	t.Parallel()
	for _, set := range captures.Sets() {
		t.Run(set, func(t *testing.T) {
			t.Parallel()
			facts, events := captures.Load(t, set), captures.Events(t, set)
			require.Len(t, events, facts.EventsDelivered)
			sorted := slices.Clone(events)
			slices.SortStableFunc(sorted, func(a, b []byte) int { return int((eventTime(t, a) - eventTime(t, b)) / second) })

			inOrder := captureRun(t)
			inOrder.all(t, sorted, 0)
			facts.Check(t, inOrder.alerts)
			require.Empty(t, inOrder.letters)

			inFileOrder := captureRun(t)
			inFileOrder.all(t, events, 0)
			require.Empty(t, inFileOrder.letters)
			require.Equal(t, captures.Final(inOrder.alerts), captures.Final(inFileOrder.alerts))

			// A second time: no alert that was not there, no changed count. The keys of stratus, which spans four months,
			// have expired by then: they are judged anew and give the same alerts under the same ids.
			before, ids := captures.Final(inOrder.alerts), alertIDs(inOrder.alerts)
			revisions := len(inOrder.raw)
			inOrder.counts = topics.Counts{}
			inOrder.all(t, sorted, int64(len(events)+1))
			require.Equal(t, before, captures.Final(inOrder.alerts))
			require.Equal(t, ids, alertIDs(inOrder.alerts))
			if set == "invictus" {
				require.Len(t, inOrder.raw, revisions)
			}
			c := inOrder.counts
			require.EqualValues(t, len(events), c.Judged+c.Duplicates+c.DeadLetters[topics.ReasonLate])
			require.Positive(t, c.Duplicates+c.DeadLetters[topics.ReasonLate])
		})
	}
}

func captureRun(t *testing.T) *run {
	t.Helper()
	rules, err := detect.Compile(detect.Default())
	require.NoError(t, err)
	v, err := verify.New(verify.Config{})
	require.NoError(t, err)
	e, err := engine.New(engine.Config{Topic: "audit.events", Rules: rules, Verifier: v, Ticks: true})
	require.NoError(t, err)
	return newRun(e)
}

// all judges the events with record time = running maximum of event time, and closes with a tick.
func (r *run) all(t *testing.T, events [][]byte, offset int64) {
	t.Helper()
	var pr engine.Prepared
	at := r.part.RecordTime()
	for i, value := range events {
		at = max(at, eventTime(t, value))
		r.step(t, &engine.Record{Offset: offset + int64(i), Timestamp: at, Value: value}, &pr)
	}
	r.step(t, &engine.Record{Offset: offset + int64(len(events)), Timestamp: at + 9*3600*second,
		Headers: []topics.Header{{Key: topics.HeaderTick}}}, &pr)
}

func eventTime(t *testing.T, value []byte) int64 {
	t.Helper()
	var e topics.Event
	_, err := e.Decode(value, nil, topics.DefaultLimits())
	require.NoError(t, err)
	return e.Time
}

func alertIDs(alerts []topics.Alert) map[string]bool {
	ids := map[string]bool{}
	for _, a := range alerts {
		ids[a.ID] = true
	}
	return ids
}
