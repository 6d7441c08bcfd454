package state

import (
	"errors"
	"fmt"
	"hash/maphash"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"tocsin/state/window"
	"tocsin/topics"
)

// Stage holds what one transaction changes, in any number of partitions, until Kafka has said committed. Nothing of it
// reaches the database before Apply. A stage is for one goroutine and for one transaction.
type Stage struct {
	s     *Store
	batch *pebble.Batch
	parts []*staged // in the order of their first change; a worker has few partitions
	keys  []byte    // arena of change keys; a full block is left to the garbage collector
	key   []byte    // scratch
	done  bool
}

// staged is what the stage knows of one partition.
type staged struct {
	lease   *Lease
	base    topics.Seal // the seal this transaction follows
	sum     topics.Sum
	rolling topics.Rolling
	prefix  []byte // of the data store
	seal    topics.Seal
	sealed  bool
	changes int
	born    []uint64 // group keys that had no head before, hashed
}

// NewStage begins a stage. It must be ended by Apply or Discard.
func (s *Store) NewStage() *Stage {
	return &Stage{s: s, batch: s.db.NewBatch(
		pebble.WithInitialSizeBytes(batchInitial), pebble.WithMaxRetainedSizeBytes(batchKept))}
}

const (
	batchInitial = 256 << 10 // bytes of a busy transaction's batch: spares growing it step by step
	batchKept    = 4 << 20
)

// Change takes one change of a group key; changes count in the order in which they are given. old is what the index has
// for the head that is replaced (the zero Index where there was none), and matters for heads alone. The result is the
// key of the changelog record; it stays valid. The change's slices are not kept.
func (st *Stage) Change(l *Lease, groupKey []byte, old window.Index, c window.Change) (changeKey []byte, err error) {
	if st.done {
		return nil, errStageDone
	}
	part, err := st.part(l)
	if err != nil {
		return nil, err
	}
	if part.sealed {
		return nil, fmt.Errorf("stage: change after the seal of partition %s", l.p)
	}
	changeKey = st.join(groupKey, c.Suffix)
	part.rolling.Add(changeKey, c.Value)
	part.changes++
	if c.HadOld {
		part.sum.Sub(c.OldHash)
	}
	st.key = append(append(st.key[:0], part.prefix...), changeKey...)
	if c.Value == nil {
		err = st.batch.Delete(st.key, nil)
	} else {
		part.sum.Add(c.NewHash)
		err = st.batch.Set(st.key, c.Value, nil)
	}
	if err != nil {
		return nil, fmt.Errorf("stage: %w", err)
	}
	if len(c.Suffix) == 1 && c.Suffix[0] == topics.PartHead {
		if !c.HadOld && c.Value != nil {
			part.born = append(part.born, maphash.Bytes(l.known.seed, groupKey))
		}
		if err := st.index(l.p, groupKey, old, &c); err != nil {
			return nil, fmt.Errorf("stage: partition %s: %w", l.p, err)
		}
	}
	return changeKey, nil
}

// index moves the index entries of a head.
func (st *Stage) index(p Partition, groupKey []byte, old window.Index, c *window.Change) error {
	var now window.Index
	if c.Value != nil {
		var err error
		if now, err = st.s.cfg.HeadIndex(c.Value); err != nil {
			return fmt.Errorf("index of head: %w", err)
		}
	}
	x := indexer{batch: st.batch, p: p, key: st.key}
	err := x.move(groupKey, old, c.HadOld, now, c.Value != nil)
	st.key = x.key
	return err
}

var errStageDone = errors.New("stage: it has been applied or discarded")

