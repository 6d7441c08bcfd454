package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"tocsin/bench/run"
)

// pair is an application that two processes share, with its state.
type pair struct {
	w      *world
	app    string
	input  string
	stream *stream
}

// newPair lets a process make the state, and stops it.
func (w *world) newPair(ctx context.Context) (*pair, error) {
	if w.partitions < 2 {
		return nil, fmt.Errorf("%w: -partitions: at least 2, one for each process", errUsage)
	}
	p := &pair{w: w, app: w.name, input: w.name + "-events"}
	n, err := w.newNode(ctx, kindJob, p.app, p.input, "one")
	if err != nil {
		return nil, err
	}
	if p.stream, err = w.makeState(ctx, n); err != nil {
		return nil, err
	}
	return p, p.leave(ctx)
}

// settle starts the first process, which has everything then, and a second one without any state, and waits until each
// has its half and, with standby, the second follows the other.
func (p *pair) settle(ctx context.Context, session time.Duration, kind string) (first, second *node, err error) {
	w := p.w
	set := []string{
		// As many as there are halves: the group gives no worker two partitions then.
		fmt.Sprintf("processor.workers=%d", p.half()), "kafka.session_timeout=" + session.String(),
		// Both must be well below it.
		"kafka.heartbeat_interval=" + min(3*time.Second, session/4).String(),
		"kafka.transaction_timeout=" + min(15*time.Second, session/2).String(),
	}
	if first, err = w.newNode(ctx, kindJob, p.app, p.input, "one", set...); err != nil {
		return nil, nil, err
	}
	if kind == withStandby {
		set = append(set, standbyAll)
	}
	if second, err = w.newNode(ctx, kindJob, p.app, p.input, "two", set...); err != nil {
		return nil, nil, err
	}
	if err := os.RemoveAll(second.Dir); err != nil {
		return nil, nil, err
	}
	run.Calm(ctx, w.calm)
	if err := first.start(ctx); err != nil {
		return nil, nil, err
	}
	if err := w.until(ctx, "the first process has all partitions", 50*time.Millisecond, func() (bool, error) {
		ids, ready, err := first.running(ctx)
		return ready && len(ids) == w.partitions, err
	}); err != nil {
		return nil, nil, err
	}
	if err := second.start(ctx); err != nil {
		return nil, nil, err
	}
	if err := w.until(ctx, "both processes have their half", 50*time.Millisecond, func() (bool, error) {
		return p.shared(ctx, first, second)
	}); err != nil {
		return nil, nil, err
	}
	if kind == withStandby {
		err = w.until(ctx, "the second process follows the first", 50*time.Millisecond, func() (bool, error) {
			return second.follows(ctx)
		})
	}
	return first, second, err
}

// half is the larger one.
func (p *pair) half() int { return (p.w.partitions + 1) / 2 }

// shared says whether each partition is processed by one of the two, and both have their half of them.
func (p *pair) shared(ctx context.Context, first, second *node) (bool, error) {
	one, ready, err := first.running(ctx)
	if err != nil || !ready || len(one) > p.half() {
		return false, err
	}
	two, ready, err := second.running(ctx)
	if err != nil || !ready || len(two) > p.half() {
		return false, err
	}
	both := slices.Concat(one, two)
	slices.Sort(both)
	return slices.Equal(both, p.w.all()), nil
}

// leave makes the members of processes that have ended leave their group, instead of being waited for.
func (p *pair) leave(ctx context.Context) error {
	described, err := p.w.adm.DescribeGroups(ctx, p.app)
	if err != nil {
		return fmt.Errorf("members of %s: %w", p.app, err)
	}
	var ids []string
	for _, m := range described[p.app].Members {
		if m.InstanceID != nil {
			ids = append(ids, *m.InstanceID)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	left, err := p.w.adm.LeaveGroup(ctx, kadm.LeaveGroup(p.app).InstanceIDs(ids...))
	for _, l := range left {
		err = errors.Join(err, l.Err)
	}
	if err != nil {
		return fmt.Errorf("leave %s: %w", p.app, err)
	}
	return nil
}
