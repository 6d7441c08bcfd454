package engine

import (
	"fmt"

	"tocsin/processor/detect"
	"tocsin/processor/verify"
	"tocsin/topics"
)

// Prepared is a record after all that needs no state: decoded, verified, matched. It can be used again for another
// record and then allocates nothing; it aliases the record it was made from.
type Prepared struct {
	rec      *Record
	tick     bool
	event    topics.Event
	scratch  *verify.Scratch
	result   verify.Result
	verified bool // result is valid
	reason   topics.Reason
	err      string
	org      *detect.OrgRules
	mask     uint64 // matchers that the event meets
	exempted uint64
}

// Prepare does everything about a record that needs no state. A bug that panics on this record becomes the reason
// internal: one record must not stop a partition.
func (e *Engine) Prepare(r *Record, p *Prepared) {
	if p.scratch == nil {
		p.scratch = verify.NewScratch()
	}
	p.rec, p.tick, p.verified = r, false, false
	p.reason, p.err, p.org, p.mask, p.exempted = topics.ReasonNone, "", nil, 0, 0
	defer func() {
		if v := recover(); v != nil {
			p.reason, p.verified = topics.ReasonInternal, false
			p.err = fmt.Sprintf("a bug in tocsin: %v; the record is kept here, please report it", v)
		}
	}()
	if e.cfg.Ticks && isTick(r.Headers) {
		p.tick = true
		return
	}
	reason, err := p.event.Decode(r.Value, r.Headers, e.cfg.Limits)
	if reason != topics.ReasonNone {
		p.reason, p.err = reason, err.Error()
		return
	}
	p.org = e.cfg.Rules.For(p.event.OrganizationID)
	p.result = e.cfg.Verifier.Verify(&p.event, p.scratch)
	p.verified = true
	p.reason, p.err = p.result.Reason, p.result.Err
	if p.reason == topics.ReasonNone {
		p.mask, p.exempted = p.org.Match(&p.event)
	}
}

func isTick(hs []topics.Header) bool {
	for i := range hs {
		if hs[i].Key == topics.HeaderTick {
			return true
		}
	}
	return false
}
