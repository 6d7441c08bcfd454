package processor

import (
	"context"
	"fmt"
	"time"

	"tocsin/processor/engine"
	"tocsin/state"
	"tocsin/state/window"
	"tocsin/topics"
)

// PartitionState is where a partition is on its way.
type PartitionState string

// The states. A partition is restored first, then runs until it is revoked. A stopped one stays assigned and unread.
const (
	Restoring PartitionState = "restoring"
	Running   PartitionState = "running"
	Stopped   PartitionState = "stopped"
)

// partition is one input partition while it is assigned to a worker.
//
// It has one owner at a time: the goroutine that restores it, then, from handover on, the goroutine of the worker.
// The callbacks of the group touch it only while that one is not working on it. What Health shows is in status.
type partition struct {
	id     int32
	cancel context.CancelFunc // ends the restore
	lease  *state.Lease
	status *partitionStatus

	eng       *engine.Partition
	committed position // the group's; next is -1 until the first commit
	floor     int64    // no record below it may come; -1: the first one decides
	epoch     int32    // leader epoch of the last record taken
	first     int64    // of a partition that has not committed yet: where it begins, -1 until records came
	touched   bool     // in the running transaction
	err       *StopError
	handed    bool // guarded by worker.mu: the worker owns it
	gone      bool // guarded by worker.mu: revoked or lost
}

// statePartition names the partition in the store; local rules are stage 0.
func statePartition(id int32) state.Partition { return state.Partition{ID: id} }

// build makes the engine's partition from what the store holds: after a restore, and after an aborted transaction.
func (p *Processor) build(part *partition, start int64) error {
	pos, _, err := part.lease.Position()
	if err != nil {
		return err
	}
	seal := pos.Seal
	var timers []engine.Timer
	err = part.lease.Timers(func(due int64, groupKey []byte) error {
		timers = append(timers, engine.Timer{Due: due, Key: append([]byte(nil), groupKey...)})
		return nil
	})
	if err != nil {
		return fmt.Errorf("read timers: %w", err)
	}
	part.eng = p.config.Engine.NewPartition(engine.PartitionConfig{
		Partition:  part.id,
		Partitions: p.cluster.partitions,
		TopicID:    p.cluster.inputID,
		Seal:       seal,
		Start:      start,
		Timers:     timers,
		Loader:     LeaseLoader{Lease: part.lease},
		CacheBytes: p.cachePerPartition(),
	})
	part.committed, part.floor, part.first = position{next: -1, epoch: -1}, -1, -1
	if seal.Sequence > 0 {
		part.committed = position{next: seal.Next, epoch: part.epoch}
		part.floor = seal.Next
	}
	part.touched = false
	return nil
}

// cachePerPartition shares the memory for decoded windows evenly: how many partitions will come is not known.
func (p *Processor) cachePerPartition() int {
	return int(max(p.config.CacheBytes/int64(p.cluster.partitions), 1<<20))
}

// LeaseLoader loads keys for the engine from the store.
type LeaseLoader struct{ Lease *state.Lease }

// Load implements engine.Loader.
func (l LeaseLoader) Load(groupKey []byte, k *window.Key) error {
	if !l.Lease.MayHold(groupKey) {
		return nil
	}
	return k.Load(groupKey, l.Lease)
}

// checkNext is our own assertion beside the client's promises: within an assignment the offsets of a partition rise.
// Gaps are fine (control records, compaction, aborted transactions); a record that comes again must not be judged.
func (part *partition) checkNext(offset int64) *StopError {
	if offset >= part.floor {
		return nil
	}
	return stopf(part.id, CauseBackwards, "restart the process and report this",
		"input offset %d came although everything below %d has been judged", offset, part.floor)
}

// take notes that a record has been handed to the engine.
func (part *partition) take(offset int64, epoch int32) {
	part.floor, part.epoch = offset+1, epoch
}

// seal gives the fields of the seal that ends the transaction.
func (part *partition) seal() topics.Seal { return part.eng.SealFields() }

// RestoreHealth is how far a restore has come.
type RestoreHealth struct {
	Mode    string    `json:"mode"` // tail or full
	From    int64     `json:"from"` // changelog offset it began at
	Next    int64     `json:"next"`
	Until   int64     `json:"until"`
	Records int64     `json:"records"`
	Started time.Time `json:"started"`
}
