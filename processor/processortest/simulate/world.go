package simulate

import (
	"context"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"strconv"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"tocsin/processor"
	"tocsin/processor/sink"
	"tocsin/state"
)

// world is everything in one run.
type world struct {
	plan     *Plan
	load     *workload
	database *sink.Memory
	history  *History
	network  kfake.VirtualNetwork
	cluster  *kfake.Cluster
	client   *kgo.Client // of the world itself: nothing goes wrong with it
	adm      *kadm.Client
	tasks    sync.WaitGroup // processes, and what happens to them
	faults   sync.WaitGroup // what goes wrong at present

	mu         sync.Mutex
	began      time.Time
	healed     bool // nothing goes wrong any more
	armed      []*trap
	hits       map[string]int // by point
	faulted    map[Fault]int
	starts     map[string]int // by instance
	running    map[string]*process
	disks      map[string]*disk
	holder     map[int32]string // instance that worked on a partition last
	refusals   []*kfake.FaultHandle
	wanted     map[string]bool // instances that are started again when they end
	crashes    int
	crashedAt  map[string]bool
	restores   int
	alerts     int // records in the topic
	unlucky    int // processes that ended because of what went wrong
	lastFault  time.Time
	commits    int // transactions since then
	violations []string
}

// trap is something of the plan that waits for its trigger.
type trap struct {
	Trigger
	left int
	do   func(p *process)
	wire *Wire // a trap for a request
}

func newWorld(p *Plan, h *History) (*world, error) {
	w := &world{
		plan: p, history: h, hits: map[string]int{}, starts: map[string]int{}, running: map[string]*process{},
		disks: map[string]*disk{}, holder: map[int32]string{}, wanted: map[string]bool{}, crashedAt: map[string]bool{},
		faulted: map[Fault]int{},
	}
	w.began = time.Now()
	w.database = sink.NewMemory(time.Now)
	w.history.began = w.began
	for _, c := range p.Crashes {
		w.arm(c.Trigger, func(p *process) { p.crash(c.Loss, c.Down, c.Point) })
	}
	for _, s := range p.Stalls {
		w.arm(s.Trigger, func(p *process) {
			if !s.Alone {
				p.pause(s.For)
				return
			}
			p.world.history.addf(p.who, "HELD UP at %s for %s", s.Point, s.For)
			time.Sleep(s.For)
			p.world.tally(heldUp)
			p.world.noteFault()
		})
	}
	for i := range p.Wires {
		f := &p.Wires[i]
		w.armed = append(w.armed, &trap{Trigger: f.Trigger, left: f.Nth, wire: f})
	}
	var err error
	w.load, err = newWorkload(p)
	return w, err
}

func (w *world) arm(t Trigger, do func(*process)) {
	w.armed = append(w.armed, &trap{Trigger: t, left: t.Nth, do: do})
}

// chance gives randomness of its own to each thing that needs some, whatever the order in which they ask.
func (w *world) chance(what string) *rand.Rand {
	h := fnv.New64a()
	_, _ = h.Write([]byte(what)) // never fails
	return rand.New(rand.NewPCG(w.plan.Seed, h.Sum64()))
}

// violated notes that something is not as it must be.
func (w *world) violated(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	w.history.addf("world", "VIOLATION: %s", text)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.violations = append(w.violations, text)
}

// noteFault remembers when something went wrong last.
func (w *world) noteFault() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lastFault, w.commits = time.Now(), 0
}

// reach is called where a process has come to a point.
func (p *process) reach(point string, partition int32) {
	defer p.world.guard(point)
	if mayStall(point) {
		p.link.hold()
	}
	if p.dead.Load() {
		return
	}
	switch point {
	case statePoint(state.PointApply), statePoint(state.PointFlush), statePoint(state.PointTail):
		p.disk.wait()
	}
	p.world.history.addf(p.who, "%s %d", point, partition)
	if point == loopPoint(processor.PointSealed) {
		p.world.mu.Lock()
		p.world.holder[partition] = p.name
		p.world.mu.Unlock()
	}
	if t := p.world.spring(point, false); t != nil {
		defer p.world.faults.Done()
		t.do(p)
	}
}

// spring counts a point, and gives the trap that waited for this.
func (w *world) spring(point string, wire bool) *trap {
	now := time.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	if !wire {
		w.hits[point]++
		if point == "loop/committed" {
			w.commits++
		}
	}
	if w.healed {
		return nil
	}
	for i, t := range w.armed {
		if t.Point != point || (t.wire != nil) != wire || now.Sub(w.began) < t.After {
			continue
		}
		if t.left--; t.left == 0 {
			w.armed = append(w.armed[:i:i], w.armed[i+1:]...)
			if !wire {
				w.faults.Add(1) // before healed can be set
			}
			return t
		}
	}
	return nil
}

// ended is called when a process has. One that should run, and was not killed, is started again, as a supervisor would.
func (w *world) ended(p *process) {
	w.mu.Lock()
	if w.running[p.name] == p {
		delete(w.running, p.name)
	}
	wanted := w.wanted[p.name]
	if wanted && !p.dead.Load() {
		w.unlucky++
	}
	tooMany := w.unlucky > 20
	w.mu.Unlock()
	switch {
	case p.dead.Load():
	case !wanted && p.err != nil:
		w.violated("%s ends with an error although it was stopped in order: %v", p.who, p.err)
	case wanted && tooMany:
		w.violated("%s ends again and again: %v", p.who, p.err)
	case wanted:
		w.tasks.Go(func() {
			defer w.guard("a new start")
			time.Sleep(time.Second)
			w.revive(p.name)
		})
	}
}

// revive starts an instance again, on the disk that its last process has left, if it should run and does not.
func (w *world) revive(name string) {
	w.mu.Lock()
	p, d := w.running[name], w.disks[name]
	wanted := w.wanted[name] && (p == nil || p.dead.Load())
	w.mu.Unlock()
	if !wanted {
		return
	}
	p, err := w.start(name, d)
	if err != nil {
		w.violated("%v", err)
		return
	}
	w.mu.Lock()
	wanted = w.wanted[name]
	w.mu.Unlock()
	if !wanted { // all were stopped meanwhile
		p.stop()
	}
}

// restored checks what a restore did. Who has a position reads on from there and wipes nothing, whatever has happened
// to the disk; who was killed, and had been the last to work on the partition, reads two transactions at most.
func (w *world) restored(p *process, attrs map[string]string) {
	id, err1 := strconv.Atoi(attrs["partition"])
	transactions, err2 := strconv.Atoi(attrs["transactions"])
	if err1 != nil || err2 != nil {
		w.violated("%s: a restore says %v", p.who, attrs)
		return
	}
	w.mu.Lock()
	if w.crashes > 0 {
		w.restores++
	}
	last := w.holder[int32(id)]
	had := p.had[int32(id)]
	p.had[int32(id)] = false
	w.mu.Unlock()
	if !had {
		return
	}
	if attrs["mode"] != state.Tail.String() {
		w.violated("%s: the state of partition %d was wiped: %s", p.who, id, attrs["why"])
	}
	if p.loss == Kept && last == p.name && transactions > 2 {
		w.violated("%s: %d transactions of partition %d had not reached the disk", p.who, transactions, id)
	}
}

// patience bounds a request of the world's own.
func (w *world) patience() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), time.Minute)
}
