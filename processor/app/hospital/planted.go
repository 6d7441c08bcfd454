package hospital

import (
	"fmt"
	"strings"
	"time"

	"tocsin/topics"
)

// Planted is something in the day that must raise one alert, or must raise none although it looks like it.
type Planted struct {
	What         string // in words
	Why          string // where no alert is due: what keeps the rule from firing
	Rule         string
	Organization string
	Who          string // the alert's group values, as one text: a principal, or kind and source of an integrity alert
	Severity     string
	Count        int64 // what the alert must have counted in the end; 0: no alert
}

// chart is what most of it is about.
var chart = action{name: "fhir.patient.read", target: "Patient", outcome: "Chart opened"}

// Alert says whether an alert must be raised.
func (p *Planted) Alert() bool { return p.Count > 0 }

// plant puts attacks into the day, and what must not be mistaken for one.
func (n *network) plant() []Planted {
	var all []Planted
	for _, f := range []func() Planted{
		n.nightAccess, n.passwordBurst, n.tampered, n.snooping, n.forged, n.idConflict, n.denied, n.export,
		n.serviceBurst, n.nightRoster, n.nightlyExport, n.forgotten,
	} {
		all = append(all, f())
	}
	return all
}

func (n *network) keepQuiet(p *person, from, to time.Time) {
	n.quiet[p] = append(n.quiet[p], span{from, to})
}

// nightAccess: somebody from billing looks into charts in the small hours.
func (n *network) nightAccess() Planted {
	s := n.sites[ellerbek]
	p := s.of("billing", 2)
	at := s.local(dayOfMonth, 2, 41)
	n.keepQuiet(p, at, at.Add(time.Hour))
	for range 9 {
		n.access(at, p, chart, pick(n.rnd, s.patients))
		at = at.Add(n.seconds(35, 110))
	}
	return Planted{What: "billing clerk reads charts at night", Rule: "off-hours-access", Organization: s.ID, Who: p.id,
		Severity: "LOW", Count: 9}
}

// passwordBurst: somebody guesses a password, from outside. Some answers are lost and sent again, and some come late
// and out of order: neither changes the count.
func (n *network) passwordBurst() Planted {
	s := n.sites[nandi]
	p := s.of("physician", 4)
	at := s.local(dayOfMonth, 9, 14)
	n.keepQuiet(p, at, at.Add(time.Hour))
	const tries = 26
	for i := range tries {
		e := n.do(at, p, "auth.login.failure", "failure")
		e.outcome, e.address = "Wrong password", "203.0.113.77"
		if i%6 == 5 {
			e.again = n.seconds(1, 4)
		}
		if i%9 == 8 {
			e.arrives = e.at.Add(n.seconds(20, 200))
		}
		at = at.Add(n.seconds(3, 9))
	}
	return Planted{What: "a physician's password is guessed at", Rule: "failed-auth-burst", Organization: s.ID, Who: p.id,
		Severity: "HIGH", Count: tries}
}

// tampered: somebody replaces the patient in events that are on their way.
func (n *network) tampered() Planted {
	s := n.sites[nandi]
	p := s.account(n.rnd, s.of("front desk", 3).id, "records-archive", browser)
	at := s.local(dayOfMonth, 16, 40)
	for range 3 {
		patient := pick(n.rnd, s.patients)
		e := n.access(at, p, chart, patient)
		e.seal, e.swap, e.reason = altered, s.prefix+"-0000000", topics.ReasonTampered
		at = at.Add(n.seconds(20, 50))
	}
	return Planted{What: "events are altered on their way: another patient's number", Rule: "integrity-violation",
		Organization: s.ID, Who: "tampered records-archive", Severity: "CRITICAL", Count: 3}
}

// forged: somebody who does not have the key signs.
func (n *network) forged() Planted {
	s := n.sites[lakemont]
	p := s.account(n.rnd, "svc-results-relay", "results-relay", "curl/8.9.1")
	at := s.local(dayOfMonth, 8, 52)
	for range 2 {
		e := n.access(at, p, action{name: "fhir.observation.update", target: "Observation", outcome: "Result corrected"},
			fmt.Sprintf("%s/%06d", pick(n.rnd, s.patients), n.rnd.IntN(1_000_000)))
		e.seal, e.reason = forged, topics.ReasonForged
		at = at.Add(n.seconds(20, 50))
	}
	return Planted{What: "laboratory results are signed with a wrong key", Rule: "integrity-violation",
		Organization: s.ID, Who: "forged results-relay", Severity: "CRITICAL", Count: 2}
}

