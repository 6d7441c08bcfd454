package hospital

import (
	"strings"
	"time"

	"tocsin/topics"
)

// mishaps are records that must be set aside although nobody means harm.
func (n *network) mishaps() {
	// A tablet was without network for an hour; its user went on working at another device meanwhile.
	s := n.sites[lakemont]
	p := s.of("physician", 3)
	at := s.local(dayOfMonth, 10, 0)
	n.keepQuiet(p, at, at.Add(80*time.Minute))
	for range 6 {
		e := n.access(at, p, chart, pick(n.rnd, p.beds))
		e.arrives, e.reason = s.local(dayOfMonth, 11, 9).Add(n.seconds(1, 5)), topics.ReasonLate
		at = at.Add(n.seconds(60, 180))
	}
	n.access(s.local(dayOfMonth, 11, 5), p, chart, pick(n.rnd, p.beds))

	// The clock of a ventilator is wrong.
	s = n.sites[nandi]
	v := s.account(n.rnd, "svc-ventilator-08", "vitals-gateway", "vent/4.0")
	at = s.local(dayOfMonth, 14, 0)
	for range 3 {
		e := n.access(at.Add(47*time.Minute), v, action{name: "fhir.observation.create", target: "Observation",
			outcome: "Vital signs imported"}, pick(n.rnd, s.patients))
		e.arrives, e.reason = at, topics.ReasonFuture
		at = at.Add(5 * time.Minute)
	}

	// Lines that are no events.
	s = n.sites[ellerbek]
	g := s.account(n.rnd, "svc-syslog-bridge", "syslog-bridge", "")
	for i, x := range []struct {
		reason topics.Reason
		text   string
	}{
		{topics.ReasonNotJSON, `<134>Mar  3 09:12:44 fw-ward-3 kernel: IN=eth0 OUT= SRC=10.21.4.19 DPT=445`},
		{topics.ReasonNotJSON, `{"timestamp":"2026-03-03T08:20:11Z","action":"fhir.patient.re`},
		{topics.ReasonNotJSON, `timestamp;action;status`},
		{topics.ReasonNotJSON, ` `},
		{topics.ReasonBadTimestamp, `{"timestamp":"03.03.2026 09:31","action":"auth.login.success","status":"success"}`},
		{topics.ReasonBadTimestamp, `{"timestamp":"2026-02-30T09:31:00Z","action":"auth.logout","status":"success"}`},
		{topics.ReasonMissingField, `{"timestamp":"2026-03-03T09:02:00Z","action":"fhir.patient.read"}`},
		{topics.ReasonBadType, `{"timestamp":"2026-03-03T09:03:00Z","action":"fhir.patient.read","status":"OK"}`},
		{topics.ReasonBadType, `{"timestamp":"2026-03-03T09:04:00Z","action":17,"status":"success"}`},
		{topics.ReasonAmbiguousField, `{"timestamp":"2026-03-03T09:05:00Z","action":"fhir.patient.read",` +
			`"action":"system.health.check","status":"success"}`},
		{topics.ReasonInvalidUTF8, "{\"timestamp\":\"2026-03-03T09:06:00Z\",\"action\":\"fhir.patient.read\"," +
			"\"status\":\"success\",\"principalId\":\"j.m\xfcller\"}"},
		{topics.ReasonTooDeep, `{"timestamp":"2026-03-03T09:07:00Z","action":"x","status":"success","detail":` +
			strings.Repeat("[", 40) + strings.Repeat("]", 40) + `}`},
	} {
		e := n.do(s.local(dayOfMonth, 9, 0).Add(time.Duration(i)*17*time.Minute), g, "", "")
		e.raw, e.reason = x.text, x.reason
	}
}
