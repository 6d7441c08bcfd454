package oracle

import (
	"cmp"
	"container/heap"
)

// timerHeap orders episodes by when their next revision is due. An entry may be stale: it counts only while the
// episode is still queued under its due time.
type timerHeap []timerEntry

type timerEntry struct {
	due     int64
	episode *episode
}

func (h timerHeap) Len() int      { return len(h) }
func (h timerHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }

func (h timerHeap) Less(i, j int) bool {
	a, b := h[i].episode, h[j].episode
	return cmp.Or(cmp.Compare(h[i].due, h[j].due), cmp.Compare(a.key.order, b.key.order),
		cmp.Compare(a.rule, b.rule), cmp.Compare(a.crossing, b.crossing)) < 0
}

func (h *timerHeap) Push(x any) { *h = append(*h, x.(timerEntry)) }

func (h *timerHeap) Pop() any {
	old := *h
	e := old[len(old)-1]
	old[len(old)-1] = timerEntry{}
	*h = old[:len(old)-1]
	return e
}

// closing is the record time after which the episode closes.
func (p *TwoPointer) closing(e *episode) int64 {
	return e.growth + e.key.rules[e.rule].Cooldown + p.cfg.Grace
}

// due is the record time after which the next timer of an open episode fires.
func (p *TwoPointer) due(e *episode) int64 {
	if e.unshown {
		return min(e.growth+p.cfg.Refresh, p.closing(e))
	}
	return p.closing(e)
}

// arm queues the episode unless it is queued for no later already: a queued time only ever needs to be a lower bound.
func (p *TwoPointer) arm(e *episode) {
	if d := p.due(e); e.queued == 0 || d < e.queued {
		e.queued = d
		heap.Push(&p.timers, timerEntry{d, e})
	}
}

// advance fires every timer that is due before record time.
func (p *TwoPointer) advance() {
	for len(p.timers) > 0 && p.timers[0].due < p.now {
		top := heap.Pop(&p.timers).(timerEntry)
		e := top.episode
		if e.queued != top.due {
			continue
		}
		e.queued = 0
		if e.into != nil || e.closed {
			continue
		}
		if p.due(e) > top.due {
			p.arm(e)
			continue
		}
		e.closed = p.closing(e) <= top.due
		e.key.written = p.now
		p.show(e.key.series[e.rule], e)
		if !e.closed {
			p.arm(e)
		}
	}
}
