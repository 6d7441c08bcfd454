package app

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// demoDay is the day the demo plays on: a Monday, so that working hours mean something.
var demoDay = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)

// demoAlert names an alert that must be raised, and one that must not is any other.
type demoAlert struct {
	Rule, Organization, Group string
}

// demoExpected are the planted attacks.
func demoExpected() []demoAlert {
	return []demoAlert{
		{"failed-auth-burst", "clinic-north", "mallory"},
		{"unauthorized-access", "clinic-north", "eve"},
		{"data-velocity", "clinic-south", "scraper"},
		{"bulk-operation", "clinic-south", "oscar"},
		{"off-hours-access", "clinic-north", "nightowl"},
		{"integrity-violation", "clinic-south", "tampered lab-gateway"},
	}
}

// demoEvents makes the day's events as JSON lines, in order of delivery. The same text every time.
func demoEvents() string {
	d := &demoWriter{rnd: rand.New(rand.NewPCG(2026, 3))} //nolint:gosec // the same day every time is what is wanted
	d.noise()
	d.attacks()
	slices.SortStableFunc(d.events, func(a, b demoEvent) int { return a.at.Compare(b.at) })
	var b strings.Builder
	for _, e := range d.events {
		b.WriteString(e.line + "\n")
	}
	return b.String()
}

type demoEvent struct {
	at   time.Time // of delivery
	line string
}

type demoWriter struct {
	rnd    *rand.Rand
	events []demoEvent
	next   int
}

// add writes one event; more is appended to its members.
func (d *demoWriter) add(at time.Time, org, who, action, status, more string) {
	d.next++
	d.deliver(at, fmt.Sprintf(`{"id":"demo-%05d","timestamp":%q,"action":%q,"status":%q,"principalId":%q,`+
		`"organizationId":%q,"sessionContext":{"sessionId":"s-%s","ipAddress":"10.1.%d.%d","userAgent":"demo"}%s}`,
		d.next, at.Format(time.RFC3339Nano), action, status, who, org, who, len(who), d.next%250+1, more))
}

func (d *demoWriter) deliver(at time.Time, line string) {
	d.events = append(d.events, demoEvent{at, line})
}

// noise is an ordinary working day: logins, some of them failing, reads, a few denials. All below every threshold.
func (d *demoWriter) noise() {
	for i := range 60 {
		org := []string{"clinic-north", "clinic-south", "clinic-west"}[i%3]
		who := fmt.Sprintf("user-%02d", i)
		at := demoDay.Add(8*time.Hour + time.Duration(d.rnd.IntN(3600))*time.Second)
		for range d.rnd.IntN(3) { // a forgotten password
			d.add(at, org, who, "auth.login.failure", "failure", `,"outcomeDescription":"wrong password"`)
			at = at.Add(20 * time.Second)
		}
		d.add(at, org, who, "auth.login.success", "success", "")
		for range 30 + d.rnd.IntN(20) {
			at = at.Add(time.Duration(60+d.rnd.IntN(600)) * time.Second)
			if at.After(demoDay.Add(19 * time.Hour)) {
				break
			}
			d.add(at, org, who, "fhir.patient.read", "success", fmt.Sprintf(
				`,"targetResourceType":"Patient","targetResourceId":"p-%d","dataClassification":"PHI"`, d.rnd.IntN(5000)))
			if d.rnd.IntN(60) == 0 {
				d.add(at.Add(time.Second), org, who, "fhir.patient.update", "failure", `,"errorCode":"AccessDenied"`)
				at = at.Add(11 * time.Minute) // so that three never come within ten minutes
			}
		}
	}
}

func (d *demoWriter) attacks() {
	noon := demoDay.Add(12 * time.Hour)
	for i := range 7 { // somebody guesses a password
		d.add(noon.Add(time.Duration(i)*20*time.Second), "clinic-north", "mallory", "auth.login.failure", "failure",
			`,"outcomeDescription":"wrong password"`)
	}
	for i := range 4 { // somebody tries doors
		d.add(noon.Add(time.Duration(i)*time.Minute), "clinic-north", "eve", "fhir.patient.read", "failure",
			`,"errorCode":"AccessDenied","targetResourceType":"Patient"`)
	}
	for i := range 70 { // somebody reads one record after the other
		d.add(noon.Add(time.Duration(i)*700*time.Millisecond), "clinic-south", "scraper", "fhir.patient.read", "success",
			fmt.Sprintf(`,"targetResourceType":"Patient","targetResourceId":"p-%d"`, i))
	}
	for i := range 120 { // somebody takes data out, and a backup that may
		at := noon.Add(time.Duration(i) * 2 * time.Second)
		d.add(at, "clinic-south", "oscar", "data.export", "success", `,"recordCount":5`)
		d.add(at, "clinic-south", "svc-backup", "data.export", "success", `,"recordCount":5000`)
	}
	d.add(demoDay.Add(2*time.Hour+30*time.Minute), "clinic-north", "nightowl", "fhir.patient.read", "success",
		`,"targetResourceType":"Patient"`)
	for i := range 3 { // events that were changed after they were hashed
		d.add(noon.Add(time.Duration(i)*time.Second), "clinic-south", "lab-7", "lab.result.write", "success",
			`,"source":"lab-gateway","hashAlgorithm":"SHA-256","hash":"`+strings.Repeat("0123456789abcdef", 4)+`"`)
	}
	// What must raise nothing: four failed logins, each delivered twice …
	for i := range 4 {
		d.add(noon.Add(time.Duration(i)*10*time.Second), "clinic-west", "doris", "auth.login.failure", "failure", "")
		again := d.events[len(d.events)-1]
		d.deliver(again.at.Add(time.Second), again.line)
	}
	// … an event an hour late, of a principal whose clock has moved on, and lines that are no events.
	for i := range 3 {
		d.add(noon.Add(time.Duration(i)*time.Minute), "clinic-west", "lara", "fhir.patient.read", "success", "")
	}
	d.add(noon.Add(-time.Hour), "clinic-west", "lara", "fhir.patient.read", "success", "")
	d.events[len(d.events)-1].at = noon.Add(3 * time.Minute)
	d.deliver(noon, "this line is no event")
	d.deliver(noon, `{"timestamp":"yesterday","action":"x","status":"success"}`)
}
