package hospital

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// network is a day in the making.
type network struct {
	rnd    *rand.Rand
	sites  []*Site
	events []*event
	quiet  map[*person][]span // when somebody does nothing of their own: they have a part in what is planted
}

type span struct{ from, to time.Time }

// do adds an event that is delivered at once.
func (n *network) do(at time.Time, who *person, action, status string) *event {
	e := &event{at: at.Truncate(time.Millisecond), who: who, action: action, status: status}
	e.arrives = e.at.Add(time.Duration(40+n.rnd.IntN(1400)) * time.Millisecond)
	n.events = append(n.events, e)
	return e
}

// access is do of something that was done with a record.
func (n *network) access(at time.Time, who *person, a action, record string) *event {
	e := n.do(at, who, a.name, "success")
	e.target, e.record, e.outcome, e.records = a.target, record, a.outcome, a.records
	return e
}

// seconds is a random time between two numbers of seconds.
func (n *network) seconds(least, most int) time.Duration {
	return time.Duration(least*1000+n.rnd.IntN((most-least)*1000)) * time.Millisecond
}

// busy says whether somebody has a part in what is planted then, half an hour before and after included.
func (n *network) busy(who *person, at time.Time) bool {
	const margin = 30 * time.Minute
	for _, s := range n.quiet[who] {
		if at.After(s.from.Add(-margin)) && at.Before(s.to.Add(margin)) {
			return true
		}
	}
	return false
}

// work is what everybody does on three days, of which the played one is cut out.
func (n *network) work() {
	for _, s := range n.sites {
		for _, p := range s.staff {
			for day := dayOfMonth - 1; day <= dayOfMonth+1; day++ {
				n.shift(p, day)
			}
		}
		n.services(s)
	}
}

// shift is somebody's working day.
func (n *network) shift(p *person, day int) {
	s := p.site
	var begin int
	length := 7*time.Hour + 40*time.Minute
	switch p.role.shift {
	case "early":
		begin = s.early
	case "late":
		begin = s.late
	case "night":
		begin = s.night
	default:
		begin, length = 8, 9*time.Hour
	}
	// Nobody stays beyond the end, so that whoever is seen at night is on the roster, or somebody to look at.
	at := s.local(day, begin, 0).Add(n.seconds(2*60, 25*60))
	end := s.local(day, begin, 0).Add(length)
	n.login(p, at)
	denied := n.rnd.Float64() < p.role.denials
	for {
		// Pieces of work lie three minutes apart at least, so that none of them adds up to what looks like snooping.
		pause := time.Duration(n.rnd.ExpFloat64() * (p.role.visits - 3) * float64(time.Minute))
		at = at.Add(3*time.Minute + min(pause, 2*time.Hour))
		if at.After(end.Add(-3 * time.Minute)) {
			break
		}
		if n.busy(p, at) {
			continue
		}
		if denied && n.rnd.IntN(8) == 0 {
			denied = false
			e := n.do(at, p, "fhir.patient.read", "failure")
			e.target, e.record, e.outcome = "Patient", pick(n.rnd, s.patients), "Not on this ward"
			e.code = "AccessDenied"
			continue
		}
		n.visit(p, at)
	}
	if !n.busy(p, end) {
		n.do(end, p, "auth.logout", "success").outcome = "Signed out"
	}
}

// login comes after a wrong password or three, now and then.
func (n *network) login(p *person, at time.Time) {
	if n.busy(p, at) {
		return
	}
	if n.rnd.IntN(14) == 0 {
		for wrong := 1 + n.rnd.IntN(3); wrong > 0; wrong-- {
			e := n.do(at.Add(-time.Duration(wrong)*n.seconds(8, 20)), p, "auth.login.failure", "failure")
			e.outcome = "Wrong password"
		}
	}
	n.do(at, p, "auth.login.success", "success").outcome = "Signed in"
}

// visit is one piece of work: a few steps with one patient.
func (n *network) visit(p *person, at time.Time) {
	patient := pick(n.rnd, p.beds)
	for i, steps := 0, 2+n.rnd.IntN(4); i < steps; i++ {
		a := p.role.actions[0]
		if i > 0 {
			a = pick(n.rnd, p.role.actions)
		}
		record := patient
		if a.target != "Patient" {
			record = fmt.Sprintf("%s/%06d", patient, n.rnd.IntN(1_000_000))
		}
		e := n.access(at, p, a, record)
		switch n.rnd.IntN(66) {
		case 0: // the answer was lost, so the producer sends it again
			e.again = n.seconds(1, 90)
		case 1, 2: // it waited in a queue somewhere
			e.arrives = e.at.Add(n.seconds(5, 8*60))
		}
		at = at.Add(n.seconds(6, 30))
	}
}

// services work all day and night.
func (n *network) services(s *Site) {
	const agent = "hl7-bridge/2.18"
	for _, job := range []struct {
		name, source, action, target, outcome string
		every                                 time.Duration
		records                               int
	}{
		{"svc-hl7-engine", "hl7-engine", "fhir.bundle.process", "", "Message processed", 100 * time.Second, 4},
		{"svc-lab-interface", "lab-lis", "fhir.observation.create", "Observation", "Result imported", 150 * time.Second, 0},
		{"svc-vitals-gateway", "vitals-gateway", "fhir.observation.create", "Observation", "Vital signs imported",
			2 * time.Minute, 0},
		{"svc-pacs-archive", "pacs-archive", "fhir.imagingstudy.create", "ImagingStudy", "Study archived",
			6 * time.Minute, 0},
		{"svc-patient-portal", "patient-portal", "system.health.check", "", "OK", 5 * time.Minute, 0},
		{"svc-pharmacy-robot", "pharmacy", "fhir.medicationdispense.create", "MedicationDispense", "Dispensed",
			4 * time.Minute, 0},
	} {
		p := s.account(n.rnd, job.name, job.source, agent)
		pause := func() time.Duration { return job.every*3/4 + n.seconds(0, 1+int(job.every/2/time.Second)) }
		for at := start.Add(n.seconds(1, 30)); at.Before(end); at = at.Add(pause()) {
			record := ""
			if job.target != "" {
				record = fmt.Sprintf("%s/%06d", pick(n.rnd, s.patients), n.rnd.IntN(1_000_000))
			}
			n.access(at, p, action{job.action, job.target, job.outcome, job.records}, record)
		}
	}
	// Every night the ledgers are written out, a record each, in a few minutes.
	p := s.account(n.rnd, "svc-backup", "backup", "nightly/5.1")
	for day := dayOfMonth - 1; day <= dayOfMonth+1; day++ {
		at := s.local(day, 2, 10)
		for range 180 {
			e := n.access(at, p, action{"data.export.snapshot", "Snapshot", "Written to the vault", 5000},
				fmt.Sprintf("%s-vault/%06d", s.prefix, n.rnd.IntN(1_000_000)))
			e.at = e.at.Truncate(time.Second)
			at = at.Add(n.seconds(1, 2))
		}
	}
}
