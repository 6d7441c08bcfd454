package generate

import (
	"fmt"
	"strconv"
	"time"

	"tocsin/processor/processortest/oracle"
)

// Generator is the plan of a stream.
type Generator struct {
	cfg     Config
	step    float64 // nanoseconds of record time between records
	zipf    zipf
	rules   []oracle.Rule
	orgs    []string
	planned map[int]planned
	large   map[int]bool
	attacks []Attack
}

// New plans a stream.
func New(cfg Config) (*Generator, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	if cfg.Start.IsZero() {
		cfg.Start = time.Date(2026, 3, 2, 22, 0, 0, 0, time.UTC).Add(-cfg.Duration * 19 / 20)
	}
	cfg.Start = cfg.Start.Truncate(time.Millisecond)
	g := &Generator{cfg: cfg, step: float64(cfg.Duration) / float64(cfg.Records), zipf: newZipf(cfg.Principals, cfg.Zipf),
		rules: Oracle().Rules, large: map[int]bool{}}
	for i := range cfg.Organizations {
		g.orgs = append(g.orgs, fmt.Sprintf("org-%02d", i))
	}
	g.plan()
	for k := range cfg.TooLarge {
		i := cfg.Records * (2*k + 1) / (2 * cfg.TooLarge)
		for g.isPlanned(i) && i < cfg.Records-1 {
			i++
		}
		g.large[i] = true
	}
	return g, nil
}

// Records is the number of records without closing ticks.
func (g *Generator) Records() int { return g.cfg.Records }

// Attacks is the key of what must be found of the planted attacks.
func (g *Generator) Attacks() []Attack { return g.attacks }

// recordTime of record i, in whole milliseconds.
func (g *Generator) recordTime(i int) int64 {
	t := g.cfg.Start.UnixNano() + int64(float64(i)*g.step)
	return t - t%int64(time.Millisecond)
}

func (g *Generator) org(n int64) string { return g.orgs[n%int64(len(g.orgs))] }

// slot decides what record i is. again allows second deliveries and conflicts, which look back at another record.
func (g *Generator) slot(i int, again bool) event {
	if p, ok := g.planned[i]; ok {
		e := p.event(i)
		e.content = uint64(i)
		return e
	}
	if n, ok := g.probeAt(i); ok {
		return g.probe(i, n)
	}
	if i < g.cfg.Census {
		return g.counted(i)
	}
	r := newRandom(g.cfg.Seed, uint64(i))
	u := r.unit()
	if g.large[i] {
		e := g.ordinary(i, &r, 0)
		e.fault = oversize
		return e
	}
	share := func(p float64) bool {
		u -= p
		return u < 0 && u >= -p
	}
	c := &g.cfg
	switch {
	case share(c.Duplicates):
		if again {
			if e, ok := g.redelivery(i, &r); ok {
				return e
			}
		}
	case share(c.Conflicts):
		if again {
			if e, ok := g.conflict(i, &r); ok {
				return e
			}
		}
	case share(c.Disorder):
		return g.ordinary(i, &r, r.below(int64(Grace)*4/5))
	case share(c.Late):
		return g.ordinary(i, &r, int64(Grace)+int64(time.Second)+r.below(int64(time.Hour)))
	case share(c.Future):
		return g.ordinary(i, &r, -int64(5*time.Minute)-int64(2*time.Second)-r.below(int64(time.Hour)))
	case share(c.Ahead):
		return g.ordinary(i, &r, -r.below(int64(4*time.Minute)))
	case share(c.Malformed):
		e := g.ordinary(i, &r, r.below(int64(400*time.Millisecond)))
		e.fault = fault(1 + r.below(int64(numFaults)-1))
		return e
	case share(c.Tampered):
		kind := tampered
		if r.chance(0.2) {
			kind = shouting
		}
		return g.unsound(i, &r, kind, "")
	case share(c.Forged):
		return g.unsound(i, &r, forged, "")
	case share(c.Unverified):
		return g.unsound(i, &r, unchecked, "")
	case share(c.Unsigned):
		return g.unsound(i, &r, bare, "legacy-bare")
	case share(c.HashOnly):
		return g.unsound(i, &r, hashed, "legacy-hash")
	}
	return g.ordinary(i, &r, r.below(int64(400*time.Millisecond)))
}

