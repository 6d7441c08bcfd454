package soak

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	tick = 20 * time.Millisecond
	// standstill is the longest time in which nothing is committed although there is something to do.
	standstill = 90 * time.Second
)

// work offers the load while something happens (the plan's faults), and waits until all is judged.
func (w *world) work(ctx context.Context, happens func(context.Context) error) error {
	w.load = &load{rate: w.cfg.Rate}
	watching, stop := context.WithCancel(ctx)
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		w.watch(watching)
	}()
	defer func() {
		stop()
		<-watched
	}()
	g, working := errgroup.WithContext(ctx)
	g.Go(func() error { return w.offer(working) })
	g.Go(func() error { return happens(working) })
	if err := g.Wait(); err != nil {
		return err
	}
	return w.judged(ctx)
}

func (w *world) faults(ctx context.Context) error {
	events, n := int64(w.generator.Records()), int64(len(w.plan))
	owed := 0 // kills for which too few processes were up
	for i := int64(0); i < n || owed > 0; i++ {
		f := Fault{Kind: Kill, Hits: 1, Victims: []int{0, 1, 2, 3}}
		if i < n {
			f = w.plan[i]
			w.load.ceiling.Store(events * (i + 2) / (n + 2))
		}
		if f.Kind == Kill {
			f.Hits, owed = f.Hits+owed, 0
		}
		if err := w.between(ctx, &f, min(events*(i+1)/(n+2), events*n/(n+2))); err != nil {
			return err
		}
		short, err := w.inflict(ctx, &f)
		if err != nil {
			return fmt.Errorf("%s: %w", f.Kind, err)
		}
		owed += short
	}
	w.load.ceiling.Store(events)
	w.cfg.Say("the plan is worked off; everybody comes back")
	w.members[members-1].leaves = time.Now()
	return w.until(ctx, "everybody is back", func() bool {
		for _, m := range w.members[:members-1] {
			if m.condition != up {
				return false
			}
		}
		return w.members[members-1].condition == away && w.members[members-1].back.IsZero()
	})
}

// between passes the time before a fault.
func (w *world) between(ctx context.Context, f *Fault, offered int64) error {
	before, began := w.changelog.transactions(), time.Now()
	if err := w.until(ctx, "events are offered", func() bool {
		return time.Since(began) >= f.Wait && w.load.at.Load() >= offered
	}); err != nil {
		return err
	}
	if !f.Breathe {
		return nil
	}
	return w.until(ctx, "something is committed", func() bool { return w.changelog.transactions() > before })
}

// until tends the processes until a condition holds.
func (w *world) until(ctx context.Context, what string, condition func() bool) error {
	deadline := time.Now().Add(standstill)
	for !condition() {
		if err := w.tend(ctx); err != nil {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("waited %s until %s", standstill, what)
		}
		if err := pause(ctx, tick); err != nil {
			return err
		}
	}
	return nil
}

// tend brings back and sends away whoever is due.
func (w *world) tend(ctx context.Context) error {
	now := time.Now()
	for _, m := range w.members {
		if m == nil {
			continue
		}
		if err := m.ended(); err != nil {
			return err
		}
		due := !m.back.IsZero() && now.After(m.back)
		switch {
		case m.condition == away && due:
			m.back = time.Time{}
			if err := m.start(ctx); err != nil {
				return err
			}
		case m.condition == paused && due:
			m.back, m.condition = time.Time{}, up
			if err := m.proc.Signal(syscall.SIGCONT); err != nil {
				return err
			}
		case m.condition == up && !m.leaves.IsZero() && now.After(m.leaves):
			m.leaves = time.Time{}
			if err := m.drain(ctx); err != nil {
				return err
			}
			if err := m.leave(ctx); err != nil {
				return err
			}
		case m.condition == away && m.back.IsZero():
			m.leaves = time.Time{}
		}
	}
	return nil
}

// judged waits until the whole input is committed.
func (w *world) judged(ctx context.Context) error {
	left, moved := int64(-1), time.Now()
	for {
		if err := w.tend(ctx); err != nil {
			return err
		}
		n, err := w.unread(ctx)
		if err == nil && n == 0 {
			return nil
		}
		if err == nil && n != left {
			left, moved = n, time.Now()
		}
		if time.Since(moved) > standstill {
			return errors.Join(fmt.Errorf("%d events stay unread for %s", left, standstill), err)
		}
		if err := pause(ctx, 100*time.Millisecond); err != nil {
			return err
		}
	}
}
