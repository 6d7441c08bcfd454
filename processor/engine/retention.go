package engine

// ExpireBefore gives the record time before which a key must have been last written to be logically absent now: what to
// ask the store's expiry index for.
func (p *Partition) ExpireBefore() int64 { return p.seal.RecordTime - p.engine.cfg.Rules.Retention() }
