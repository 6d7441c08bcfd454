package hospital

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"tocsin/processor/detect"
)

// Site is a hospital of the network: an organisation of its own in the audit trail.
type Site struct {
	ID, Name string
	Zone     *time.Location
	// Off hours, local time: [OffFrom, OffTo).
	OffFrom, OffTo string

	network            int    // second number of its addresses
	early, late, night int    // hours at which shifts begin
	prefix             string // of record numbers
	first, family      []string
	staff              []*person
	patients           []string
}

const (
	ellerbek = iota
	lakemont
	nandi
)

func sites() ([]*Site, error) {
	all := []*Site{
		{ID: "klinik-ellerbek", Name: "Klinik Ellerbek", OffFrom: "22:00", OffTo: "06:00", network: 21,
			early: 6, late: 14, night: 22, prefix: "KE",
			first: strings.Fields("anna ben clara david elif felix greta hannah ivan jana karl lena mila nils oskar " +
				"paula rosa tim uwe"),
			family: strings.Fields("albers brandt claasen dietz ehlers frank gerdes hansen ivers jansen krohn lorenz " +
				"meier nolte otten petersen reimers schuster thiel vogt wulf yilmaz")},
		{ID: "lakemont-medical", Name: "Lakemont Medical Center", OffFrom: "23:00", OffTo: "06:30", network: 34,
			early: 7, late: 15, night: 23, prefix: "LM",
			first: strings.Fields("amber brian carla derek elena frank grace hector irene jason karen luis maria " +
				"nathan olivia peter ruth sam tara wendy"),
			family: strings.Fields("adams baker carter delgado ellis foster garcia hughes irving johnson keller " +
				"lopez morris nguyen ortiz parker reyes sanders turner walker young")},
		{ID: "nandi-valley", Name: "Nandi Valley Hospital", OffFrom: "21:00", OffTo: "05:30", network: 52,
			early: 6, late: 13, night: 21, prefix: "NV",
			first: strings.Fields("anil bhavna chitra deepa esha farid gita harish indira jaya kiran lata meera " +
				"nikhil pooja ravi sunita tarun uma vikram"),
			family: strings.Fields("acharya bose chandra das fernandes ghosh hegde iyer joshi kulkarni menon nair " +
				"pillai rao shetty thomas varma")},
	}
	for i, zone := range []string{"Europe/Berlin", "America/Chicago", "Asia/Kolkata"} {
		var err error
		if all[i].Zone, err = detect.LoadZone(zone); err != nil {
			return nil, fmt.Errorf("zone of %s: %w", all[i].ID, err)
		}
	}
	return all, nil
}

// role is a kind of work.
type role struct {
	name    string
	number  int    // people at each site
	shift   string // early, late, night or day
	source  string // the system they work with
	agent   string
	visits  float64 // minutes between two pieces of work, on average
	actions []action
	denials float64 // chance that one is denied access once in the day
}

// action is one step of a piece of work.
type action struct {
	name, target, outcome string
	records               int // 0: not stated
}

// person is somebody who works at a site; services are people without a role.
type person struct {
	id, address, agent, source string
	session                    string
	site                       *Site
	role                       *role
	beds                       []string // the patients in their care
}

const (
	wardStation = "WardStation/7.2 (Windows NT 10.0; Win64; x64)"
	tablet      = "WardRound/3.9 (iPad; CPU OS 18_3)"
	browser     = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/133.0.0.0 " +
		"Safari/537.36"
)

