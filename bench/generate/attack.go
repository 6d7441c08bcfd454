package generate

import (
	"fmt"
	"time"

	"tocsin/processor/processortest/oracle"
)

// Attack is a planted course of events with what must be found of it. Its principal does nothing else.
type Attack struct {
	Name     string
	Rule     string
	Key      oracle.Key
	Found    bool  // an alert of the rule on the key must exist; false: it must not
	Episodes int   // that must stand in the end, not counting merged ones
	From, To int64 // event times
}

// planned is one event of an attack.
type planned struct {
	attack    int
	principal string // "" when the attack comes from an address alone
	address   string
	org       string
	source    string
	template  *template
	time      int64
	signed    bool
}

// course is the timetable of a kind of attack: groups of n events every step from at, delivered after delay.
type course struct {
	name     string
	rule     int
	template *template
	found    bool
	address  bool // no principal
	parts    []part
}

type part struct {
	at    time.Duration
	n     int
	step  time.Duration
	delay time.Duration
}

var courses = []course{
	{"password-guessing", FailedAuthBurst, &failedLogin, true, false, []part{{0, 8, 15 * time.Second, 0}}},
	{"patient-guesser", FailedAuthBurst, &failedLogin, false, false, []part{
		{0, 4, time.Minute, 0}, {10 * time.Minute, 4, time.Minute, 0}}},
	{"guessing-without-name", FailedAuthBurst, &failedLogin, true, true, []part{{0, 7, 10 * time.Second, 0}}},
	{"two-bursts-joined", FailedAuthBurst, &failedLogin, true, false, []part{
		{0, 5, 10 * time.Second, 0}, {20 * time.Minute, 5, 10 * time.Second, 0},
		{10 * time.Minute, 5, 10 * time.Second, 11*time.Minute + 30*time.Second}}},
	{"two-bursts-bridged", FailedAuthBurst, &failedLogin, true, false, []part{
		{0, 5, 10 * time.Second, 0}, {18 * time.Minute, 5, 10 * time.Second, 0},
		{14*time.Minute + 30*time.Second, 5, 10 * time.Second, 5 * time.Minute}}},
	{"probing", UnauthorizedAccess, &deniedRead, true, false, []part{{0, 5, time.Minute, 0}}},
	{"harvesting", DataVelocity, &read, true, false, []part{{0, 80, 400 * time.Millisecond, 0}}},
	{"below-velocity", DataVelocity, &read, false, false, []part{{0, 49, time.Second, 0}}},
	{"exfiltration", BulkOperation, &export, true, false, []part{{0, 150, 1500 * time.Millisecond, 0}}},
}

// plan places the attacks: at most one event in a slot, each in the first free slot after its delivery. An attack that
// does not fit into the stream is left out.
func (g *Generator) plan() {
	g.planned = map[int]planned{}
	r := newRandom(g.cfg.Seed, 1<<62)
	for k := range g.cfg.Attacks {
		for _, c := range courses {
			g.place(c, k, g.cfg.Start.UnixNano()+r.below(int64(g.cfg.Duration)*3/4))
		}
		if at := g.cfg.Start.Add(g.cfg.Duration * 97 / 100); offHours(at.UnixNano()) {
			g.place(course{"night-reader", OffHoursAccess, &read, true, false, []part{{0, 1, 0, 0}}}, k,
				at.UnixNano()+int64(k)*int64(time.Second))
		}
	}
	for k := range g.cfg.Downgrades {
		g.downgrade(k, g.cfg.Start.UnixNano()+r.below(int64(g.cfg.Duration)/2))
	}
}

func (g *Generator) place(c course, k int, start int64) {
	start -= start % int64(time.Millisecond)
	a := Attack{Name: fmt.Sprintf("%s-%d", c.name, k), Rule: g.rules[c.rule].ID, Found: c.found, From: start}
	if c.found {
		a.Episodes = 1
	}
	p := planned{attack: len(g.attacks), org: g.org(int64(k)), template: c.template, signed: true, principal: a.Name,
		address: fmt.Sprintf("198.51.100.%d", k%250)}
	a.Key = oracle.Key{Space: oracle.SpacePrincipal, Org: p.org, Value: p.principal}
	if c.address {
		p.principal = ""
		a.Key.Space, a.Key.Value = oracle.SpaceIP, p.address
	}
	slots := map[int]planned{}
	for _, part := range c.parts {
		for i := range part.n {
			p.time = start + int64(part.at) + int64(i)*int64(part.step)
			a.To = max(a.To, p.time)
			slot, ok := g.freeSlot(p.time+int64(part.delay), slots)
			if !ok {
				return
			}
			slots[slot] = p
		}
	}
	g.adopt(a, slots)
}

// downgrade plants a source that signs a hundred events and more and then sends one without hash and signature.
func (g *Generator) downgrade(k int, start int64) {
	start -= start % int64(time.Millisecond)
	p := planned{attack: len(g.attacks), org: g.org(int64(k)), template: &health, signed: true,
		principal: fmt.Sprintf("gateway-%d", k), address: "192.0.2.1", source: fmt.Sprintf("gateway-%d", k)}
	a := Attack{Name: "signing-downgrade-" + p.source, Rule: g.rules[IntegrityViolation].ID, Found: true, Episodes: 1,
		From: start, Key: oracle.Key{Space: oracle.SpaceIntegrity, Org: p.org, Value: "signing_downgrade\x00" + p.source}}
	slots := map[int]planned{}
	const signed = 110
	for i := range signed + 1 {
		p.time = start + int64(i)*int64(time.Second)
		p.signed = i < signed
		slot, ok := g.freeSlot(p.time, slots)
		if !ok {
			return
		}
		slots[slot] = p
	}
	a.To = p.time
	g.adopt(a, slots)
}

func (g *Generator) adopt(a Attack, slots map[int]planned) {
	for slot, p := range slots {
		g.planned[slot] = p
	}
	g.attacks = append(g.attacks, a)
}

// freeSlot is the first record at or after a time that no attack has taken.
func (g *Generator) freeSlot(t int64, also map[int]planned) (int, bool) {
	i := int(float64(t-g.cfg.Start.UnixNano()) / g.step)
	for ; i < g.cfg.Records; i++ {
		if g.recordTime(i) < t {
			continue
		}
		if g.isPlanned(i) {
			continue
		}
		if _, taken := also[i]; !taken {
			return i, true
		}
	}
	return 0, false
}

// event gives the planned event of a slot.
func (p *planned) event(slot int) event {
	e := event{ordinal: uint64(slot), named: true, time: p.time, principal: p.principal, address: p.address, org: p.org,
		source: p.source, template: p.template, signing: signed}
	if !p.signed {
		e.signing = bare
		e.integrity = "signing_downgrade"
	}
	return e
}

func offHours(t int64) bool {
	hour := time.Unix(0, t).UTC().Hour()
	return hour >= 22 || hour < 6
}
