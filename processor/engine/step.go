package engine

import (
	"encoding/binary"
	"fmt"
	"math"
	"strings"
	"time"

	"tocsin/state/window"
	"tocsin/topics"
)

// signedBefore is the number of verified events after which an unsigned one of the same source is a downgrade.
const signedBefore = 100

// touchEvery is how often (record time) a signing counter that has reached its end is written again, so that it does
// not expire while its source is alive.
const touchEvery = int64(24 * time.Hour)

// Advance moves record time to that of the next record and fires the timers that it passes, in order of (due, key),
// at most limit of them. done false: the limit was reached first; end the transaction before that record, and call
// Advance again in the next one.
func (p *Partition) Advance(recordTime int64, limit int, fx *Effects) (done bool, err error) {
	now := max(p.seal.RecordTime, recordTime)
	grace := p.engine.cfg.Rules.Grace()
	for {
		t, ok := p.timers.peek()
		if !ok || t.due >= now {
			p.seal.RecordTime = now
			return true, nil
		}
		if limit <= 0 {
			return false, nil
		}
		// Timers see the record time at which they are due, not the record that happened to reveal it.
		p.seal.RecordTime = max(p.seal.RecordTime, t.due)
		p.keyBuf = append(p.keyBuf[:0], t.key...)
		c, err := p.load(p.keyBuf)
		if err != nil {
			return false, err
		}
		due := c.k.Due(grace)
		if due == t.due {
			p.announce(c, c.k.Fire(due, grace, now), fx)
			p.touch(c)
			limit--
			due = c.k.Due(grace)
		}
		p.timers.putOff(due)
	}
}

// Step judges one record; Advance must have been done for it. It gives the record exactly one verdict.
func (p *Partition) Step(pr *Prepared, fx *Effects) error {
	r := pr.rec
	p.coverage(r.Offset, fx)
	err := p.judge(pr, fx)
	p.checkKey(pr, fx)
	p.seal.Next = r.Offset + 1
	return err
}

func (p *Partition) judge(pr *Prepared, fx *Effects) error {
	if pr.tick {
		p.counts().Ticks++
		fx.Counts.Ticks++
		return nil
	}
	if pr.verified {
		fx.Outcomes[pr.entry.Outcome]++
		if err := p.integrity(pr, fx); err != nil {
			return err
		}
	}
	if pr.reason != topics.ReasonNone {
		p.setAside(pr, pr.reason, pr.err, fx)
		return nil
	}
	if ahead := since(pr.entry.Time, p.seal.RecordTime); ahead > p.engine.cfg.Rules.FutureSkew() {
		p.setAside(pr, topics.ReasonFuture, fmt.Sprintf(
			"event time %s is %s ahead of record time %s (allowed: %s); set the producer's clock",
			topics.Timestamp(pr.entry.Time), time.Duration(ahead), topics.Timestamp(p.seal.RecordTime),
			time.Duration(p.engine.cfg.Rules.FutureSkew())), fx)
		return nil
	}
	if pr.exempted != 0 {
		p.counts().Exempted++
		fx.Counts.Exempted++
	}
	if pr.mask != 0 {
		done, err := p.countEvent(pr, fx)
		if err != nil || done {
			return err
		}
	}
	p.counts().Judged++
	fx.Counts.Judged++
	return nil
}

// since is a − b in nanoseconds, cut to what an int64 holds: the times that an event can state span 562 years, an int64
// 292 in each direction.
func since(a, b int64) int64 {
	d := a - b
	switch {
	case a >= b && d < 0:
		return math.MaxInt64
	case a < b && d >= 0:
		return math.MinInt64
	}
	return d
}

// countEvent judges an event that at least one rule is about. done: it has got another verdict than judged.
func (p *Partition) countEvent(pr *Prepared, fx *Effects) (done bool, err error) {
	c, err := p.load(pr.group)
	if err != nil {
		return false, err
	}
	e := &pr.entry
	grace := p.engine.cfg.Rules.Grace()
	if c.k.Late(e.Time, grace) {
		clock, _ := c.k.Clock()
		p.setAside(pr, topics.ReasonLate, fmt.Sprintf("event time %s is %s behind the clock %s of its key (grace: %s)",
			topics.Timestamp(e.Time), time.Duration(since(clock, e.Time)), topics.Timestamp(clock), time.Duration(grace)), fx)
		return true, nil
	}
	duplicate, conflict := c.k.Find(e.ID, e.Hash)
	if duplicate {
		p.counts().Duplicates++
		fx.Counts.Duplicates++
		return true, nil
	}
	p.rules = pr.rules.Select(p.rules[:0], pr.mask)
	p.windows = p.windows[:0]
	for _, r := range p.rules {
		p.windows = append(p.windows, &r.Rule)
	}
	if err := p.accept(c, e, pr.trace, fx); err != nil {
		return false, err
	}
	if conflict {
		p.counts().IDConflicts++
		fx.Counts.IDConflicts++
		return false, p.observe(pr, "id_conflict", fx)
	}
	return false, nil
}

