package processor

import (
	"context"

	"github.com/twmb/franz-go/pkg/kgo"
)

// The group's callbacks. The client makes them on a goroutine of its own, one after the other, and never between a
// poll that returned records and the call that allows rebalances again: what the worker works on is not taken away
// under its hands. They must not end a transaction, and do not: none is open when they are called.

// assigned pauses the new partitions and begins to restore them. Their records stay with the broker until then.
func (w *worker) assigned(ctx context.Context, cl *kgo.Client, added map[string][]int32) {
	ids := added[w.proc.config.Topics.Input]
	if len(ids) > 0 {
		w.proc.config.at(PointAssigned, ids[0])
		cl.PauseFetchPartitions(map[string][]int32{w.proc.config.Topics.Input: ids})
		w.log.Info("partitions assigned", "partitions", ids)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.joined = true
	for _, id := range ids {
		w.startRestore(ctx, id)
	}
}

// startRestore begins with a partition, with mu held. ctx is the client's.
func (w *worker) startRestore(ctx context.Context, id int32) {
	restoring, cancel := context.WithCancel(ctx) // ends with the assignment, at the latest with the client
	part := &partition{id: id, cancel: cancel, status: newPartitionStatus(id, w.number)}
	if w.parts[id] == nil {
		w.proc.standby.take(id)
	}
	w.parts[id] = part
	w.restores.Add(1)
	go func() {
		defer w.restores.Done()
		defer cancel()
		w.restore(restoring, part)
	}()
}

// damaged takes a partition out of work whose state cannot be read from the disk. It is no stop: nothing is lost, and
// it is restored from the changelog as soon as its lease is released.
func (w *worker) damaged(part *partition, why *StopError) {
	part.err = why
	part.status.update(func(h *PartitionHealth) { h.State, h.Detail = Restoring, why.Error() })
	w.log.Error("the state of a partition is damaged on disk; it is rebuilt from the changelog", "partition", part.id,
		"error", why.Err)
}

// restoreAgain begins anew with a partition that is still assigned. It is paused, and its position in the client is
// what was committed: its records come again.
func (w *worker) restoreAgain(ctx context.Context, part *partition) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.parts[part.id] == part && !part.gone {
		w.startRestore(ctx, part.id)
	}
}

// revoked gives partitions up: the group wants them elsewhere.
func (w *worker) revoked(_ context.Context, _ *kgo.Client, removed map[string][]int32) {
	w.giveUp(PointRevoked, removed[w.proc.config.Topics.Input])
}

// lost gives partitions up that the group has taken already.
func (w *worker) lost(_ context.Context, _ *kgo.Client, removed map[string][]int32) {
	w.giveUp(PointLost, removed[w.proc.config.Topics.Input])
}

// giveUp forgets partitions and releases their leases. The state stays in the store, for a short restore should they
// come back; to release begins a flush of it.
func (w *worker) giveUp(how Point, ids []int32) {
	if len(ids) > 0 {
		w.proc.config.at(how, ids[0])
		w.log.Info("partitions given up", "how", how, "partitions", ids)
	}
	for _, id := range ids {
		w.mu.Lock()
		part := w.parts[id]
		delete(w.parts, id)
		handed := part != nil && part.handed
		if part != nil {
			part.gone = true
		}
		w.mu.Unlock()
		if part == nil {
			continue
		}
		w.proc.standby.free(id)
		part.cancel() // a restore in progress ends, and releases the lease itself
		w.proc.metrics.forget(part.id)
		if handed {
			w.release(part)
		}
	}
}

// handOver gives a restored partition to the worker's loop, or releases it when it was taken away meanwhile.
func (w *worker) handOver(part *partition) {
	w.mu.Lock()
	if part.gone {
		w.mu.Unlock()
		w.release(part)
		w.proc.config.at(PointHandedBack, part.id)
		return
	}
	part.handed = true
	w.ready = append(w.ready, part)
	w.mu.Unlock()
	w.proc.config.at(PointHandedOver, part.id)
	w.wakeUp()
}

// admit lets the partitions flow that have been restored since the last call. It runs between a poll and the call
// that allows rebalances.
func (w *worker) admit(s *session) {
	w.mu.Lock()
	ready := w.ready
	w.ready = nil
	w.mu.Unlock()
	for _, part := range ready {
		if part.gone { // cannot change now: rebalances are blocked
			continue
		}
		input := w.proc.config.Topics.Input
		known, ok := s.cl.CommittedOffsets()[input][part.id]
		if ok && part.committed.next >= 0 && known.Offset != part.committed.next {
			// The client read the group's offset at another time than the restore did. The seal was checked against ours.
			s.seek(map[int32]kgo.EpochOffset{part.id: {Epoch: part.committed.epoch, Offset: part.committed.next}})
		}
		part.status.update(func(h *PartitionHealth) {
			h.State, h.Detail, h.Restore, h.Next = Running, "", nil, part.committed.next
		})
		s.cl.ResumeFetchPartitions(map[string][]int32{input: {part.id}})
		w.proc.config.at(PointAdmitted, part.id)
	}
}

// stop takes a partition out of work, loudly; the others go on. It stays paused until it is assigned anew.
func (w *worker) stop(part *partition, why *StopError) {
	part.err = why
	part.status.update(func(h *PartitionHealth) {
		h.State, h.Cause, h.Detail, h.Restore = Stopped, why.Cause, why.Error(), nil
	})
	w.proc.metrics.stopped.WithLabelValues(string(why.Cause)).Inc()
	w.log.Error("partition stopped", "partition", part.id, "cause", why.Cause, "error", why.Error())
}

// release ends the lease, if there is one.
func (w *worker) release(part *partition) {
	if part.lease != nil {
		part.lease.Release()
		w.proc.config.at(PointReleased, part.id)
	}
}

func (w *worker) health() (parts []PartitionHealth, joined bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, part := range w.parts {
		parts = append(parts, part.status.get())
	}
	return parts, w.joined
}
