package narrate

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/stretchr/testify/require"

	"tocsin/processor/sink"
	"tocsin/topics"
)

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

func at(d time.Duration) topics.Timestamp { return topics.Timestamp(noon.Add(d).UnixNano()) }

// burst is an alert as five failed logins make it, with its records copied.
func burst() *sink.Detail {
	d := &sink.Detail{Stored: sink.Stored{
		Alert: topics.Alert{
			Schema: 1, ID: "10dbc7be91bd09553ff65cc8476f5010", Revision: 1, State: "open",
			Rule:         topics.AlertRule{ID: "failed-auth-burst", Version: "68b159818d8acf6e", Kind: "count"},
			Organization: "st-mary", OrganizationTrusted: true, Group: map[string]string{"principal": "dr.house"},
			Severity: "HIGH", Type: "SECURITY", Title: "Burst of failed logins",
			Sentence: "principal dr.house of organisation st-mary failed to log in 5 times between 2026-03-02T12:00:00Z and" +
				" 2026-03-02T12:02:00Z (the rule asks for 5 within 5m0s)",
			FirstSeen: at(0), LastSeen: at(2 * time.Minute), Crossing: at(2 * time.Minute),
			Span:  topics.Span{First: at(2 * time.Minute), Last: at(2 * time.Minute)},
			Count: 5, Threshold: 5, Window: "5m0s", Verification: map[string]int64{"verified": 5},
			Tags: []string{"authentication"}, Mode: "live",
		},
		Status: "open", Created: noon.Add(3 * time.Minute), Updated: noon.Add(3 * time.Minute),
	}}
	for i := range 5 {
		addEvent(d, "crossing", time.Duration(i)*30*time.Second, "verified", fmt.Sprintf(
			`{"id":"login-%d","timestamp":"2026-03-02T12:00:00Z","action":"auth.login.failure","status":"failure",`+
				`"outcomeDescription":"wrong password","principalId":"dr.house","sessionContext":{"ipAddress":"203.0.113.%d"}}`, i, 7+i))
	}
	d.History = []sink.Change{{At: noon.Add(3 * time.Minute), Actor: "tocsin", Kind: "revision", Revision: 1, State: "open", Count: 5}}
	return d
}

// addEvent adds a piece of evidence, and the copy of its record when there is a value.
func addEvent(d *sink.Detail, role string, after time.Duration, outcome, value string) {
	n := len(d.Alert.Evidence)
	e := topics.Evidence{Role: role, ID: "login-" + strconv.Itoa(n), Topic: "audit.events", Partition: 3, Offset: int64(100 + n),
		Timestamp: at(after), Hash: fmt.Sprintf("%064x", n), Outcome: outcome}
	d.Alert.Evidence = append(d.Alert.Evidence, e)
	if value != "" {
		d.Evidence = append(d.Evidence, sink.Copy{Evidence: e, Status: "copied", Value: []byte(value)})
	}
}

// rate is a long episode: more events than are listed, none signed, the count approximate, people have been at it.
func rate() *sink.Detail {
	d := burst()
	a := &d.Alert
	a.Rule = topics.AlertRule{ID: "data-velocity", Version: "0102030405060708", Kind: "count"}
	a.Severity, a.Title, a.Tags = "MEDIUM", "Unusual rate of data access", []string{"data-access"}
	a.Sentence = "principal nurse.joy of organisation st-mary accessed data 12345 times between 2026-03-02T12:00:00Z and" +
		" 2026-03-02T14:00:00Z (the rule asks for 50 within 1m0s)"
	a.Group["principal"], a.Count, a.Threshold, a.Window, a.Approximate = "nurse.joy", 12_345, 50, "1m0s", true
	a.Verification = map[string]int64{"unsigned": 12_000, "hash_only": 345}
	a.Revision, a.State, a.LastSeen = 9, "closed", at(2*time.Hour)
	a.Crossing, a.Span = at(30*time.Second), topics.Span{First: at(30 * time.Second), Last: at(2 * time.Hour)}
	a.Runbook, a.TraceID = "https://wiki.example/record-snooping", "0af7651916cd43dd8448eb211c80319c"
	a.Evidence, d.Evidence = nil, nil
	for i := range 50 {
		addEvent(d, "crossing", time.Duration(i)*600*time.Millisecond, "unsigned", "")
	}
	for i := range 10 {
		addEvent(d, "recent", 2*time.Hour-time.Duration(10-i)*time.Second, "hash_only", "")
	}
	for i, e := range a.Evidence {
		status := []string{"pending", "digest", "gone", "erased"}[i%4]
		d.Evidence = append(d.Evidence, sink.Copy{Evidence: e, Status: status})
	}
	d.Status = "acknowledged"
	for i := range 9 {
		d.History = append(d.History, sink.Change{At: noon.Add(time.Duration(4+i) * time.Minute), Actor: "tocsin", Kind: "revision",
			Revision: int64(i + 2), State: "open", Count: int64(100 << i)})
	}
	d.History = append(d.History, sink.Change{At: noon.Add(time.Hour), Actor: "alice", Kind: "status", FromStatus: "open",
		ToStatus: "acknowledged", Note: "asking her"})
	return d
}

