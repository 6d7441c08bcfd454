package narrate

import (
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/stretchr/testify/require"

	"tocsin/processor/ingest"
	"tocsin/topics"
)

// TestDeadLetter holds every form of the text. The input of a command is the record's value, \xff and \e escaped.
func TestDeadLetter(t *testing.T) {
	datadriven.RunTest(t, "testdata/deadletter.txt", func(t *testing.T, d *datadriven.TestData) string {
		t.Helper()
		o := Options{Flags: []string{"--config", "client.yaml"}}
		s := &SetAside{
			DeadLetter: ingest.DeadLetter{Topic: "audit.events", Partition: 2, First: 41, Last: 41, Timestamp: noon.UnixMilli()},
			Topic:      "audit.deadletter", Partition: 0, Offset: 7, At: noon.Add(time.Second),
			Key:     []byte("st-mary/dr.house"),
			Headers: []topics.Header{{Key: "source", Value: []byte("portal")}, {Key: "tocsin-reason", Value: []byte("x")}},
			Value:   []byte(strings.NewReplacer(`\e`, "\x1b", `\xff`, "\xff").Replace(d.Input)),
		}
		d.ScanArgs(t, "width", &o.Width)
		d.ScanArgs(t, "reason", &s.Reason)
		o.All = d.HasArg("all")
		if d.HasArg("range") {
			s.Last, s.Timestamp, s.Key, s.Value, s.Headers = 60, 0, nil, nil, nil
		}
		if d.HasArg("cut") {
			s.Headers = append(s.Headers, topics.Header{Key: topics.HeaderFullLength, Value: []byte("4000000")})
		}
		if d.HasArg("decode") {
			var e topics.Event
			reason, err := e.Decode(s.Value, nil, topics.DefaultLimits())
			require.Equal(t, s.Reason, reason.String())
			s.Error = err.Error()
		}
		d.MaybeScanArgs(t, "error", &s.Error)
		text := DeadLetter(s, o)
		require.NotContains(t, text, "\x1b")
		return text
	})
}

// TestEveryReasonHasARemedy: a new reason comes with words.
func TestEveryReasonHasARemedy(t *testing.T) {
	for r := topics.ReasonNone + 1; r < topics.NumReasons; r++ {
		require.NotEmpty(t, remedies[r].means, r)
		require.NotEmpty(t, remedies[r].mend, r)
	}
	require.Contains(t, Mend("nonsense"), "not known")
	require.Contains(t, Reason("none"), "not known")
}

func TestWords(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0 milliseconds", 5: "less than a millisecond", time.Second: "1 second", 90 * time.Second: "1 minute 30 seconds",
		time.Hour: "1 hour", 25*time.Hour + time.Second: "1 day 1 hour", 5 * time.Minute: "5 minutes",
	} {
		require.Equal(t, want, span(d))
	}
	for n, want := range map[int64]string{1: "1st", 2: "2nd", 3: "3rd", 4: "4th", 11: "11th", 12: "12th", 21: "21st", 113: "113th", 1002: "1,002nd"} {
		require.Equal(t, want, ordinal(n))
	}
	require.Equal(t, "-12,345", Thousands(int64(-12_345)))
	require.Equal(t, "-345", Thousands(-345))
}