// unsound is an event signed otherwise; sources that do not sign never do, so that none of them is a downgrade.
func (g *Generator) unsound(i int, r *random, s signing, source string) event {
	e := g.ordinary(i, r, r.below(int64(400*time.Millisecond)))
	e.signing = s
	if source != "" {
		e.source = source
	}
	return e
}

// HotPrincipal is the principal whose share of the ordinary events is [Config.HotKey].
const HotPrincipal = "hot"

// ordinary is an event of somebody's work, delivered delay after it happened.
func (g *Generator) ordinary(i int, r *random, delay int64) event {
	e := event{ordinal: uint64(i), content: uint64(i), named: !r.chance(0.05), template: pickTemplate(r)}
	e.time = g.recordTime(i) - delay
	e.time -= e.time % int64(time.Millisecond)
	switch r.below(20) {
	case 0:
		e.style = seconds
		e.time -= e.time % int64(time.Second)
	case 1:
		e.style = micros
		e.time += r.below(1000) * int64(time.Microsecond)
	}
	rank := g.zipf.rank(r)
	g.person(&e, rank)
	if rank%1000 == 7 {
		e.principal = "backup" // one name in many organisations
	}
	if r.chance(g.cfg.HotKey) {
		e.org, e.principal, e.address = g.org(0), HotPrincipal, "192.0.2.2"
	}
	switch who := r.below(1000); {
	case who < 2:
		e.principal, e.address = "", ""
	case who < 10:
		e.principal = ""
	}
	if r.chance(0.4) {
		e.source = "ehr-" + strconv.FormatInt(rank%5, 10)
	}
	return e
}

// person makes somebody the one whose event it is.
func (g *Generator) person(e *event, rank int64) {
	e.org = g.org(int64(mix(uint64(rank)) >> 1))
	e.principal = "user-" + strconv.FormatInt(rank, 10)
	e.address = "10." + strconv.FormatInt(rank>>16&255, 10) + "." + strconv.FormatInt(rank>>8&255, 10) + "." +
		strconv.FormatInt(rank&255, 10)
	if rank%97 == 5 {
		e.org = ""
	}
}

// counted is an event of the census: everybody reads a record once.
func (g *Generator) counted(i int) event {
	e := event{ordinal: uint64(i), content: uint64(i), named: true, time: g.recordTime(i), template: &read}
	g.person(&e, int64(i)+1)
	return e
}

// redelivery repeats an earlier record: mostly a little later, sometimes beyond grace.
func (g *Generator) redelivery(i int, r *random) (event, bool) {
	back := 1 + r.below(int64(max(float64(20*time.Second)/g.step, 10)))
	if r.chance(0.1) {
		back = 1 + r.below(int64(float64(20*time.Minute)/g.step)+10)
	}
	j := i - int(back)
	if j < 0 {
		return event{}, false
	}
	e := g.slot(j, false)
	if g.looksBack(j) || e.integrity != "" || e.fault == oversize {
		return event{}, false
	}
	e.altered = e.named && e.fault == sound && r.chance(0.1)
	return e, true
}

// conflict is a new event of an earlier one's principal under its id.
func (g *Generator) conflict(i int, r *random) (event, bool) {
	j := i - 1 - int(r.below(int64(max(float64(time.Minute)/g.step, 10))))
	if j < 0 || g.looksBack(j) {
		return event{}, false
	}
	old := g.slot(j, false)
	if g.isPlanned(j) || !old.named || old.fault != sound || old.signing != signed {
		return event{}, false
	}
	e := g.ordinary(i, r, r.below(int64(400*time.Millisecond)))
	e.ordinal, e.named = old.ordinal, true
	e.principal, e.address, e.org = old.principal, old.address, old.org
	return e, true
}

// isPlanned says whether record i belongs to an attack, a probe or the census.
func (g *Generator) isPlanned(i int) bool {
	if _, ok := g.planned[i]; ok {
		return true
	}
	_, ok := g.probeAt(i)
	return ok || i < g.cfg.Census
}

// looksBack says whether record j would itself repeat another.
func (g *Generator) looksBack(j int) bool {
	if g.isPlanned(j) || g.large[j] {
		return false
	}
	r := newRandom(g.cfg.Seed, uint64(j))
	return r.unit() < g.cfg.Duplicates+g.cfg.Conflicts
}
