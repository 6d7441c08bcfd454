package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"tocsin/bench/generate"
	"tocsin/bench/produce"
	"tocsin/bench/run"
	"tocsin/topics"
)

// measure starts a processor, sends it events at the rate and follows their alerts. The result is complete when all
// events were sent, also where an error says that alerts are missing.
func (o *options) measure(ctx context.Context, cluster *run.Cluster) (r result, err error) {
	dir, err := os.MkdirTemp("", "tocsin-latency-")
	if err != nil {
		return r, err
	}
	defer func() { _ = os.RemoveAll(dir) }() // a temporary folder
	name := fmt.Sprintf("latency-%d", time.Now().UnixMilli())
	p := &run.Processor{Brokers: cluster.Brokers, App: name, Input: name + "-events", Dir: dir,
		Key: string(generate.Default(1).Secret), Workers: o.workers, CloseAfter: o.closeAfter, Set: o.set}
	if err := produce.CreateTopic(ctx, run.Reach(p.Brokers), p.Input, int32(o.partitions)); err != nil {
		return r, err
	}
	defer func() { _ = produce.DeleteTopic(context.WithoutCancel(ctx), run.Reach(p.Brokers), p.Input) }()
	cl, err := kgo.NewClient(run.Reach(p.Brokers)...)
	if err != nil {
		return r, err
	}
	defer cl.Close()
	adm := kadm.NewClient(cl)
	if err := p.MakeTopics(ctx, adm, run.Roles...); err != nil {
		return r, fmt.Errorf("make topics: %w", err)
	}
	text, err := json.Marshal(p)
	if err != nil {
		return r, err
	}
	cmd, err := p.Command(ctx, o.bin, childEnv+"="+string(text))
	if err != nil {
		return r, err
	}
	run.Calm(ctx, o.calm)
	proc, err := run.Start(cmd)
	if err != nil {
		return r, fmt.Errorf("start the processor: %w", err)
	}
	m := &meter{adm: adm, app: p.App, input: p.Input, pid: proc.PID, broker: cluster.PID}
	r, err = o.observe(ctx, p, m, proc)
	if errors.Is(err, run.ErrEnded) {
		return r, err
	}
	if stopErr := proc.Stop(); stopErr != nil {
		err = errors.Join(err, fmt.Errorf("the processor: %w", stopErr))
	}
	return r, err
}

// observe sends the events to a processor that was started, and follows their alerts.
func (o *options) observe(ctx context.Context, p *run.Processor, m *meter, proc *run.Process) (result, error) {
	shift := day(time.Now(), o.warm+o.duration+time.Minute)
	if err := o.ready(ctx, m, proc, p, time.Now().Add(shift)); err != nil {
		return result{}, err
	}
	s := schedule{start: time.Now().Add(200 * time.Millisecond).Truncate(time.Millisecond), rate: o.rate}
	g, err := o.stream(s, shift)
	if err != nil {
		return result{}, err
	}
	first := s.first(o.warm)
	wanted := newProbes(s, g, first)
	pacer := &pacer{schedule: s, from: first, late: newHistogram()}
	r := result{options: o, events: g.Records() - first, pacer: pacer, probes: wanted, ownBroker: m.broker != 0}

	group, ctx := errgroup.WithContext(ctx)
	following, enough := context.WithCancel(ctx)
	defer enough()
	group.Go(func() error { return watch(following, p.Brokers, p.Alerts(), wanted.found) })
	group.Go(func() error {
		select {
		case err := <-proc.Ended:
			return errors.Join(run.ErrEnded, err)
		case <-following.Done():
			return nil
		}
	})
	group.Go(func() (err error) {
		r.usage, err = m.follow(ctx, s.due(first), s.due(g.Records()))
		return err
	})
	group.Go(func() error {
		defer enough()
		next := make([]int64, o.partitions)
		for i := range next {
			next[i] = 1 // after the tick
		}
		if _, err := produce.Stream(ctx, g, produce.Config{Kafka: run.Reach(p.Brokers), Topic: p.Input, To: g.Records(),
			Partitions: int32(o.partitions), Next: next, Before: pacer.before}); err != nil {
			return err
		}
		r.complete = true
		return wanted.wait(ctx, time.Now(), o.stall)
	})
	if err := group.Wait(); err != nil {
		r.complete = false
		return r, err
	}
	r.peak = run.PeakRSS(proc.PID)
	return r, wanted.check()
}

// stream is the events of a schedule, their times moved by shift.
func (o *options) stream(s schedule, shift time.Duration) (*generate.Generator, error) {
	cfg := generate.Default(s.first(o.warm + o.duration))
	cfg.Seed, cfg.Principals, cfg.Attacks, cfg.Downgrades = o.seed, int64(o.principals), 0, 0
	cfg.Start, cfg.Duration = s.start.Add(shift), s.after(cfg.Records)
	cfg.ProbeEvery = o.rate / o.probes
	return generate.New(cfg)
}

// ready sends a tick to each partition and waits until the processor has committed them all: then every partition is
// assigned and works.
func (o *options) ready(ctx context.Context, m *meter, proc *run.Process, p *run.Processor, at time.Time) error {
	cl, err := kgo.NewClient(append(run.Reach(p.Brokers), kgo.RecordPartitioner(kgo.ManualPartitioner()))...)
	if err != nil {
		return err
	}
	defer cl.Close()
	var ticks []*kgo.Record
	for i := range o.partitions {
		ticks = append(ticks, &kgo.Record{Topic: p.Input, Partition: int32(i), Timestamp: at,
			Headers: []kgo.RecordHeader{{Key: topics.HeaderTick}}})
	}
	if err := cl.ProduceSync(ctx, ticks...).FirstErr(); err != nil {
		return fmt.Errorf("send ticks: %w", err)
	}
	const atMost = time.Minute
	poll := time.NewTicker(50 * time.Millisecond)
	defer poll.Stop()
	for begin := time.Now(); ; {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-proc.Ended:
			return errors.Join(run.ErrEnded, err)
		case <-poll.C:
		}
		if n, err := m.judged(ctx); err == nil && n == int64(o.partitions) { // the group may not exist yet
			return nil
		} else if time.Since(begin) > atMost {
			return errors.Join(fmt.Errorf("the processor has begun with %d of %d partitions after %s", n, o.partitions, atMost),
				err)
		}
	}
}
