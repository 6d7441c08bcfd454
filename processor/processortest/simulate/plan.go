package simulate

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
)

// Plan is all that a seed decides: the shape of the application, the workload, and what goes wrong. Two runs of one
// plan differ only in how Go schedules goroutines that are ready at the same virtual instant.
type Plan struct {
	Seed       uint64
	Partitions int32
	Instances  int // processes at the start: 1 or 2
	Workers    int // of each
	Events     int // input records
	Length     time.Duration

	Broken       int // batches of the input that cannot be decompressed
	Transactions int // of the producer

	CloseRecords int // limits of a transaction
	CloseTimers  int
	RestoreChunk int // bytes

	Crashes []Crash
	Stalls  []Stall
	Wires   []Wire
	Moves   []Move
}

// Trigger says when something happens: at the Nth time that a point is reached after After has passed.
type Trigger struct {
	Point string
	After time.Duration
	Nth   int
}

func (t Trigger) String() string { return fmt.Sprintf("%s #%d after %s", t.Point, t.Nth, t.After) }

// Crash kills the process that reaches the point; another begins on what is left of its disk, when Down has passed.
type Crash struct {
	Trigger
	Loss Loss
	Down time.Duration
}

// Stall holds up the process that reaches the point, or only the goroutine that does. A process that is held up for
// longer than its session comes back as a zombie.
type Stall struct {
	Trigger
	For   time.Duration
	Alone bool // the goroutine only
}

// Wire makes a request go wrong.
type Wire struct {
	Trigger
	What WireFault
	Err  *kerr.Error // for Refused and Failed
}

// WireFault is how a request goes wrong.
type WireFault uint8

// The ways: refused by the broker before anything happened; done and answered with an error; done and the answer lost,
// so that the request times out; the connection severed before the request, or before the answer.
const (
	Refused WireFault = iota
	Failed
	Unanswered
	SeveredBefore
	SeveredAfter
)

func (f WireFault) String() string {
	return [...]string{"refused", "done and answered with an error", "done and not answered", "connection severed before",
		"done and connection severed"}[f]
}

// Move is something that happens at a time.
type Move struct {
	At   time.Duration
	What MoveKind
	Who  int           // instance
	For  time.Duration // how long, where that applies
}

// MoveKind is a kind of Move.
type MoveKind uint8

// The kinds.
const (
	MoveLeaders      MoveKind = iota // every partition gets another leader
	MoveCoordinators                 // of groups and transactions
	MoveKick                         // an administrator removes the instance's members from the group
	MoveFence                        // a stranger takes the transactional id of the instance's first worker
	MoveStop                         // SIGTERM; it is started again after For
	MoveJoin                         // one more instance begins; it stops after For
	MoveSlow                         // the disk takes a while for everything, for For
	MoveClock                        // the machine's clock jumps by For
)

func (k MoveKind) String() string {
	return [...]string{"leaders move", "coordinators move", "members are removed from the group", "a stranger takes its " +
		"transactional id", "is stopped in order", "one more joins", "disk gets slow", "clock jumps"}[k]
}

// Times of the processes: as in production, but shorter, for virtual time is free and requests are not.
const (
	session     = 6 * time.Second
	heartbeat   = 500 * time.Millisecond
	transaction = 3 * time.Second
	endTimeout  = 8 * time.Second
	stallAfter  = 4 * time.Second
	flushEvery  = 5 * time.Second
)

// maxEvents bounds what a plan draws. A run has at most maxSent records, with those it ends with, and maxCrashes: what
// goes wrong with it is to be read by somebody.
const (
	maxEvents  = 240
	maxSent    = 300
	maxCrashes = 3
)

// NewPlan draws a plan. The first crash is at one of the points that every run reaches, so that there is one; the
// others are anywhere.
func NewPlan(seed uint64) *Plan {
	rng := rand.New(rand.NewPCG(seed, 0x70c51))
	p := &Plan{
		Seed: seed, Partitions: 1 + int32(rng.IntN(4)), Instances: 1 + rng.IntN(2), Workers: 1 + rng.IntN(2),
		Events: 80 + rng.IntN(maxEvents-80), Length: time.Duration(20+rng.IntN(25)) * time.Second,
		CloseRecords: 3 + rng.IntN(60), CloseTimers: 1 + rng.IntN(4), RestoreChunk: 1 << (9 + rng.IntN(6)),
	}
	p.produce()
	p.Crashes = append(p.Crashes, p.crash(rng, pick(rng, common)))
	if rng.IntN(8) == 0 {
		p.tour(rng)
		return p
	}
	all := Points()
	for range rng.IntN(3) {
		p.Crashes = append(p.Crashes, p.crash(rng, pick(rng, all)))
	}
	if rng.IntN(2) == 0 {
		p.Stalls = append(p.Stalls, p.stall(rng, all))
	}
	for range rng.IntN(4) {
		p.Wires = append(p.Wires, p.wire(rng))
	}
	for range rng.IntN(4) {
		p.Moves = append(p.Moves, Move{
			At: p.when(rng), What: MoveKind(rng.IntN(int(MoveClock) + 1)), Who: rng.IntN(p.Instances),
			For: time.Duration(100+rng.IntN(9000)) * time.Millisecond,
		})
	}
	return p
}

// produce draws what is special about the input.
func (p *Plan) produce() {
	rng := rand.New(rand.NewPCG(p.Seed, 0xb20c3))
	p.Broken, p.Transactions = rng.IntN(4), rng.IntN(4)
}