// snooping: a nurse goes through the charts of patients who are not on the ward, one every few seconds.
func (n *network) snooping() Planted {
	s := n.sites[ellerbek]
	p := s.of("nurse", 7)
	at := s.local(dayOfMonth, 10, 35)
	n.keepQuiet(p, at, at.Add(time.Hour))
	const charts = 61
	for i := range charts {
		e := n.access(at, p, chart, pick(n.rnd, s.patients))
		if i%20 == 19 {
			e.again = n.seconds(1, 10)
		}
		at = at.Add(n.seconds(5, 11))
	}
	return Planted{What: "a nurse goes through charts of other wards", Rule: "data-velocity", Organization: s.ID,
		Who: p.id, Severity: "HIGH", Count: charts}
}

// idConflict: an event takes the id of one that was there before.
func (n *network) idConflict() Planted {
	s := n.sites[ellerbek]
	p := s.of("laboratory", 1)
	at := s.local(dayOfMonth, 11, 22)
	a := action{name: "fhir.diagnosticreport.create", target: "DiagnosticReport", outcome: "Result released"}
	first := n.access(at, p, a, pick(n.rnd, s.patients)+"/204117")
	first.id = ulid(first.at, n.rnd)
	second := n.access(at.Add(40*time.Second), p, a, pick(n.rnd, s.patients)+"/204118")
	second.id = first.id
	return Planted{What: "a laboratory result takes the id of another event", Rule: "integrity-violation",
		Organization: s.ID, Who: "id_conflict " + p.source, Severity: "HIGH", Count: 1}
}

// denied: somebody tries doors.
func (n *network) denied() Planted {
	s := n.sites[lakemont]
	p := s.account(n.rnd, "contractor-17", "ehr-clinic", browser)
	at := s.local(dayOfMonth, 11, 18)
	const tries = 7
	for i := range tries {
		e := n.do(at, p, "fhir.documentreference.read", "failure")
		e.target, e.record = "DocumentReference", fmt.Sprintf("%s/psych-%04d", pick(n.rnd, s.patients), n.rnd.IntN(10_000))
		e.outcome, e.code = "Needs the role psychiatry", "AccessDenied"
		if i == 3 {
			e.arrives = e.at.Add(4 * time.Minute) // out of order, within grace
		}
		at = at.Add(n.seconds(25, 80))
	}
	return Planted{What: "a contractor tries psychiatric notes", Rule: "unauthorized-access", Organization: s.ID,
		Who: p.id, Severity: "CRITICAL", Count: tries}
}

// export: somebody takes claims out, hundreds of records at a time.
func (n *network) export() Planted {
	s := n.sites[lakemont]
	p := s.of("billing", 4)
	at := s.local(dayOfMonth, 16, 5)
	n.keepQuiet(p, at, at.Add(time.Hour))
	const files = 140
	for i := range files {
		e := n.access(at, p, action{"data.export.claims", "", "Downloaded", 250}, "")
		if i%40 == 39 {
			e.again = n.seconds(1, 10)
		}
		at = at.Add(n.seconds(1, 3))
	}
	return Planted{What: "claims of 35,000 patients are downloaded", Rule: "bulk-operation", Organization: s.ID, Who: p.id,
		Severity: "CRITICAL", Count: files}
}

// serviceBurst: the password of a service ran out, and it tries again and again.
func (n *network) serviceBurst() Planted {
	s := n.sites[lakemont]
	p := s.account(n.rnd, "svc-fax-relay", "fax-relay", "fax-relay/1.4")
	at := s.local(dayOfMonth, 3, 0)
	for range 60 {
		n.do(at, p, "auth.login.failure", "failure").outcome = "Password expired"
		at = at.Add(5 * time.Second)
	}
	return Planted{What: "60 failed logins of a service", Why: "excepted until its password is renewed",
		Rule: "failed-auth-burst", Organization: s.ID, Who: p.id}
}

// nightRoster is in the day already: those who work at night.
func (n *network) nightRoster() Planted {
	s := n.sites[ellerbek]
	return Planted{What: fmt.Sprintf("%d people work all night", len(s.roster())), Why: "on the night roster",
		Rule: "off-hours-access", Organization: s.ID, Who: strings.Join(s.roster(), " ")}
}

// nightlyExport is in the day already, too.
func (n *network) nightlyExport() Planted {
	return Planted{What: "180 exports in five minutes, every night", Why: "services may", Rule: "bulk-operation",
		Organization: n.sites[nandi].ID, Who: "svc-backup"}
}

// forgotten: a password was forgotten. Each of the four failures is delivered twice.
func (n *network) forgotten() Planted {
	s := n.sites[nandi]
	p := s.of("pharmacy", 1)
	at := s.local(dayOfMonth, 12, 30)
	n.keepQuiet(p, at, at.Add(time.Minute))
	for range 4 {
		e := n.do(at, p, "auth.login.failure", "failure")
		e.outcome, e.again = "Wrong password", n.seconds(1, 5)
		at = at.Add(n.seconds(10, 30))
	}
	return Planted{What: "4 failed logins, each delivered twice", Why: "a second delivery does not count",
		Rule: "failed-auth-burst", Organization: s.ID, Who: p.id}
}
