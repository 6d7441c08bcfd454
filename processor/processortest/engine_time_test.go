package processortest_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tocsin/processor/detect"
	"tocsin/processor/engine"
	"tocsin/processor/verify"
	"tocsin/topics"
)

// wrongTimes are stamps that no event of today can have. Between 1700 and 2261 they are times, which are late or in the
// future of everything; outside they are no times at all.
var wrongTimes = []struct {
	name, stamp string // JSON
	reason      topics.Reason
}{
	{"2099", `"2099-01-01T00:00:00Z"`, topics.ReasonFuture},
	{"2261", `"2261-12-31T23:59:59.999Z"`, topics.ReasonFuture},
	{"1970", `"1970-01-01T00:00:00Z"`, topics.ReasonLate},
	{"1969", `"1969-12-31T23:59:59Z"`, topics.ReasonLate},
	{"1700", `"1700-01-01T00:00:00Z"`, topics.ReasonLate},
	{"year 10000", `"10000-01-01T00:00:00Z"`, topics.ReasonBadTimestamp},
	{"year 10000 by the long form", `"+010000-01-01T00:00:00Z"`, topics.ReasonBadTimestamp},
	{"negative year", `"-0001-01-01T00:00:00Z"`, topics.ReasonBadTimestamp},
	{"negative year by the long form", `"-000001-01-01T00:00:00Z"`, topics.ReasonBadTimestamp},
	{"year 0", `"0000-01-01T00:00:00Z"`, topics.ReasonBadTimestamp},
	{"negative number", `-62135596800000`, topics.ReasonBadType},
	{"large number", `253402300800000`, topics.ReasonBadType},
}

const (
	timeEvents   = 30_000
	timePoisoned = 10_000 // one event in so many has a wrong time
	timeKeys     = 30
)

// TestWrongTimes: events with impossible stamps among the others, for keys that are busy, cost not one alert and not
// one byte of one: what is set aside leaves alerts and state as if it had never come.
func TestWrongTimes(t *testing.T) {
	t.Parallel()
	clean := judgeTimes(t, timeEvents, "", 0)
	require.Greater(t, len(clean.raw), 500)
	for _, c := range wrongTimes {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := judgeTimes(t, timeEvents, c.stamp, timePoisoned)
			require.Equal(t, clean.raw, r.raw)
			require.Len(t, r.letters, timeEvents/timePoisoned)
			for _, l := range r.letters {
				require.Equal(t, c.reason, l.Reason, l.Err)
			}
			require.Equal(t, clean.store.digest(), r.store.digest())
		})
	}
}

// TestWrongTimesFirst: the same where the first event of every key is the one with the wrong time. An old one is then
// counted, as nothing speaks against it, and may raise an alert of its own; it costs none of the others.
func TestWrongTimesFirst(t *testing.T) {
	t.Parallel()
	clean := judgeTimes(t, timePoisoned, "", 0)
	for _, c := range wrongTimes {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := judgeTimes(t, timePoisoned, c.stamp, -1)
			there := map[string]int{}
			for _, a := range r.raw {
				there[a]++
			}
			for _, a := range clean.raw {
				require.NotZero(t, there[a], "an alert is missing: %s", a)
				there[a]--
			}
			if c.reason != topics.ReasonLate {
				require.Len(t, r.letters, timeKeys)
			}
		})
	}
}

// judgeTimes judges the first events of a fixed history of failed logins, denials and reads by a few dozen principals, arriving up to
// minutes late. Every so many events (every: 0 for never, -1 for before the first of each key) one with the stamp comes
// in between, for the key and with the action of the event before. Offsets are left free for these in any case.
func judgeTimes(t *testing.T, events int, stamp string, every int) *run {
	t.Helper()
	r := newRun(newTimeEngine(t))
	var pr engine.Prepared
	at := base
	step := func(offset int64, id, stamp, who, fields string) {
		rec := engine.Record{Offset: offset, Timestamp: at, Value: fmt.Appendf(nil,
			`{"id":%q,"timestamp":%s,"organizationId":"acme","principalId":%q,%s}`, id, stamp, who, fields)}
		r.step(t, &rec, &pr)
	}
	seen := map[string]bool{}
	draws := rand.New(rand.NewPCG(1, 2)) // the same for every call
	for i := range int64(events) {
		at += draws.Int64N(200) * int64(time.Millisecond)
		who, fields := fmt.Sprint("u", draws.IntN(timeKeys)), kinds[draws.IntN(len(kinds)-1)].fields
		stamped := at - draws.Int64N(120)*second
		if every < 0 && !seen[who] {
			step(2*i, "wrong", stamp, who, fields)
		}
		seen[who] = true
		step(2*i+1, fmt.Sprint("e", i), fmt.Sprintf("%q", topics.Timestamp(stamped)), who, fields)
		if every > 0 && i%int64(every) == int64(every)/2 {
			step(2*i+2, "wrong", stamp, who, fields)
		}
		if i%500 == 499 {
			r.commit(t, i%2000 == 1999)
		}
	}
	r.commit(t, false)
	return r
}

// TestWrongRecordTimes: a record time that nobody can have, where producers are trusted to write it, breaks nothing: the
// partition's clock goes there and stays, every record still gets a verdict and timers come to an end.
func TestWrongRecordTimes(t *testing.T) {
	t.Parallel()
	const milli = int64(time.Millisecond)
	for _, stamp := range []int64{math.MinInt64 / milli * milli, -milli, 0, year2099 * second, math.MaxInt64 / milli * milli} {
		t.Run(fmt.Sprint(stamp), func(t *testing.T) {
			t.Parallel()
			r := newRun(newTimeEngine(t))
			r.limit = 3
			var pr engine.Prepared
			for i := range int64(400) {
				at := base + i*second
				rec := engine.Record{Offset: i, Timestamp: at, Value: fmt.Appendf(nil,
					`{"id":"e%d","timestamp":%q,"organizationId":"acme","principalId":"u%d",%s}`, i, topics.Timestamp(at), i%7,
					kinds[i%4].fields)}
				if i == 200 {
					rec.Timestamp = stamp
				}
				r.step(t, &rec, &pr)
				if i%10 == 0 {
					r.commit(t, i%20 == 0)
				}
			}
			require.EqualValues(t, 400, r.counts.Total())
			require.EqualValues(t, 400, r.counts.Judged)
			require.Equal(t, max(base+399*second, stamp), r.part.SealFields().RecordTime)
		})
	}
}

func newTimeEngine(t *testing.T) *engine.Engine {
	t.Helper()
	rules, err := detect.Compile(detect.Default())
	require.NoError(t, err)
	verifier, err := verify.New(verify.Config{})
	require.NoError(t, err)
	e, err := engine.New(engine.Config{Topic: "audit.events", Rules: rules, Verifier: verifier, Ticks: true})
	require.NoError(t, err)
	return e
}
