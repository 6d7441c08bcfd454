package simulate

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"tocsin/processor"
	"tocsin/processor/sink"
	"tocsin/state"
	"tocsin/state/window"
)

// The topics of the application.
const (
	app             = "sim"
	inputTopic      = "audit.events"
	alertsTopic     = "audit.alerts"
	deadLetterTopic = "audit.deadletter"
	changelogTopic  = "sim-window-changelog"
	sealsTopic      = "sim-seals"
)

// process is one process of the application from its start to its end: a store on a disk, a processor, a sink, a way to
// the brokers.
type process struct {
	world *world
	name  string // of the instance
	who   string // name and number of the start, for the history
	disk  *disk
	link  *link
	store *state.Store
	loop  *processor.Processor
	sink  *sink.Sink
	skew  atomic.Int64 // nanoseconds by which its clock is ahead

	loss Loss           // what its disk had been through
	had  map[int32]bool // partitions with a position on its disk when it began; false: restored since

	dead   atomic.Bool // it crashed: what it does from then on is not there
	cancel context.CancelFunc
	done   chan struct{}
	err    error // once done is closed
}

// start runs an instance on a disk.
func (w *world) start(name string, d *disk) (*process, error) {
	w.mu.Lock()
	w.starts[name]++
	who := fmt.Sprintf("%s.%d", name, w.starts[name])
	w.mu.Unlock()
	p := &process{world: w, name: name, who: who, disk: d, done: make(chan struct{}), loss: d.loss, had: map[int32]bool{}}
	p.link = &link{network: &w.network, watch: wiring{p}, conns: map[*conn]struct{}{}}
	log := slog.New(logBook{p})
	var err error
	p.store, err = state.Open(state.Config{
		FS: d, Dir: "state", HeadIndex: window.HeadIndex, Now: p.now, Log: log, CacheBytes: 1 << 20, MemTableBytes: 256 << 10,
		FlushEvery: flushEvery, Probe: func(at state.Point) { p.reach(statePoint(at), -1) },
	})
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", who, err)
	}
	infos, err := p.store.Partitions()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start %s: %w", who, err), p.store.Close())
	}
	for _, i := range infos {
		p.had[i.Partition.ID] = i.Complete
	}
	p.loop, err = processor.New(processor.Config{
		App: app, Instance: name, Kafka: w.kafka(p.link), Engine: w.load.engine, Store: p.store, Log: log, Now: p.now,
		Topics: processor.Topics{
			Input: inputTopic, Alerts: alertsTopic, DeadLetter: deadLetterTopic, Changelog: changelogTopic, Seals: sealsTopic,
		},
		Workers: w.plan.Workers, CloseAfter: 50 * time.Millisecond, CloseRecords: w.plan.CloseRecords,
		CloseTimers: w.plan.CloseTimers, RestoreChunkBytes: w.plan.RestoreChunk, TrustCreateTime: true,
		Session: session, Heartbeat: heartbeat, Transaction: transaction, EndTimeout: endTimeout, StallAfter: stallAfter,
		Probe: func(at processor.Point, partition int32) { p.reach(loopPoint(at), partition) },
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start %s: %w", who, err), p.store.Close())
	}
	if p.sink, err = w.newSink(p, log); err != nil {
		return nil, errors.Join(fmt.Errorf("start %s: %w", who, err), p.store.Close())
	}
	ctx, cancel := context.WithCancel(context.Background())
	p.cancel = cancel
	w.mu.Lock()
	w.running[name], w.disks[name] = p, d
	w.mu.Unlock()
	w.history.addf(who, "starts")
	w.tasks.Go(func() { p.run(ctx) })
	return p, nil
}

func (w *world) kafka(l *link) []kgo.Opt {
	return []kgo.Opt{kgo.SeedBrokers(w.cluster.ListenAddrs()...), kgo.Dialer(l.dial), kgo.DisableClientMetrics()}
}

func (p *process) now() time.Time { return time.Now().Add(time.Duration(p.skew.Load())) }

// run is the process's life, up to the closing of its store: on a disk that nobody looks at any more, if it crashed.
func (p *process) run(ctx context.Context) {
	defer close(p.done)
	defer p.cancel()
	defer p.world.guard(p.who)
	group, working := errgroup.WithContext(ctx)
	group.Go(func() error {
		defer p.cancel()
		return p.loop.Run(working)
	})
	group.Go(func() error { return p.sink.Run(working) })
	group.Go(func() error { return p.store.Run(ctx) })
	err := group.Wait()
	if closed := p.store.Close(); closed != nil {
		p.world.violated("%s: its store does not close cleanly: %v", p.who, closed)
	}
	if !p.dead.Load() {
		p.err = err
	}
	p.world.history.addf(p.who, "has ended: %v", err)
	p.world.ended(p)
}

// crash kills the process: from one moment to the next nothing can be heard of it. It may be called in the middle of
// anything, and does not wait.
func (p *process) crash(loss Loss, down time.Duration, why string) {
	if p.dead.Swap(true) {
		return
	}
	w := p.world
	p.link.cut()
	p.link.resume()
	image, err := p.disk.crash(loss, w.chance("disk "+p.who))
	w.history.addf(p.who, "CRASH at %s; %s; down for %s", why, loss, down)
	w.noteFault()
	w.mu.Lock()
	w.crashes++
	w.crashedAt[why] = true
	w.faulted[Fault{"crash", loss.String()}]++
	w.disks[p.name] = image
	w.mu.Unlock()
	if err != nil {
		w.violated("%s: no image of its disk: %v", p.who, err)
		return
	}
	p.cancel()
	w.fault(func() {
		time.Sleep(down)
		w.revive(p.name)
	})
}

// stop ends the process in order and gives its disk to the next.
func (p *process) stop() {
	p.world.history.addf(p.who, "SIGTERM")
	p.cancel()
	<-p.done
}

// pause holds up the whole process. If its session ends meanwhile, it comes back as a zombie.
func (p *process) pause(d time.Duration) {
	owned := len(p.loop.Health().Partitions) > 0
	p.world.history.addf(p.who, "PAUSED for %s", d)
	p.link.pause()
	time.Sleep(d)
	p.link.resume()
	p.world.history.addf(p.who, "goes on")
	p.world.tally(paused)
	if owned && d > session && !p.dead.Load() {
		p.world.tally(zombie)
	}
	p.world.noteFault()
}

// logBook writes the process's log into the history, and looks for what must not be there.
type logBook struct{ p *process }

func (logBook) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelInfo }
func (l logBook) WithAttrs([]slog.Attr) slog.Handler             { return l }
func (l logBook) WithGroup(string) slog.Handler                  { return l }

func (l logBook) Handle(_ context.Context, r slog.Record) error {
	text := r.Level.String() + " " + r.Message
	attrs := map[string]string{}
	r.Attrs(func(a slog.Attr) bool {
		attrs[a.Key] = a.Value.String()
		text += " " + a.Key + "=" + attrs[a.Key]
		return true
	})
	l.p.world.history.addf(l.p.who, "log: %s", text)
	if l.p.dead.Load() {
		return nil
	}
	switch r.Message {
	case "partition stopped":
		l.p.world.violated("%s: %s", l.p.who, text)
	case "restored":
		l.p.world.restored(l.p, attrs)
	}
	return nil
}
