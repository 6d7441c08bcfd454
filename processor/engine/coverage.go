package engine

import (
	"time"

	"tocsin/topics"
)

// coverageEvery is the length of a coverage interval in record time.
const coverageEvery = int64(time.Minute)

// coverage closes the open interval before this offset when it is a minute old or the rule set has changed.
func (p *Partition) coverage(offset int64, fx *Effects) {
	open := &p.seal.Coverage
	now, rules := p.seal.RecordTime, p.engine.cfg.Rules.Hash()
	if open.FromTime == 0 && open.Counts.Total() == 0 {
		open.From, open.FromTime = offset, now
	}
	if p.seal.RuleSet == rules && now < open.FromTime+coverageEvery {
		return
	}
	if open.Counts.Total() > 0 {
		value, chain := p.closeCoverage(offset, now)
		fx.Coverage = append(fx.Coverage, value)
		fx.Bytes += len(value)
		open.ChainHead = chain
	}
	open.From, open.FromTime = offset, now
	open.Counts = topics.Counts{}
	p.seal.RuleSet = rules
}

// closeCoverage encodes the record of the open interval, which ends before this offset.
func (p *Partition) closeCoverage(to, toTime int64) (value []byte, chain [32]byte) {
	open := &p.seal.Coverage
	c := topics.Coverage{Partition: p.cfg.Partition, TopicID: p.cfg.TopicID, From: open.From, To: to,
		FromTime: topics.Timestamp(open.FromTime), ToTime: topics.Timestamp(toTime),
		Counts: open.Counts, RuleSet: p.seal.RuleSet}
	c.Link(open.ChainHead)
	return c.Append(nil), c.Chain
}
