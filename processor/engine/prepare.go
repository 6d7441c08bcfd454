package engine

import (
	"fmt"

	"tocsin/processor/detect"
	"tocsin/processor/verify"
	"tocsin/state/window"
	"tocsin/topics"
)

// Scratch is the memory of one goroutine for Prepare. The zero value is ready.
type Scratch struct {
	event  topics.Event
	verify *verify.Scratch
	memo   detect.Memo
	key    []byte
}

// Prepared is a record after all that needs no state: decoded, verified, matched. It is small, so that some dozens of
// them stay in a processor's cache until Step takes them. It can be used again for another record and then allocates
// nothing; of the record it was made from it keeps the pointer and no texts.
type Prepared struct {
	rec  *Record
	tick bool

	verified         bool         // the event was decoded and verified: outcome, hash and the texts are valid
	signaturePresent bool         // the event states a signature
	entry            window.Entry // of the event; its identity only when mask is not 0
	trace            [16]byte

	reason topics.Reason
	err    string

	keyHash    uint32 // of the record key it should have; only when keyChecked
	keyChecked bool

	rules    *detect.OrgRules
	mask     uint64 // matchers that the event meets
	exempted uint64

	text         []byte // memory of the texts below
	group        []byte // group key for rules by principal; only when mask is not 0
	organization []byte
	source       []byte
	signing      []byte // group key of the source's signing counter
}

// Prepare does everything about a record that needs no state. A bug that panics on this record becomes the reason
// internal: one record must not stop a partition.
func (e *Engine) Prepare(r *Record, s *Scratch, p *Prepared) {
	if s.verify == nil {
		s.verify = verify.NewScratch()
	}
	p.rec, p.tick, p.verified, p.keyChecked = r, false, false, false
	p.reason, p.err, p.rules, p.mask, p.exempted = topics.ReasonNone, "", nil, 0, 0
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
	event := &s.event
	reason, err := event.Decode(r.Value, r.Headers, e.cfg.Limits)
	if reason != topics.ReasonNone {
		p.reason, p.err = reason, err.Error()
		return
	}
	p.rules = e.cfg.Rules.For(event.OrganizationID)
	result := e.cfg.Verifier.Verify(event, s.verify)
	p.signaturePresent = result.SignaturePresent
	p.reason, p.err = result.Reason, result.Err
	p.entry = window.Entry{Time: event.Time, Offset: r.Offset, Hash: result.Hash, Outcome: result.Outcome}
	p.entry.SetID(event.ID)
	p.trace = parseTrace(event.TraceID)
	if p.reason == topics.ReasonNone {
		p.mask, p.exempted = p.rules.Match(event, &s.memo)
		p.checkedKey(e.cfg.Key, event, s)
	}
	p.keep(event)
	if p.mask != 0 {
		p.entry.ID = event.Identity()
	}
	p.verified = true
}

// keep copies the texts that Step needs: the event is the next record's before that.
func (p *Prepared) keep(e *topics.Event) {
	b := append(p.text[:0], e.OrganizationID...)
	source := len(b)
	b = append(b, e.Source...)
	signing := len(b)
	b = topics.AppendGroupKey(b, topics.SpaceSigning, e.OrganizationID, e.Source)
	group := len(b)
	if p.mask != 0 {
		space, value := groupOf(e)
		b = topics.AppendGroupKey(b, space, e.OrganizationID, value)
	}
	p.text, p.organization, p.source, p.signing, p.group = b, b[:source], b[source:signing], b[signing:group], b[group:]
	if cap(p.text) > keepText {
		p.text = nil // what the slices point to lives until they are set again
	}
}

// keepText bounds the memory that a Prepared keeps for the next record, in bytes.
const keepText = 4 << 10

func isTick(hs []topics.Header) bool {
	for i := range hs {
		if hs[i].Key == topics.HeaderTick {
			return true
		}
	}
	return false
}
