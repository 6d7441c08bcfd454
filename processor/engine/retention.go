package engine

import "tocsin/state/window"

// ExpireBefore gives the record time before which a key must have been last written to be logically absent now: what
// to ask the store's expiry index for.
func (p *Partition) ExpireBefore() int64 { return p.seal.RecordTime - p.engine.cfg.Rules.Retention() }

// Live tells which keys are logically live at a record time, for digests of the state: expired ones may have been
// removed already or not.
func (e *Engine) Live(recordTime int64) func(window.Index) bool {
	retention := e.cfg.Rules.Retention()
	return func(i window.Index) bool { return recordTime <= i.LastWrite+retention }
}
