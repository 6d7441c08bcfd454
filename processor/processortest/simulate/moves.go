package simulate

import (
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
)

// move does what the plan has for a time.
func (w *world) move(m Move) {
	name := instance(m.Who)
	w.history.addf("world", "MOVE: instance %s: %s, %s", name, m.What, m.For)
	w.mu.Lock()
	p := w.running[name]
	w.mu.Unlock()
	done := true
	switch m.What {
	case MoveLeaders:
		w.cluster.ShufflePartitionLeaders()
	case MoveCoordinators:
		w.cluster.RehashCoordinators()
	case MoveKick:
		w.kick(name)
	case MoveFence:
		w.fence(name)
	case MoveStop:
		if done = p != nil && !p.dead.Load(); done {
			w.restart(p, m.For)
		}
	case MoveJoin:
		w.join(m.For)
	case MoveSlow:
		if done = p != nil; done {
			p.disk.slow.Store(int64(m.For / 100))
			time.Sleep(m.For)
			p.disk.slow.Store(0)
		}
	case MoveClock:
		if done = p != nil; done {
			p.skew.Add(int64(m.For) * 1000 * int64(1-2*(m.For/time.Millisecond%2)))
		}
	}
	if done {
		w.tally(Fault{"move", m.What.String()})
	}
	w.noteFault()
}

func instance(n int) string { return fmt.Sprintf("p%d", n) }

func (w *world) members(name string) (ids []string) {
	for i := range w.plan.Workers {
		ids = append(ids, fmt.Sprintf("%s-%s-%d", app, name, i))
	}
	return ids
}

func (w *world) kick(name string) {
	ctx, cancel := w.patience()
	defer cancel()
	// It may well not be a member at this moment.
	_, _ = w.adm.LeaveGroup(ctx, kadm.LeaveGroup(app).InstanceIDs(w.members(name)...))
	_, _ = w.adm.LeaveGroup(ctx, kadm.LeaveGroup(sinkGroup).InstanceIDs(name))
}

// fence takes a worker's transactional id, as a second process of the same name would.
func (w *world) fence(name string) {
	id := w.members(name)[0]
	err := w.takeOver(id)
	w.history.addf("world", "fenced %s: %v", id, err)
}

// restart stops an instance in order and starts it again.
func (w *world) restart(p *process, after time.Duration) {
	w.mu.Lock()
	w.wanted[p.name] = false
	w.mu.Unlock()
	p.stop()
	time.Sleep(after)
	w.mu.Lock()
	w.wanted[p.name] = true
	w.mu.Unlock()
	w.revive(p.name)
}

// join lets one more instance work for a while.
func (w *world) join(long time.Duration) {
	w.mu.Lock()
	name := fmt.Sprintf("extra%d", len(w.starts))
	w.wanted[name] = true
	w.mu.Unlock()
	if _, err := w.start(name, newDisk()); err != nil {
		w.violated("%v", err)
		return
	}
	time.Sleep(long)
	w.mu.Lock()
	p := w.running[name]
	w.wanted[name] = false
	w.mu.Unlock()
	if p != nil && !p.dead.Load() {
		p.stop()
	}
	w.kick(name)
}
