package generate

import (
	"strconv"
	"strings"
	"time"
)

// Probes are principals of their own who are denied something three times, which is one alert of unauthorized-access
// and nothing else, at the third record. The stream is cut into blocks of Config.ProbeEvery records; the first, second
// and last third of a block have one record each, at a place drawn by lot so that nothing periodic can fall into step
// with it: the first denial of the probe two lags later, the second of the probe one lag later, and the third of the
// probe with the block's number. Hence the probes of the first two lags are left out.

const (
	probeSteps = 3           // the threshold of unauthorized-access
	probeLag   = time.Second // record time between two denials of a probe: they are in different transactions
	probeName  = "probe-"
)

// lag is the number of blocks between two denials of a probe.
func (g *Generator) lag() int {
	return max(1, int(float64(probeLag)/(g.step*float64(g.cfg.ProbeEvery))+0.5))
}

// probeRecord is the record of a block in one of its thirds.
func (g *Generator) probeRecord(block, third int) int {
	size := g.cfg.ProbeEvery / probeSteps
	r := newRandom(g.cfg.Seed, 1<<61+uint64(block*probeSteps+third))
	return block*g.cfg.ProbeEvery + third*size + int(r.below(int64(size)))
}

// probeAt says which probe's denial record i is, if it is one.
func (g *Generator) probeAt(i int) (n int, ok bool) {
	if g.cfg.ProbeEvery == 0 {
		return 0, false
	}
	block := i / g.cfg.ProbeEvery
	third := i % g.cfg.ProbeEvery / (g.cfg.ProbeEvery / probeSteps)
	if third >= probeSteps || g.probeRecord(block, third) != i {
		return 0, false
	}
	n = block + (probeSteps-1-third)*g.lag()
	from, to := g.Probes()
	return n, n >= from && n < to
}

// Probes are the numbers [from, to) of the probes that make an alert.
func (g *Generator) Probes() (from, to int) {
	if g.cfg.ProbeEvery == 0 {
		return 0, 0
	}
	to = g.cfg.Records / g.cfg.ProbeEvery
	return min((probeSteps-1)*g.lag(), to), to
}

// Crossing is the record at which probe n makes its alert.
func (g *Generator) Crossing(n int) int { return g.probeRecord(n, probeSteps-1) }

// ProbeNumber is the probe that has a principal's name, if one has.
func ProbeNumber(principal string) (n int, ok bool) {
	digits, ok := strings.CutPrefix(principal, probeName)
	if !ok {
		return 0, false
	}
	n, err := strconv.Atoi(digits)
	return n, err == nil
}

// probe is the event of a probe at record i.
func (g *Generator) probe(i, n int) event {
	return event{ordinal: uint64(i), content: uint64(i), named: true, time: g.recordTime(i), org: g.org(int64(n)),
		principal: probeName + strconv.Itoa(n), address: "203.0.113." + strconv.Itoa(n%250), template: &deniedRead,
		signing: signed}
}
