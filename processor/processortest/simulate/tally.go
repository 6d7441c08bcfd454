package simulate

import (
	"fmt"

	"tocsin/processor"
)

// Fault is something that goes wrong in a run: with a kind of request, a process, a move of the cluster, or a crash.
type Fault struct {
	On   string
	What string
}

func (f Fault) String() string { return fmt.Sprintf("%s: %s", f.On, f.What) }

// What happens to processes without an end to them.
var (
	paused = Fault{"process", "held up"}
	// zombie is a process that was held up for longer than its session while it had partitions, and came back.
	zombie = Fault{"process", "held up beyond its session, and back as a zombie"}
	heldUp = Fault{"process", "one goroutine held up"}
)

// Faults lists what can go wrong, in the order of a report: requests, processes, moves, crashes. Each kind of request
// can go wrong in each way.
func Faults() (all []Fault) {
	for _, kind := range append(append([]string(nil), wireKinds...), database) {
		for way := Refused; way <= SeveredAfter; way++ {
			all = append(all, Fault{kind, way.String()})
		}
	}
	all = append(all, heldUp, paused, zombie)
	for what := MoveLeaders; what <= MoveClock; what++ {
		all = append(all, Fault{"move", what.String()})
	}
	for loss := Kept; loss <= Torn; loss++ {
		all = append(all, Fault{"crash", loss.String()})
	}
	return all
}

// unknownEnd is the point at which a process does not know what became of its commit.
var unknownEnd = loopPoint(processor.PointUnknown)

// tally counts something that went wrong.
func (w *world) tally(f Fault) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.faulted[f]++
}
