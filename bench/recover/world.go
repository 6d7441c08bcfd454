package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"tocsin/bench/run"
	"tocsin/processor/processortest/program"
)

// world is everything of one run.
type world struct {
	*options

	cluster *run.Cluster
	client  *kgo.Client
	adm     *kadm.Client
	web     *http.Client // of the admin servers
	dir     string
	program string // path of the built program
	name    string // begins the names of topics and applications
	nodes   []*node
}

func newWorld(ctx context.Context, o *options, cluster *run.Cluster) (w *world, err error) {
	w = &world{options: o, cluster: cluster, web: &http.Client{Transport: new(http.Transport)},
		name: fmt.Sprintf("%s-%d", o.scenario.name, time.Now().UnixMilli())}
	if w.dir, err = os.MkdirTemp("", "tocsin-recover-"); err != nil {
		return nil, err
	}
	if w.client, err = kgo.NewClient(run.Reach(cluster.Brokers)...); err != nil {
		return nil, errors.Join(err, os.RemoveAll(w.dir))
	}
	w.adm = kadm.NewClient(w.client)
	if w.program = o.bin; o.bin == "" {
		if w.program, err = program.Build(ctx, w.dir); err != nil {
			return nil, errors.Join(err, w.close())
		}
	}
	return w, nil
}

// close ends what still runs and removes everything but the topics.
func (w *world) close() error {
	for _, n := range w.nodes {
		n.kill()
	}
	w.client.Close()
	w.web.CloseIdleConnections()
	return os.RemoveAll(w.dir)
}

// reach is how the cluster is reached.
func (w *world) reach() []kgo.Opt { return run.Reach(w.cluster.Brokers) }

// folder is a path for a process's state.
func (w *world) folder(name string) string { return filepath.Join(w.dir, name) }

// say tells how it goes.
func (w *world) say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "%7.2f "+format+"\n", append([]any{time.Since(w.began).Seconds()}, args...)...)
}

// ends are the offsets after the last records of a topic, by partition.
func (w *world) ends(ctx context.Context, topic string) ([]int64, error) {
	listed, err := w.adm.ListEndOffsets(ctx, topic)
	if err == nil {
		err = listed.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("end offsets of %s: %w", topic, err)
	}
	ends := make([]int64, len(listed[topic]))
	listed.Each(func(o kadm.ListedOffset) { ends[o.Partition] = o.Offset })
	return ends, nil
}

// committed are the offsets that a group has committed, by partition; 0 where it has none.
func (w *world) committed(ctx context.Context, group, topic string) ([]int64, error) {
	offsets, err := w.adm.FetchOffsets(ctx, group)
	if err == nil {
		err = offsets.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("committed offsets of %s: %w", group, err)
	}
	committed := make([]int64, w.partitions)
	offsets.Each(func(o kadm.OffsetResponse) {
		if o.Topic == topic && int(o.Partition) < len(committed) {
			committed[o.Partition] = max(o.At, 0)
		}
	})
	return committed, nil
}

// until asks every so often whether something is so. It fails when a process ends meanwhile, or when it takes too long;
// what cannot be learned yet is asked again.
func (w *world) until(ctx context.Context, what string, every time.Duration, is func() (bool, error)) error {
	poll := time.NewTicker(every)
	defer poll.Stop()
	for begin := time.Now(); ; {
		so, err := is()
		if so && err == nil {
			return nil
		}
		for _, n := range w.nodes {
			if err := n.ended(); err != nil {
				return fmt.Errorf("while waiting until %s: %w", what, err)
			}
		}
		if time.Since(begin) > w.patience {
			return errors.Join(fmt.Errorf("waited %s until %s", w.patience, what), err)
		}
		select {
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("until %s: %w", what, ctx.Err()), err)
		case <-poll.C:
		}
	}
}

// drained waits until a node has committed all that is in its input.
func (w *world) drained(ctx context.Context, n *node) error {
	ends, err := w.ends(ctx, n.Input)
	if err != nil {
		return err
	}
	return w.until(ctx, "all events are judged", 50*time.Millisecond, func() (bool, error) {
		committed, err := w.committed(ctx, n.App, n.Input)
		if err != nil {
			return false, err
		}
		return total(committed) >= total(ends), nil
	})
}

func total(offsets []int64) (sum int64) {
	for _, o := range offsets {
		sum += o
	}
	return sum
}

// often is the time between two looks at what is timed.
const often = 10 * time.Millisecond

// progress is when partitions were seen to be processed: the first of them, and the last.
type progress struct{ first, all time.Time }

// beyond waits until a node has committed an event after from in each of the partitions.
func (w *world) beyond(ctx context.Context, n *node, from []int64, partitions []int32) (p progress, err error) {
	err = w.until(ctx, "all partitions are processed", often, func() (bool, error) {
		return w.moved(ctx, n, from, partitions, &p)
	})
	return p, err
}

// moved looks once for [world.beyond].
func (w *world) moved(ctx context.Context, n *node, from []int64, partitions []int32, p *progress) (bool, error) {
	committed, err := w.committed(ctx, n.App, n.Input)
	if err != nil {
		return false, err
	}
	moved := 0
	for _, id := range partitions {
		if committed[id] > from[id] {
			moved++
		}
	}
	if moved > 0 && p.first.IsZero() {
		p.first = time.Now()
	}
	if moved < len(partitions) {
		return false, nil
	}
	p.all = time.Now()
	return true, nil
}

// all are the numbers of all partitions.
func (w *world) all() (ids []int32) {
	for id := range w.partitions {
		ids = append(ids, int32(id))
	}
	return ids
}
