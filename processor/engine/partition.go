package engine

import (
	"cmp"
	"fmt"
	"slices"

	"tocsin/processor/detect"
	"tocsin/state/window"
	"tocsin/topics"
)

// Timer says that a key has a timer that fires after record time Due.
type Timer struct {
	Due int64
	Key []byte // group key
}

// PartitionConfig is what a Partition starts from.
type PartitionConfig struct {
	Partition  int32
	Partitions int32       // partition count of the input topic
	TopicID    [16]byte    // of the input topic
	Seal       topics.Seal // the last one; zero for a partition that was never read
	Start      int64       // first offset to be read, for a partition that was never read
	Timers     []Timer     // from the store
	Loader     Loader
	CacheBytes int // memory for decoded keys between transactions; 0: 8 MiB
}

// Partition is the state machine of one input partition: what was committed, plus what the records since have done.
type Partition struct {
	engine *Engine
	cfg    PartitionConfig
	seal   topics.Seal // Next, RecordTime, RuleSet, Coverage are kept up to date

	cache  cache
	dirty  []*cached
	timers timers

	// Scratch, reused from record to record.
	keyBuf   []byte
	windows  []*window.Rule
	rules    []*detect.Rule
	entry    window.Entry
	recent   []window.Entry
	changes  window.Scratch
	naming   naming
	newID    func(*window.Rule, int64) [16]byte // naming.id, bound once
	observed []byte
	encoded  []byte
}

// NewPartition starts a partition where its last seal left it.
func (e *Engine) NewPartition(c PartitionConfig) *Partition {
	if c.CacheBytes == 0 {
		c.CacheBytes = 8 << 20
	}
	p := &Partition{engine: e, cfg: c, seal: c.Seal}
	if c.Seal.Sequence == 0 {
		p.seal.Next, p.seal.Coverage.From = c.Start, c.Start
		p.seal.RuleSet = e.cfg.Rules.Hash()
	}
	p.cache.init(c.CacheBytes)
	p.changes.Format = e.format
	p.naming.partition = c.Partition
	p.newID = p.naming.id
	for _, t := range c.Timers {
		p.timers.arm(string(t.Key), t.Due)
	}
	return p
}

// Next gives the next input offset to be judged.
func (p *Partition) Next() int64 { return p.seal.Next }

// RecordTime gives the largest record time so far; 0: none.
func (p *Partition) RecordTime() int64 { return p.seal.RecordTime }

// load gives the state of a key: from the cache, else from the store, and empty when it is logically absent.
func (p *Partition) load(groupKey []byte) (*cached, error) {
	c := p.cache.get(groupKey)
	if c == nil {
		c = p.cache.add(groupKey)
		if err := p.cfg.Loader.Load(groupKey, &c.k); err != nil {
			p.cache.remove(c)
			return nil, fmt.Errorf("load window: %w", err)
		}
	}
	if c.k.Live() && p.absent(c.k.LastWrite()) {
		c.k.Clear()
		p.touch(c)
	}
	return c, nil
}

// absent tells whether a key last written then is logically absent now.
func (p *Partition) absent(lastWrite int64) bool {
	return p.seal.RecordTime > lastWrite+p.engine.cfg.Rules.Retention()
}

// touch notes that a key has changed in this transaction, and sees to its timer.
func (p *Partition) touch(c *cached) {
	if !c.dirty {
		c.dirty = true
		p.dirty = append(p.dirty, c)
	}
	p.timers.arm(c.key, c.k.Due(p.engine.cfg.Rules.Grace()))
}

// Expire turns the keys that are logically absent into tombstones. Candidates come from the store's expiry index and
// may have been written since.
func (p *Partition) Expire(candidates [][]byte) error {
	for _, key := range candidates {
		if _, err := p.load(key); err != nil {
			return err
		}
	}
	return nil
}

// Changes visits all that must be written to the changelog and the store, ascending by group key.
func (p *Partition) Changes(visit func(groupKey []byte, old window.Index, c window.Change) error) error {
	slices.SortFunc(p.dirty, func(a, b *cached) int { return cmp.Compare(a.key, b.key) })
	grace := p.engine.cfg.Rules.Grace()
	for _, c := range p.dirty {
		p.keyBuf = append(p.keyBuf[:0], c.key...)
		err := c.k.Changes(p.keyBuf, grace, &p.changes, func(old window.Index, ch window.Change) error {
			return visit(p.keyBuf, old, ch)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// SealFields gives the seal of the transaction but for Sequence, Rolling and Sum, which the store completes.
func (p *Partition) SealFields() topics.Seal {
	s := p.seal
	s.InputTopicID, s.Partition, s.Partitions = p.cfg.TopicID, p.cfg.Partition, p.cfg.Partitions
	return s
}

// Committed publishes what Changes gave: the transaction has committed and the store has applied it.
func (p *Partition) Committed(s topics.Seal) {
	p.seal = s
	for _, c := range p.dirty {
		c.dirty = false
		if !c.k.Live() {
			p.cache.remove(c)
		} else {
			p.cache.resize(c)
		}
	}
	clear(p.dirty)
	p.dirty = p.dirty[:0]
	p.cache.evict()
}
