package processor

import (
	"cmp"
	"slices"
	"sync"
)

// PartitionHealth is what [Processor.Health] says of one assigned partition.
type PartitionHealth struct {
	Partition int32          `json:"partition"`
	Worker    int            `json:"worker"`
	State     PartitionState `json:"state"`
	Cause     Cause          `json:"cause,omitempty"`  // of a stopped one
	Detail    string         `json:"detail,omitempty"` // why it is stopped, or what its restore waits for
	Next      int64          `json:"next"`             // next input offset to be judged; -1: not known yet
	Lag       int64          `json:"lag"`              // input records not yet judged and committed; -1: not known yet
	Restore   *RestoreHealth `json:"restore,omitempty"`
}

// Health is the processor's condition. Ready means: the group has given this process its partitions, and none is
// being restored or stopped.
type Health struct {
	Ready      bool              `json:"ready"`
	Joined     bool              `json:"joined"` // every worker has got an assignment, even an empty one
	Workers    int               `json:"workers"`
	Partitions []PartitionHealth `json:"partitions"`
	Standby    []StandbyHealth   `json:"standby,omitempty"`  // partitions of other processes, see Config.Standby
	Warnings   []string          `json:"warnings,omitempty"` // what weakens results although everything works
}

// partitionStatus is the part of a partition that others read.
type partitionStatus struct {
	mu sync.Mutex
	h  PartitionHealth
}

func newPartitionStatus(partition int32, worker int) *partitionStatus {
	return &partitionStatus{h: PartitionHealth{Partition: partition, Worker: worker, State: Restoring, Next: -1, Lag: -1}}
}

func (s *partitionStatus) update(fn func(h *PartitionHealth)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fn(&s.h)
}

func (s *partitionStatus) get() PartitionHealth {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.h
	if h.Restore != nil {
		restore := *h.Restore
		h.Restore = &restore
	}
	return h
}

// Health says how the processor is. It may be called at any time.
func (p *Processor) Health() Health {
	h := Health{Joined: true}
	p.mu.Lock()
	workers := slices.Clone(p.workers)
	h.Warnings = slices.Clone(p.warnings)
	p.mu.Unlock()
	if warning := p.keying.warning(); warning != "" {
		h.Warnings = append(h.Warnings, warning)
	}
	h.Workers = len(workers)
	h.Standby = p.standby.health()
	h.Ready = len(workers) > 0
	for _, w := range workers {
		parts, joined := w.health()
		h.Joined = h.Joined && joined
		h.Partitions = append(h.Partitions, parts...)
	}
	slices.SortFunc(h.Partitions, func(a, b PartitionHealth) int { return cmp.Compare(a.Partition, b.Partition) })
	for i := range h.Partitions {
		h.Ready = h.Ready && h.Partitions[i].State == Running
	}
	h.Ready = h.Ready && h.Joined
	return h
}
