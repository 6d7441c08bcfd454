package soak

import (
	"math/rand/v2"
	"time"
)

// Kind is what a fault does.
type Kind string

// The kinds.
const (
	Kill     Kind = "kill"     // kill -9, then started again
	Pause    Kind = "pause"    // SIGSTOP for longer than the session, then SIGCONT: a zombie
	Stop     Kind = "stop"     // SIGTERM, then started again
	Leave    Kind = "leave"    // SIGTERM, its members leave the groups; comes back later
	Join     Kind = "join"     // the process that is not there at first joins, and leaves later
	Broker   Kind = "broker"   // Kafka is stopped and started
	Database Kind = "database" // PostgreSQL is stopped and started
)

// members is the number of processes; the last one is away at first.
const members = 4

// session is the processes' session timeout.
const session = 6 * time.Second

// Fault is a step of a plan.
type Fault struct {
	Kind    Kind
	Wait    time.Duration // since the fault before
	Down    time.Duration // how long what is hit stays away
	Victims []int         // processes, the preferred first: those that are not up are passed over
	Hits    int           // how many of them
	Aim     bool          // kill while a transaction is open
	Breathe bool          // first wait until something has been committed since the fault before
}

// NewPlan makes a plan with that many kills, and of everything else one for every ten or twenty of them.
func NewPlan(seed uint64, kills int) []Fault {
	r := rand.New(rand.NewPCG(seed, 1)) // to be repeated is what the seed is for
	var plan []Fault
	add := func(kind Kind, n int, down func() time.Duration) {
		for range max(n, 1) {
			plan = append(plan, Fault{Kind: kind, Hits: 1, Down: down()})
		}
	}
	between := func(from, to time.Duration) func() time.Duration {
		return func() time.Duration { return from + time.Duration(r.Int64N(int64(to-from))) }
	}
	soon, expired := between(0, 1500*time.Millisecond), between(session+time.Second, session+3*time.Second)
	for left := kills; left > 0; {
		f := Fault{Kind: Kill, Hits: 1, Down: soon(), Aim: r.IntN(2) == 0}
		switch n := r.IntN(10); {
		case n == 0:
			f.Hits = 3
		case n < 3:
			f.Hits = 2
		}
		if r.IntN(10) < 3 {
			f.Down = expired()
		}
		f.Hits = min(f.Hits, left)
		left -= f.Hits
		plan = append(plan, f)
	}
	add(Pause, kills/10, expired)
	add(Stop, kills/10, soon)
	add(Leave, kills/15, between(2*time.Second, 6*time.Second))
	add(Join, kills/20, between(8*time.Second, 16*time.Second))
	add(Broker, kills/20, between(0, 2*time.Second))
	add(Database, kills/20, between(0, 3*time.Second))
	r.Shuffle(len(plan), func(i, j int) { plan[i], plan[j] = plan[j], plan[i] })
	for i := range plan {
		plan[i].Wait = between(300*time.Millisecond, 2*time.Second)()
		plan[i].Victims = r.Perm(members)
		plan[i].Breathe = r.IntN(4) > 0
	}
	return plan
}
