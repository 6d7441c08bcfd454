package simulate

import (
	"math/rand/v2"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
)

// NewTour draws a plan that leads to every point, with one crash at the given one: a cell of the crash-point matrix.
func NewTour(seed uint64, point string, loss Loss) *Plan {
	rng := rand.New(rand.NewPCG(seed, 0x7012))
	p := &Plan{
		Seed: seed, Partitions: 4 + int32(rng.IntN(2)), Instances: 1, Workers: 1 + rng.IntN(2), Events: 60 + rng.IntN(60),
		CloseRecords: 5 + rng.IntN(20), CloseTimers: 1 + rng.IntN(2), RestoreChunk: 512,
	}
	p.produce()
	p.tour(rng)
	p.Crashes = []Crash{{
		Trigger: Trigger{Point: point, Nth: 1 + rng.IntN(2)}, Loss: loss,
		Down: time.Duration(rng.IntN(7000)) * time.Millisecond,
	}}
	if rare[point] {
		p.Crashes[0].Nth = 1
	}
	return p
}

// scenario is a cell of the matrix that a point alone does not describe.
type scenario struct {
	plan func(seed uint64, loss Loss) *Plan
	// met says whether a run that crashed at the point was what the scenario's name says.
	met func(history string) bool
}

var scenarios = map[string]scenario{
	"commit answered, partition re-assigned inside the process, not applied yet": {reassigned, wasReassigned},
	"commit effective, answered UNKNOWN_SERVER_ERROR":                            {effective, wasEffective},
}

// reassigned holds a worker up between the answer to its commit and the batch in the store. Its member is removed from
// the group meanwhile, and the other worker of the process gets its partition, and waits for the lease. The process is
// killed when the first worker goes on and applies.
func reassigned(seed uint64, loss Loss) *Plan {
	p := &Plan{
		Seed: seed, Partitions: 2, Instances: 1, Workers: 2, Events: 80, Length: 25 * time.Second, CloseRecords: 10,
		CloseTimers: 5, RestoreChunk: 4096,
	}
	p.Stalls = []Stall{{
		Trigger: Trigger{Point: "loop/committed", After: 5 * time.Second, Nth: 1}, For: 9 * time.Second, Alone: true,
	}}
	for i := range 8 { // one of them comes while the worker is held up, whenever that is
		p.Moves = append(p.Moves, Move{At: time.Duration(5+2*i)*time.Second + 500*time.Millisecond, What: MoveKick})
	}
	p.Crashes = []Crash{{
		Trigger: Trigger{Point: "state/apply", After: 13 * time.Second, Nth: 1}, Loss: loss, Down: 2 * time.Second,
	}}
	return p
}

// wasReassigned: a partition was assigned to the other worker, and waited for its lease, while the first had not
// applied its commit.
func wasReassigned(history string) bool {
	_, after, held := strings.Cut(history, "HELD UP at loop/committed")
	meanwhile, _, crashed := strings.Cut(after, "CRASH at state/apply")
	if !held || !crashed {
		return false
	}
	for _, p := range []string{"0", "1"} {
		if strings.Contains(meanwhile, "loop/restoring "+p+"\n") && !strings.Contains(meanwhile, "loop/leased "+p+"\n") {
			return true
		}
	}
	return false
}

// effective lets a commit take effect and be answered with the error that kgo's own session takes for an abort, and
// kills the process where it knows no more than that.
func effective(seed uint64, loss Loss) *Plan {
	rng := rand.New(rand.NewPCG(seed, 0xeffec))
	p := &Plan{
		Seed: seed, Partitions: 2, Instances: 1, Workers: 1, Events: 80, Length: 25 * time.Second, CloseRecords: 10,
		CloseTimers: 1 + rng.IntN(5), RestoreChunk: 4096,
	}
	p.Wires = []Wire{{
		Trigger: Trigger{Point: "Commit", After: 5 * time.Second, Nth: 1 + rng.IntN(4)}, What: Failed,
		Err: kerr.UnknownServerError,
	}}
	p.Crashes = []Crash{{Trigger: Trigger{Point: "loop/unknown", Nth: 1}, Loss: loss, Down: 2 * time.Second}}
	return p
}

// wasEffective: nothing went wrong but the answer to the commit, before the process was killed.
func wasEffective(history string) bool {
	before, _, crashed := strings.Cut(history, "CRASH at loop/unknown")
	return crashed && strings.Count(before, "FAULT: ") == 1 && strings.Contains(before, "FAULT: Commit: "+Failed.String())
}

// rare points are reached once in a tour.
var rare = map[string]bool{
	"loop/handed-back": true, "loop/unknown": true, "loop/flush-state": true, "loop/restore-retried": true,
	"loop/lost": true, "loop/closing": true, "loop/revoked": true, "loop/abort": true, "loop/abort-ended": true,
	"loop/aborted":     true,
	"loop/rolled-back": true, "wire/Abort/sending": true, "wire/Abort/sent": true, "wire/Abort/answered": true,
}

// tour adds what leads to the points that are rarely reached: an abort, an unknown outcome, a restore that has to be
// tried again, one whose partition is taken away meanwhile, a process that is stopped, and one more that joins with an
// empty disk.
func (p *Plan) tour(rng *rand.Rand) {
	p.Length = 40 * time.Second
	at := func(seconds int) time.Duration {
		return time.Duration(seconds)*time.Second + time.Duration(rng.IntN(1000))*time.Millisecond
	}
	on := func(point string, after time.Duration) Trigger { return Trigger{Point: point, After: after, Nth: 1} }
	p.Wires = append(p.Wires,
		Wire{Trigger: on("TxnOffsetCommit", at(2)), What: Refused, Err: kerr.IllegalGeneration},
		Wire{Trigger: on("Commit", at(4)), What: Failed, Err: kerr.UnknownServerError},
	)
	for range 16 { // each asks for some partitions of some topic: one of them is what a restore needs
		p.Wires = append(p.Wires, Wire{Trigger: on("ListOffsets", at(8)), What: Refused, Err: kerr.UnknownServerError})
	}
	p.Moves = append(p.Moves,
		Move{At: at(8), What: MoveStop, For: 200 * time.Millisecond},
		// The second kick takes the partitions away that the first has brought back and that are held up before they run.
		Move{At: at(24), What: MoveKick},
		Move{At: at(26), What: MoveKick},
		Move{At: at(33), What: MoveJoin, For: 6 * time.Second},
	)
	p.Stalls = append(p.Stalls, Stall{Trigger: on("loop/built", 24*time.Second), For: 6 * time.Second, Alone: true})
}
