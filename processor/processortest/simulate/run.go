package simulate

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime/debug"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"tocsin/topics"
	"tocsin/topics/provision"
)

// drainTimeout is the virtual time within which everything must have been judged once nothing goes wrong any more:
// several sessions, and the longest pauses between tries.
const drainTimeout = 5 * time.Minute

// Result is what a run came to.
type Result struct {
	Plan       *Plan
	Violations []string       // what was not as it must be; none: the run is good
	Hits       map[string]int // how often each point was reached
	Sent       int            // input records that stay
	Faults     map[Fault]int  // what went wrong, and how often
	Crashes    int
	Crashed    map[string]bool // points at which a process was killed
	Restores   int             // after the first crash
	Alerts     int             // alert records
	Virtual    time.Duration
	History    *History
}

// Run runs a plan and writes into h what happens. It must be called in a bubble of testing/synctest, whose clock stands
// at its beginning. An error means that there was no run; one that cannot go on, or panics, is a violation.
func Run(p *Plan, h *History) (*Result, error) {
	time.Sleep(time.Until(epoch))
	w, err := newWorld(p, h)
	if err != nil {
		return nil, err
	}
	if err := w.open(); err != nil {
		return nil, fmt.Errorf("open the world: %w", err)
	}
	w.try(w.play)
	w.stopAll() // what a run that could not go on has left
	w.client.Close()
	w.cluster.Close()
	return w.result(), nil
}

// try makes violations of errors and panics.
func (w *world) try(do func() error) {
	defer w.guard("the run")
	if err := do(); err != nil {
		w.violated("the run cannot go on: %v", err)
	}
}

// fault does what goes wrong beside all else.
func (w *world) fault(do func()) {
	w.faults.Go(func() {
		defer w.guard("a fault")
		do()
	})
}

// guard, deferred, makes a violation of a panic.
func (w *world) guard(what string) {
	if r := recover(); r != nil {
		w.violated("%s panics: %v\n%s", what, r, debug.Stack())
	}
}

func (w *world) result() *Result {
	w.mu.Lock()
	defer w.mu.Unlock()
	return &Result{
		Plan: w.plan, Violations: slices.Clone(w.violations), Hits: maps.Clone(w.hits), Sent: w.load.sent(),
		Faults: maps.Clone(w.faulted), Crashes: w.crashes, Crashed: maps.Clone(w.crashedAt),
		Restores: w.restores, Alerts: w.alerts, Virtual: time.Since(w.began), History: w.history,
	}
}

// open starts the brokers and makes the topics.
func (w *world) open() (err error) {
	w.cluster, err = kfake.NewCluster(
		kfake.NumBrokers(3), kfake.Ports(9092, 9093, 9094), kfake.ListenFn(w.network.Listen),
		kfake.BrokerConfigs(map[string]string{
			"group.min.session.timeout.ms": "100", "group.initial.rebalance.delay.ms": "0",
		}),
	)
	if err != nil {
		return err
	}
	w.client, err = kgo.NewClient(append(w.kafka(w.clean()),
		kgo.RecordPartitioner(kgo.ManualPartitioner()))...)
	if err != nil {
		return err
	}
	w.adm = kadm.NewClient(w.client)
	specs, err := topics.Specs(topics.SpecConfig{
		App: app, Names: topics.DefaultNames(), InputPartitions: w.plan.Partitions, ReplicationFactor: 1, MinISR: 1,
		InputMaxMessageBytes: 1 << 20, TrustCreateTime: true,
	})
	if err != nil {
		return err
	}
	ctx, cancel := w.patience()
	defer cancel()
	_, err = provision.Create(ctx, w.adm, specs, false)
	return err
}

// play is the run: work while things go wrong, then heal, work off everything, and check.
func (w *world) play() error {
	for i := range w.plan.Instances {
		name := instance(i)
		w.mu.Lock()
		w.wanted[name] = true
		w.mu.Unlock()
		if _, err := w.start(name, newDisk()); err != nil {
			return err
		}
	}
	for _, m := range w.plan.Moves {
		w.fault(func() {
			time.Sleep(m.At)
			w.move(m)
		})
	}
	if err := w.feed(); err != nil {
		return fmt.Errorf("feed: %w", err)
	}
	time.Sleep(w.plan.Length - time.Since(w.began))
	w.heal()
	if err := w.feedRest(); err != nil {
		return fmt.Errorf("feed: %w", err)
	}
	w.drain("judged", w.behind)
	w.drain("stored", w.unstored)
	w.stopAll()
	return w.check()
}

// heal ends all that goes wrong. There must have been a restore after a crash: if there was none, a process that has
// partitions is killed now, or stopped and started again if there have been enough crashes.
func (w *world) heal() {
	w.mu.Lock()
	w.healed = true
	crashes, restores, refusals := w.crashes, w.restores, w.refusals
	w.mu.Unlock()
	for _, h := range refusals {
		h.Remove()
	}
	for deadline := time.Now().Add(drainTimeout); restores == 0 && time.Now().Before(deadline); time.Sleep(time.Second) {
		if victim := w.owner(); victim != nil {
			if crashes < maxCrashes {
				victim.crash(Kept, time.Second, "the end")
			} else {
				w.restart(victim, time.Second)
			}
			break
		}
	}
	w.faults.Wait()
	w.history.addf("world", "nothing goes wrong any more")
	w.noteFault()
}

// owner is a process that has partitions, if there is one.
func (w *world) owner() *process {
	w.mu.Lock()
	running := slices.Collect(maps.Values(w.running))
	w.mu.Unlock()
	for _, p := range running {
		if !p.dead.Load() && len(p.loop.Health().Partitions) > 0 {
			return p
		}
	}
	return nil
}

// drain waits until nothing is left to be done.
func (w *world) drain(what string, left func() string) {
	for deadline := time.Now().Add(drainTimeout); ; {
		behind := left()
		if behind == "" {
			return
		}
		if time.Now().After(deadline) {
			w.violated("not everything was %s within %s: %s", what, drainTimeout, behind)
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// behind says which partition has records that no committed offset covers; empty for none.
func (w *world) behind() string {
	committed := w.committed()
	for _, info := range w.cluster.PartitionInfos(inputTopic) {
		if at := committed[info.Partition]; at < info.LastStableOffset {
			return fmt.Sprintf("partition %d stands at %d of %d", info.Partition, at, info.LastStableOffset)
		}
	}
	return ""
}

func (w *world) committed() map[int32]int64 {
	at := map[int32]int64{}
	g := w.cluster.GroupInfo(app)
	if g == nil {
		return at
	}
	for p, c := range g.Commits[inputTopic] {
		at[p] = c.Offset
	}
	return at
}

// stopAll ends all processes in order, once nothing goes wrong any more.
func (w *world) stopAll() {
	w.mu.Lock()
	w.healed = true
	w.mu.Unlock()
	w.faults.Wait()
	w.mu.Lock()
	clear(w.wanted)
	running := slices.Collect(maps.Values(w.running))
	w.mu.Unlock()
	for _, p := range running {
		p.stop()
		w.kick(p.name) // a member that was joining when it was stopped would stay for ever, see the package comment
	}
	w.tasks.Wait()
}

// ctx is what the checks run under: virtual time is free, but not endless.
func (w *world) ctx() (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(context.Background(), 10*time.Minute, errors.New("a check takes too long"))
}