// accept counts an entry for the rules p.windows on a key.
func (p *Partition) accept(c *cached, e *window.Entry, trace [16]byte, fx *Effects) error {
	p.naming.of(c.key)
	grace := p.engine.cfg.Rules.Grace()
	ems, err := c.k.Accept(e, p.windows, p.seal.RecordTime, grace, trace, p.newID)
	if err != nil {
		return err
	}
	p.announce(c, ems, fx)
	p.touch(c)
	return nil
}

// groupOf gives the group key of an event for rules by principal: the principal, else the IP address, else unknown,
// each in a name space of its own.
func groupOf(e *topics.Event) (topics.Space, []byte) {
	switch {
	case len(e.PrincipalID) > 0:
		return topics.SpacePrincipal, e.PrincipalID
	case len(e.IPAddress) > 0:
		return topics.SpaceIP, e.IPAddress
	}
	return topics.SpaceUnknown, nil
}

func (p *Partition) setAside(pr *Prepared, reason topics.Reason, text string, fx *Effects) {
	p.counts().DeadLetters[reason]++
	fx.Counts.DeadLetters[reason]++
	text = strings.ToValidUTF8(text, "\uFFFD")
	fx.DeadLetters = append(fx.DeadLetters, DeadLetter{Offset: pr.rec.Offset, Reason: reason, Err: text})
}

// SetAside gives a verdict to records that were never prepared: the offsets [from, to] of a batch that could not be
// decompressed, say.
func (p *Partition) SetAside(from, to int64, reason topics.Reason, text string, fx *Effects) {
	p.coverage(from, fx)
	n := to - from + 1
	p.counts().DeadLetters[reason] += n
	fx.Counts.DeadLetters[reason] += n
	fx.DeadLetters = append(fx.DeadLetters, DeadLetter{Offset: from, Reason: reason, Err: text})
	p.seal.Next = to + 1
}

// counts gives the counters of the open coverage interval.
func (p *Partition) counts() *topics.Counts { return &p.seal.Coverage.Counts }

// integrity raises what verification found, and keeps the count behind signing downgrades.
func (p *Partition) integrity(pr *Prepared, fx *Effects) error {
	switch pr.entry.Outcome {
	case topics.OutcomeTampered, topics.OutcomeForged, topics.OutcomeUnverifiable:
		return p.observe(pr, pr.entry.Outcome.String(), fx)
	case topics.OutcomeVerified:
		return p.signed(pr)
	}
	if pr.signaturePresent || !p.engine.cfg.Verifier.HasKey() {
		return nil
	}
	c, err := p.load(pr.signing)
	if err != nil || c.k.Counter() < signedBefore {
		return err
	}
	return p.observe(pr, "signing_downgrade", fx)
}

func (p *Partition) signed(pr *Prepared) error {
	c, err := p.load(pr.signing)
	if err != nil {
		return err
	}
	if n := c.k.Counter(); n < signedBefore || p.seal.RecordTime > c.k.LastWrite()+touchEvery {
		c.k.SetCounter(min(n+1, signedBefore), p.seal.RecordTime)
		p.touch(c)
	}
	return nil
}

// observe judges an integrity observation: on record time, in this partition, by claimed organisation, kind and source.
// Each record counts once, so the alert's count is the number of records that say so in the log.
func (p *Partition) observe(pr *Prepared, kind string, fx *Effects) error {
	rule := pr.rules.Integrity()
	if rule == nil {
		return nil
	}
	p.observed = append(append(append(p.observed[:0], kind...), 0), pr.source...)
	p.keyBuf = topics.AppendGroupKey(p.keyBuf[:0], topics.SpaceIntegrity, pr.organization, p.observed)
	c, err := p.load(p.keyBuf)
	if err != nil {
		return err
	}
	p.windows = append(p.windows[:0], &rule.Rule)
	p.entry = pr.entry
	p.entry.Time, p.entry.ID = p.seal.RecordTime, [16]byte{}
	binary.BigEndian.PutUint64(p.entry.ID[8:], uint64(pr.rec.Offset))
	return p.accept(c, &p.entry, pr.trace, fx)
}
