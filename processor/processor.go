package processor

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"
)

// Processor judges the input topic with a number of workers. Make one with [New], then call Run, once.
type Processor struct {
	config  Config
	metrics *metrics
	keying  keying
	hooks   hooks

	// Set by Run before the first worker starts.
	admin         *kgo.Client
	adm           *kadm.Client
	cluster       cluster
	deadLetterMax int

	restoring chan struct{} // one slot per restore that may run
	busy      atomic.Int32  // goroutines that judge or prepare
	standby   *standby

	countKnown atomic.Bool // a seal agrees with the number of partitions

	mu       sync.Mutex // guards what Health reads
	workers  []*worker
	warnings []string
}

// hooks are for tests: each shows what would happen if the processor did otherwise. Where it only is to be watched,
// killed or held up, there is [Config.Probe].
type hooks struct {
	// pollAhead polls while the transaction ends and goes on with what it got.
	pollAhead bool
}

// New checks the configuration. Nothing is connected to yet.
func New(c Config) (*Processor, error) {
	c = c.withDefaults()
	if err := c.validate(); err != nil {
		return nil, err
	}
	m, err := newMetrics(c.Registerer)
	if err != nil {
		return nil, fmt.Errorf("processor metrics: %w", err)
	}
	p := &Processor{
		config: c, metrics: m, keying: keying{now: c.Now}, restoring: make(chan struct{}, c.Restores),
	}
	p.standby = newStandby(p)
	return p, nil
}

// Run works until ctx ends, which is no error: the transactions that are open are finished first, and the state is
// flushed. It returns an error when the cluster is not as it must be, at the start or later ([ErrTopics]), when
// another process has the same instance name ([ErrFenced]), or when the processor lacks a permission; everything else
// is tried again.
func (p *Processor) Run(ctx context.Context) error {
	if err := p.connect(ctx); err != nil {
		return err
	}
	defer p.admin.Close()
	if err := p.startUp(ctx); err != nil {
		if ctx.Err() != nil {
			return nil // to be interrupted is how it ends
		}
		return err
	}
	n := min(p.config.Workers, int(p.cluster.partitions))
	p.removeSurplus(ctx, n)

	group, working := errgroup.WithContext(ctx)
	for i := range n {
		w := p.newWorker(i)
		p.mu.Lock()
		p.workers = append(p.workers, w)
		p.mu.Unlock()
		group.Go(func() error { return w.run(working) })
	}
	group.Go(func() error { return p.watch(working) })
	if p.config.Standby {
		group.Go(func() error { return p.standby.run(working) })
	}
	p.config.Log.Info("processor runs", "app", p.config.App, "instance", p.config.Instance, "workers", n,
		"partitions", p.cluster.partitions)
	err := group.Wait()
	p.config.at(PointFlushState, noPartition)
	if flushErr := p.config.Store.Flush(); flushErr != nil {
		err = errors.Join(err, fmt.Errorf("flush the state: %w", flushErr))
	}
	return err
}

func (p *Processor) connect(context.Context) error {
	cl, err := kgo.NewClient(p.baseOptions()...)
	if err != nil {
		return fmt.Errorf("make the Kafka client: %w", err)
	}
	p.admin, p.adm = cl, kadm.NewClient(cl)
	return nil
}

func (p *Processor) newSession(cl *kgo.Client, worker int) *session {
	c := &p.config
	ends := make([]int64, p.cluster.partitions)
	return &session{
		cl: cl, group: c.App, txnID: c.memberID(worker), instance: c.memberID(worker),
		input: c.Topics.Input, inputID: p.cluster.inputID, version1: p.cluster.version1,
		produced: produced{changelog: c.Topics.Changelog, ends: ends},
		at:       func(point Point) { c.at(point, noPartition) },
	}
}

// acquireRestore waits for one of the slots for restores.
func (p *Processor) acquireRestore(ctx context.Context) error {
	select {
	case p.restoring <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (p *Processor) releaseRestore() { <-p.restoring }

// borrowCores gives up to want goroutines that may run beside those that judge now, so that they do not take cores
// from each other.
func (p *Processor) borrowCores(want int) int {
	for {
		busy := p.busy.Load()
		n := min(want, runtime.GOMAXPROCS(0)-int(busy))
		if n <= 0 {
			return 0
		}
		if p.busy.CompareAndSwap(busy, busy+int32(n)) {
			return n
		}
	}
}

func (p *Processor) returnCores(n int) { p.busy.Add(-int32(n)) }

// hooked ends a transaction, with what a test wants to happen meanwhile.
func (w *worker) hooked(ctx context.Context, s *session, end func() (outcome, error)) (outcome, error) {
	if w.proc.hooks.pollAhead {
		w.ahead = append(w.ahead, w.poll(ctx, s, 20*time.Millisecond, 100)...)
	}
	return end()
}
