package processor

import (
	"fmt"

	"tocsin/state"
	"tocsin/topics"
)

// apply writes the committed transaction to the store, then publishes it: from here on it is what the next
// transaction builds on. It is called for a confirmed commit only. An error leaves the store behind Kafka, which is
// always allowed: a new client restores the difference from the changelog.
func (w *worker) apply(s *session, stage *state.Stage, seals []topics.Seal) error {
	b := &w.batch
	next := make(map[state.Partition]state.ChangelogPosition, len(seals))
	for _, part := range b.touched {
		next[statePartition(part.id)] = state.ChangelogPosition{
			TopicID: w.proc.cluster.changelogID, Next: s.produced.end(part.id),
		}
	}
	if err := stage.Apply(next); err != nil {
		return fmt.Errorf("apply a committed transaction: %w", err)
	}
	s.at(PointApplied)
	for i, part := range b.touched {
		part.eng.Committed(seals[i])
		part.committed = position{next: seals[i].Next, epoch: part.epoch}
		part.touched = false
		part.status.update(func(h *PartitionHealth) { h.Next = seals[i].Next })
	}
	b.touched = b.touched[:0]
	w.proc.metrics.observe(&b.out.fx, b.taken, b.out.size())
	w.noteKeys(&b.out.fx)
	s.at(PointPublished)
	return nil
}
