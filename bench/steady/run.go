package steady

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"tocsin/bench/generate"
	"tocsin/bench/produce"
	"tocsin/bench/run"
	"tocsin/topics"
)

// Measure starts a processor, sends it events at the rate and follows their alerts. The result is complete when all
// events were sent, also where an error says that alerts are missing or came twice; it is not when it was given up
// because the events that wait became too many ([Config.Behind]).
func Measure(ctx context.Context, cluster *run.Cluster, c Config) (r Result, err error) {
	if err := c.Check(); err != nil {
		return r, err
	}
	dir, err := os.MkdirTemp("", "tocsin-steady-")
	if err != nil {
		return r, err
	}
	defer func() { _ = os.RemoveAll(dir) }() // a temporary folder
	name := fmt.Sprintf("steady-%d", time.Now().UnixMilli())
	p := &run.Processor{Brokers: cluster.Brokers, App: name, Input: name + "-events", Dir: dir,
		Key: string(generate.Default(1).Secret), Workers: c.Workers, CloseAfter: c.CloseAfter, File: c.File, Set: c.Set}
	if err := produce.CreateTopicKeeping(ctx, run.Reach(p.Brokers), p.Input, int32(c.Partitions), c.Keep); err != nil {
		return r, err
	}
	defer func() { _ = produce.DeleteTopic(context.WithoutCancel(ctx), run.Reach(p.Brokers), p.Input) }()
	cl, err := kgo.NewClient(run.Reach(p.Brokers)...)
	if err != nil {
		return r, err
	}
	defer cl.Close()
	adm := kadm.NewClient(cl)
	cmd, err := c.prepare(ctx, adm, p)
	if err != nil {
		return r, err
	}
	run.Calm(ctx, c.Calm)
	proc, err := run.Start(cmd)
	if err != nil {
		return r, fmt.Errorf("start the processor: %w", err)
	}
	m := &meter{adm: adm, app: p.App, input: p.Input, pid: proc.PID, broker: cluster.PID}
	r, err = c.observe(ctx, cluster, p, m, proc)
	if errors.Is(err, run.ErrEnded) {
		return r, err
	}
	if stopErr := proc.Stop(); stopErr != nil {
		err = errors.Join(err, fmt.Errorf("the processor: %w", stopErr))
	}
	return r, err
}

// prepare makes the topics and gives the process to be measured.
func (c *Config) prepare(ctx context.Context, adm *kadm.Client, p *run.Processor) (*exec.Cmd, error) {
	roles := run.Roles
	if c.Streams { // it makes its changelog itself
		roles = []topics.Role{topics.RoleAlerts, topics.RoleDeadLetter}
	}
	if err := p.MakeTopics(ctx, adm, roles...); err != nil {
		return nil, fmt.Errorf("make topics: %w", err)
	}
	if c.Streams {
		return p.StreamsCommand(ctx, c.PeerSet)
	}
	text, err := json.Marshal(p)
	if err != nil {
		return nil, err
	}
	return p.Command(ctx, c.Bin, childEnv+"="+string(text))
}

// observe sends the events to a processor that was started, and follows their alerts.
func (c *Config) observe(ctx context.Context, cluster *run.Cluster, p *run.Processor, m *meter, proc *run.Process) (
	Result, error) {
	shift := day(time.Now(), c.Warm+c.Duration+time.Minute)
	if err := c.ready(ctx, m, proc, p, time.Now().Add(shift)); err != nil {
		return Result{}, err
	}
	s := schedule{start: time.Now().Add(200 * time.Millisecond).Truncate(time.Millisecond), rate: c.Rate}
	g, err := c.stream(s, shift)
	if err != nil {
		return Result{}, err
	}
	first := s.first(c.Warm)
	wanted := newProbes(s, g, first)
	pacer := &pacer{schedule: s, from: first, late: newHistogram()}
	r := Result{Config: c, events: g.Records() - first, pacer: pacer, probes: wanted, ownBroker: cluster.PID != 0,
		inProcess: cluster.InProcess}

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
	if c.Sampled != nil {
		group.Go(func() error { return c.sample(following, proc.PID, s.start) })
	}
	group.Go(func() (err error) {
		r.usage, err = m.follow(ctx, s.due(first), s.due(g.Records()), int64(c.Behind.Seconds()*float64(c.Rate)))
		return err
	})
	group.Go(func() error {
		defer enough()
		next := make([]int64, c.Partitions)
		for i := range next {
			next[i] = 1 // after the tick
		}
		if _, err := produce.Stream(ctx, g, produce.Config{Kafka: run.Reach(p.Brokers), Topic: p.Input, To: g.Records(),
			Partitions: int32(c.Partitions), Next: next, Before: pacer.before}); err != nil {
			return err
		}
		r.Complete = true
		return wanted.wait(ctx, time.Now(), c.Stall)
	})
	err = group.Wait()
	r.peak = run.PeakRSS(proc.PID)
	if errors.Is(err, errBehind) {
		r.Complete, r.GivenUp = false, true
		return r, nil
	}
	if err != nil {
		r.Complete = false
		return r, err
	}
	return r, wanted.check()
}

// sample tells the resident size at once, each Every, and when ctx ends.
func (c *Config) sample(ctx context.Context, pid int, start time.Time) error {
	tick := time.NewTicker(c.Every)
	defer tick.Stop()
	for {
		c.Sampled(time.Since(start), run.RSS(pid))
		select {
		case <-ctx.Done():
			c.Sampled(time.Since(start), run.RSS(pid))
			return nil
		case <-tick.C:
		}
	}
}

// stream is the events of a schedule, their times moved by shift.
func (c *Config) stream(s schedule, shift time.Duration) (*generate.Generator, error) {
	cfg := generate.Default(s.first(c.Warm + c.Duration))
	cfg.Seed, cfg.Principals, cfg.Attacks, cfg.Downgrades = c.Seed, int64(c.Principals), 0, 0
	cfg.Start, cfg.Duration = s.start.Add(shift), s.after(cfg.Records)
	cfg.ProbeEvery = c.Rate / c.Probes
	return generate.New(cfg)
}

// ready sends a tick to each partition and waits until the processor has committed them all: then every partition is
// assigned and works.
func (c *Config) ready(ctx context.Context, m *meter, proc *run.Process, p *run.Processor, at time.Time) error {
	cl, err := kgo.NewClient(append(run.Reach(p.Brokers), kgo.RecordPartitioner(kgo.ManualPartitioner()))...)
	if err != nil {
		return err
	}
	defer cl.Close()
	var ticks []*kgo.Record
	for i := range c.Partitions {
		ticks = append(ticks, &kgo.Record{Topic: p.Input, Partition: int32(i), Timestamp: at,
			Headers: []kgo.RecordHeader{{Key: topics.HeaderTick}}})
	}
	if err := cl.ProduceSync(ctx, ticks...).FirstErr(); err != nil {
		return fmt.Errorf("send ticks: %w", err)
	}
	atMost := max(time.Minute, c.Stall)
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
		if n, err := m.judged(ctx); err == nil && n == int64(c.Partitions) { // the group may not exist yet
			return nil
		} else if time.Since(begin) > atMost {
			return errors.Join(fmt.Errorf("the processor has begun with %d of %d partitions after %s", n, c.Partitions, atMost),
				err)
		}
	}
}