var (
	nursing = []action{
		{"fhir.patient.read", "Patient", "Chart opened", 0},
		{"fhir.observation.create", "Observation", "Vital signs recorded", 0},
		{"fhir.medicationadministration.create", "MedicationAdministration", "Dose given", 0},
		{"fhir.careplan.read", "CarePlan", "Care plan opened", 0},
	}
	medicine = []action{
		{"fhir.patient.read", "Patient", "Chart opened", 0},
		{"fhir.diagnosticreport.read", "DiagnosticReport", "Report opened", 0},
		{"fhir.medicationrequest.create", "MedicationRequest", "Medication ordered", 0},
		{"fhir.condition.create", "Condition", "Diagnosis recorded", 0},
		{"fhir.encounter.update", "Encounter", "Notes saved", 0},
	}
	roles = []role{
		{"nurse", 22, "early", "ehr-ward", wardStation, 17, nursing, 0.04},
		{"nurse", 20, "late", "ehr-ward", wardStation, 17, nursing, 0.04},
		{"night nurse", 9, "night", "ehr-ward", wardStation, 18, nursing, 0},
		{"physician", 22, "day", "ehr-clinic", tablet, 21, medicine, 0.05},
		{"physician on call", 2, "night", "ehr-clinic", tablet, 30, medicine, 0},
		{"front desk", 8, "day", "registration", browser, 9, []action{
			{"fhir.patient.search", "Patient", "Patient found", 1},
			{"fhir.appointment.create", "Appointment", "Appointment made", 0},
			{"fhir.coverage.read", "Coverage", "Insurance checked", 0},
		}, 0.05},
		{"laboratory", 8, "early", "lab-lis", wardStation, 11, []action{
			{"fhir.specimen.read", "Specimen", "Specimen received", 0},
			{"fhir.diagnosticreport.create", "DiagnosticReport", "Result released", 0},
		}, 0},
		{"pharmacy", 6, "day", "pharmacy", browser, 11, []action{
			{"fhir.medicationrequest.read", "MedicationRequest", "Order checked", 0},
			{"fhir.medicationdispense.create", "MedicationDispense", "Dispensed", 0},
		}, 0},
		{"radiology", 6, "day", "pacs-viewer", wardStation, 15, []action{
			{"fhir.imagingstudy.read", "ImagingStudy", "Images opened", 0},
			{"fhir.diagnosticreport.create", "DiagnosticReport", "Findings dictated", 0},
		}, 0},
		{"billing", 6, "day", "billing", browser, 14, []action{
			{"data.read.claim", "Claim", "Claim opened", 0},
			{"data.export.invoice", "Invoice", "Invoice sent", 1},
		}, 0.1},
	}
)

// hire makes the people and patients of a site.
func (s *Site) hire(rnd *rand.Rand) {
	for len(s.patients) < 600 {
		s.patients = append(s.patients, fmt.Sprintf("%s-%07d", s.prefix, 1_000_000+rnd.IntN(8_000_000)))
	}
	taken := map[string]int{}
	for i := range roles {
		r := &roles[i]
		for range r.number {
			id := pick(rnd, s.first)[:1] + "." + pick(rnd, s.family)
			if taken[id]++; taken[id] > 1 {
				id = fmt.Sprintf("%s%d", id, taken[id])
			}
			p := s.account(rnd, id, r.source, r.agent)
			p.role = r
			for range 14 {
				p.beds = append(p.beds, pick(rnd, s.patients))
			}
			s.staff = append(s.staff, p)
		}
	}
}

// account makes somebody who can act at the site.
func (s *Site) account(rnd *rand.Rand, id, source, agent string) *person {
	return &person{
		id: id, site: s, source: source, agent: agent, session: fmt.Sprintf("%012x", rnd.Uint64()>>16),
		address: fmt.Sprintf("10.%d.%d.%d", s.network, 1+rnd.IntN(24), 10+rnd.IntN(240)),
	}
}

// of gives the n-th person of a role.
func (s *Site) of(role string, n int) *person {
	for _, p := range s.staff {
		if p.role.name != role {
			continue
		}
		if n == 0 {
			return p
		}
		n--
	}
	panic("hospital: nobody is " + role) // a fault of the package: the roles are its own
}

// roster is who works at night.
func (s *Site) roster() (ids []string) {
	for _, p := range s.staff {
		if p.role.shift == "night" {
			ids = append(ids, p.id)
		}
	}
	return ids
}

// local is a time of day at the site, on a day of the played month. No clocks change about the played day.
func (s *Site) local(day, hour, minute int) time.Time {
	return time.Date(year, month, day, hour, minute, 0, 0, s.Zone)
}

func pick[T any](rnd *rand.Rand, from []T) T { return from[rnd.IntN(len(from))] }