// common are points that a process reaches many times in a run.
var common = []string{
	"loop/polled", "loop/begin", "loop/begun", "loop/judged", "loop/changed", "loop/sealed", "loop/flush", "loop/flushed",
	"loop/offsets", "loop/end", "loop/committed", "loop/applied", "loop/published", "state/apply", "state/applied",
	"wire/Produce/sending", "wire/Produce/sent", "wire/Produce/answered", "wire/TxnOffsetCommit/sending",
	"wire/TxnOffsetCommit/sent", "wire/TxnOffsetCommit/answered", "wire/Commit/sending", "wire/Commit/sent",
	"wire/Commit/answered", "wire/Heartbeat/sent",
}

func pick[T any](rng *rand.Rand, from []T) T { return from[rng.IntN(len(from))] }

func (p *Plan) when(rng *rand.Rand) time.Duration {
	return time.Duration(rng.Int64N(int64(p.Length * 3 / 4))).Round(time.Millisecond)
}

func (p *Plan) trigger(rng *rand.Rand, point string) Trigger {
	return Trigger{Point: point, After: p.when(rng), Nth: 1 + rng.IntN(4)}
}

func (p *Plan) crash(rng *rand.Rand, point string) Crash {
	return Crash{
		Trigger: p.trigger(rng, point), Loss: Loss(rng.IntN(3)), Down: time.Duration(rng.IntN(9000)) * time.Millisecond,
	}
}

func (p *Plan) stall(rng *rand.Rand, points []string) Stall {
	point := pick(rng, points)
	for !mayStall(point) {
		point = pick(rng, points)
	}
	s := Stall{
		Trigger: p.trigger(rng, point), For: time.Duration(rng.IntN(5000)) * time.Millisecond, Alone: rng.IntN(3) == 0,
	}
	if rng.IntN(2) == 0 {
		s.For += session
	}
	return s
}

func (p *Plan) wire(rng *rand.Rand) Wire {
	kind := pick(rng, append([]string{database}, wireKinds...))
	w := Wire{Trigger: p.trigger(rng, kind), What: WireFault(rng.IntN(int(SeveredAfter) + 1))}
	w.Err = pick(rng, answers[kind])
	return w
}

// answers are errors that a broker can give to a request without anything being wrong that waiting does not mend.
var answers = map[string][]*kerr.Error{
	database: {nil},
	"Produce": {kerr.NotLeaderForPartition, kerr.RequestTimedOut, kerr.NotEnoughReplicas,
		kerr.NotEnoughReplicasAfterAppend, kerr.InvalidProducerEpoch, kerr.UnknownServerError, kerr.TransactionAbortable,
		kerr.CoordinatorNotAvailable},
	"TxnOffsetCommit": {kerr.IllegalGeneration, kerr.UnknownMemberID, kerr.RequestTimedOut, kerr.CoordinatorNotAvailable,
		kerr.NotCoordinator, kerr.CoordinatorLoadInProgress, kerr.UnknownServerError, kerr.TransactionAbortable,
		kerr.RebalanceInProgress},
	"Commit": {kerr.UnknownServerError, kerr.CoordinatorNotAvailable, kerr.NotCoordinator, kerr.RequestTimedOut,
		kerr.ConcurrentTransactions, kerr.ProducerFenced, kerr.InvalidProducerEpoch, kerr.TransactionAbortable,
		kerr.CoordinatorLoadInProgress, kerr.InvalidTxnState},
	"Abort": {kerr.UnknownServerError, kerr.CoordinatorNotAvailable, kerr.NotCoordinator, kerr.RequestTimedOut,
		kerr.ConcurrentTransactions, kerr.InvalidTxnState},
	"Heartbeat":      {kerr.RebalanceInProgress, kerr.IllegalGeneration, kerr.UnknownMemberID, kerr.NotCoordinator},
	"JoinGroup":      {kerr.CoordinatorNotAvailable, kerr.NotCoordinator, kerr.UnknownMemberID},
	"SyncGroup":      {kerr.RebalanceInProgress, kerr.IllegalGeneration, kerr.UnknownMemberID, kerr.NotCoordinator},
	"OffsetFetch":    {kerr.UnstableOffsetCommit, kerr.CoordinatorLoadInProgress, kerr.NotCoordinator},
	"InitProducerID": {kerr.ConcurrentTransactions, kerr.CoordinatorNotAvailable, kerr.NotCoordinator},
	"ListOffsets":    {kerr.NotLeaderForPartition, kerr.LeaderNotAvailable, kerr.UnknownServerError},
}

// String describes the plan, one line each.
func (p *Plan) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "seed %d: %d records over %s in %d partitions; %d processes of %d workers; a transaction ends after "+
		"%d records or %d timers; a restore sorts %d bytes at a time\n", p.Seed, p.Events, p.Length, p.Partitions,
		p.Instances,
		p.Workers, p.CloseRecords, p.CloseTimers, p.RestoreChunk)
	fmt.Fprintf(&b, "  input: %d broken batches, %d transactions\n", p.Broken, p.Transactions)
	for _, c := range p.Crashes {
		fmt.Fprintf(&b, "  crash: %s, %s, down for %s\n", c.Trigger, c.Loss, c.Down)
	}
	for _, s := range p.Stalls {
		fmt.Fprintf(&b, "  stall: %s, for %s, goroutine alone: %t\n", s.Trigger, s.For, s.Alone)
	}
	for _, f := range p.Wires {
		fmt.Fprintf(&b, "  request: %s %s", f.Trigger, f.What)
		if f.Err != nil && (f.What == Refused || f.What == Failed) {
			fmt.Fprintf(&b, " (%s)", f.Err.Message)
		}
		b.WriteByte('\n')
	}
	for _, m := range p.Moves {
		fmt.Fprintf(&b, "  at %s: instance %d: %s, %s\n", m.At, m.Who, m.What, m.For)
	}
	return b.String()
}