// tampered is an integrity alert; as seen by the organisation that its events claim.
func tampered(withheld bool) *sink.Detail {
	d := burst()
	a := &d.Alert
	a.Rule = topics.AlertRule{ID: "integrity-violation", Version: "0102030405060708", Kind: "integrity"}
	a.Severity, a.Title, a.Tags = "CRITICAL", "Integrity violation", []string{"integrity"}
	a.OrganizationTrusted, a.Count, a.Threshold, a.Window = false, 3, 1, "1ns"
	a.Group = map[string]string{"kind": "tampered", "source": "por\x1b[2Jtal", "partition": "3"}
	a.Sentence = "3 event(s) claiming organisation st-mary and source \"portal\" in partition 3: the stated hash is not that of" +
		" the event (2026-03-02T12:00:00Z to 2026-03-02T12:02:00Z, record time)"
	a.Verification = map[string]int64{"tampered": 3}
	a.Evidence, d.Evidence = nil, nil
	for i := range 3 {
		addEvent(d, "crossing", time.Duration(i)*time.Minute, "tampered", "")
		d.Evidence = append(d.Evidence, sink.Copy{Evidence: a.Evidence[i], Status: "off"})
	}
	if withheld {
		a.Group, a.Sentence, d.Evidence = map[string]string{}, "", nil
		for i := range a.Evidence {
			a.Evidence[i].Hash = ""
		}
	}
	return d
}

// single is an alert of one event, judged again.
func single() *sink.Detail {
	d := burst()
	a := &d.Alert
	a.Rule = topics.AlertRule{ID: "off-hours-access", Version: "0102030405060708", Kind: "off_hours"}
	a.Severity, a.Title, a.Mode = "LOW", "Data access outside working hours", "replay"
	a.Organization, a.Group = "", map[string]string{"ip": "203.0.113.7"}
	a.Sentence = "ip 203.0.113.7 of organisation (none) accessed data outside working hours 1 time between 2026-03-02T12:00:00Z" +
		" and 2026-03-02T12:00:00Z"
	a.Count, a.Threshold, a.Window, a.LastSeen, a.Crossing = 1, 1, "1ns", at(0), at(0)
	a.Span = topics.Span{First: at(0), Last: at(0)}
	a.Verification = map[string]int64{"unverifiable": 1}
	a.Evidence, d.Evidence = a.Evidence[:1], nil
	a.Evidence[0].ID, a.Evidence[0].IDSHA256, a.Evidence[0].Outcome = "", fmt.Sprintf("%064x", 7), "unverifiable"
	return d
}

func merged() *sink.Detail {
	d := burst()
	d.Alert.State, d.Alert.MergedInto = "merged", "ffffffffffffffffffffffffffffffff"
	return d
}

// TestAlert holds every form of the text.
func TestAlert(t *testing.T) {
	kinds := map[string]func() *sink.Detail{
		"burst": burst, "rate": rate, "single": single, "merged": merged,
		"tampered":          func() *sink.Detail { return tampered(false) },
		"withheld":          func() *sink.Detail { return tampered(true) },
		"forged":            func() *sink.Detail { return integrity("forged") },
		"unverifiable":      func() *sink.Detail { return integrity("unverifiable") },
		"id_conflict":       func() *sink.Detail { return integrity("id_conflict") },
		"signing_downgrade": func() *sink.Detail { return integrity("signing_downgrade") },
	}
	datadriven.RunTest(t, "testdata/alert.txt", func(t *testing.T, d *datadriven.TestData) string {
		t.Helper()
		var name string
		o := Options{Program: "bin/tocsin", Flags: []string{"--config", "data/em bedded/client.yaml"}}
		d.ScanArgs(t, "kind", &name)
		d.ScanArgs(t, "width", &o.Width)
		o.Colour, o.All = d.HasArg("colour"), d.HasArg("all")
		d.MaybeScanArgs(t, "organization", &o.Organization)
		text := Alert(kinds[name](), o)
		if o.Colour {
			require.Contains(t, text, "\x1b[31mHIGH\x1b[0m")
			return strconv.Quote(text[:200])
		}
		require.NotContains(t, text, "\x1b")
		return text
	})
}

func integrity(kind string) *sink.Detail {
	d := tampered(false)
	d.Alert.Group["kind"] = kind
	return d
}