// part finds the partition of l in the stage, or begins it.
func (st *Stage) part(l *Lease) (*staged, error) {
	for _, p := range st.parts {
		if p.lease == l {
			return p, nil
		}
		if p.lease.p == l.p {
			return nil, p.lease.lost() // another lease of the same partition: the former one must have ended
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.ended:
		return nil, l.lost()
	case l.s != st.s:
		return nil, errors.New("stage: the lease is of another store")
	case l.restoring:
		return nil, fmt.Errorf("stage: partition %s is being restored", l.p)
	case st.s.cfg.ReadOnly:
		return nil, errors.New("stage: the store is open for reading only")
	}
	p := &staged{lease: l, base: l.pos.Seal, sum: l.pos.Seal.Sum, prefix: prefix(l.p, storeData)}
	p.rolling.Reset(p.base.Rolling)
	st.parts = append(st.parts, p)
	return p, nil
}

// join makes a change key in the arena.
func (st *Stage) join(groupKey, suffix []byte) []byte {
	n := len(groupKey) + len(suffix)
	if cap(st.keys)-len(st.keys) < n {
		st.keys = make([]byte, 0, max(n, 32<<10))
	}
	from := len(st.keys)
	st.keys = append(append(st.keys, groupKey...), suffix...)
	return st.keys[from:len(st.keys):len(st.keys)]
}

// Seal ends the changes of one partition. It completes s (Sequence, Rolling, Sum) and returns it for the changelog. A
// partition whose input offset is committed gets a seal whether it has changes or not.
func (st *Stage) Seal(l *Lease, s topics.Seal) (topics.Seal, error) {
	if st.done {
		return topics.Seal{}, errStageDone
	}
	part, err := st.part(l)
	if err != nil {
		return topics.Seal{}, err
	}
	if part.sealed {
		return topics.Seal{}, fmt.Errorf("stage: partition %s is sealed already", l.p)
	}
	s.Sequence = part.base.Sequence + 1
	s.Rolling = part.rolling.Sum()
	s.Sum = part.sum
	part.seal, part.sealed = s, true
	return s, nil
}

// Apply writes the stage: data, indexes and positions of all its partitions in one batch. next says for each of them
// where its changelog goes on after the seal. Call it only when Kafka has said that the transaction is committed.
//
// If any lease is gone nothing is written and the error is ErrLeaseLost: what the transaction committed is then read
// back from the changelog, by the new holder for that partition, by the caller for the others. The stage is spent
// either way.
func (st *Stage) Apply(next map[Partition]ChangelogPosition) error {
	if st.done {
		return errStageDone
	}
	defer st.Discard()
	if err := st.s.enter(); err != nil {
		return fmt.Errorf("apply: %w", err)
	}
	defer st.s.exit()
	if err := st.check(next); err != nil {
		return fmt.Errorf("apply: %w", err)
	}
	slices.SortFunc(st.parts, func(a, b *staged) int { return a.lease.p.compare(b.lease.p) })
	for _, p := range st.parts { // all stages lock in the same order
		p.lease.mu.Lock()
		defer p.lease.mu.Unlock()
	}
	positions := make([]Position, len(st.parts))
	now := st.s.cfg.Now().UnixNano()
	for i, p := range st.parts {
		if err := p.current(); err != nil {
			return fmt.Errorf("apply: %w", err)
		}
		at := next[p.lease.p]
		if l := p.lease; l.hasPos && l.pos.ChangelogTopicID == at.TopicID && at.Next < l.pos.ChangelogNext {
			return fmt.Errorf("apply: partition %s: changelog position goes back from %d to %d",
				l.p, l.pos.ChangelogNext, at.Next)
		}
		positions[i] = Position{ChangelogTopicID: at.TopicID, ChangelogNext: at.Next, AppliedAt: now, Seal: p.seal}
		st.key = appendPrefix(st.key[:0], p.lease.p, storePosition)
		if err := st.batch.Set(st.key, positions[i].encode(), nil); err != nil {
			return fmt.Errorf("apply: %w", err)
		}
	}
	st.s.dirty.Store(true)
	st.s.at(PointApply)
	if err := st.batch.Commit(pebble.Sync); err != nil {
		return fmt.Errorf("apply: %w", err)
	}
	st.s.at(PointApplied)
	for i, p := range st.parts {
		p.lease.pos, p.lease.hasPos = positions[i], true
		p.lease.known.add(p.born)
		st.s.metrics.applied(p.changes)
	}
	return nil
}

// check refuses a stage that is not complete.
func (st *Stage) check(next map[Partition]ChangelogPosition) error {
	for _, p := range st.parts {
		if !p.sealed {
			return fmt.Errorf("partition %s has no seal", p.lease.p)
		}
		if _, ok := next[p.lease.p]; !ok {
			return fmt.Errorf("partition %s has no changelog position", p.lease.p)
		}
	}
	if len(next) != len(st.parts) {
		return fmt.Errorf("%d changelog positions for %d partitions", len(next), len(st.parts))
	}
	return nil
}

// current checks, with the lease locked, that it holds and that nothing was applied since the stage was begun.
func (p *staged) current() error {
	l := p.lease
	switch {
	case l.ended:
		return l.lost()
	case l.restoring || l.pos.Seal.Sequence != p.base.Sequence || l.pos.Seal.Rolling != p.base.Rolling:
		return fmt.Errorf("partition %s: begun after seal %d, the state is at seal %d: %w",
			l.p, p.base.Sequence, l.pos.Seal.Sequence, ErrStaleStage)
	}
	return nil
}

// Discard drops the stage. After Apply, or a second time, it does nothing.
func (st *Stage) Discard() {
	if st.done {
		return
	}
	st.done = true
	_ = st.batch.Close() // frees memory; a batch that was not committed has nothing to fail at
	st.batch = nil
}
