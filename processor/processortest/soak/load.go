package soak

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"tocsin/bench/produce"
)

// load is the stream on its way to the broker. The plan opens it stretch by stretch, so that no fault comes after the
// last event.
type load struct {
	rate    int
	ceiling atomic.Int64 // records below it may be offered
	at      atomic.Int64 // records offered
	unread  atomic.Int64 // as of the last look
	held    atomic.Bool  // nothing is to be offered
	quiet   atomic.Bool  // nothing is on its way to the broker

	next time.Time // of the goroutine that produces
}

// stride is the number of records between two looks at the clock.
const stride = 64

// before holds a record back until it may be offered.
func (l *load) before(ctx context.Context, record int) error {
	l.at.Store(int64(record))
	if l.held.Load() {
		return produce.ErrEnough
	}
	if record%stride != 0 {
		return nil
	}
	now := time.Now()
	if l.next.Before(now) {
		l.next = now // what was held back is not made up for
	}
	l.next = l.next.Add(stride * time.Second / time.Duration(l.rate))
	if err := pause(ctx, l.next.Sub(now)); err != nil {
		return err
	}
	for int64(record) >= l.ceiling.Load() || l.unread.Load() > most {
		if l.held.Load() {
			return produce.ErrEnough
		}
		if err := pause(ctx, 10*time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}

// hold stops the load and waits until the broker has all that was offered. Offsets are part of what is expected, and a
// producer without transactions that lives through a restart of its broker may write a batch twice: the first one
// afterwards was seen to be refused as out of order, and then to come again under a new producer id.
func (w *world) hold(ctx context.Context) error {
	w.load.held.Store(true)
	return w.until(ctx, "nothing is on its way", w.load.quiet.Load)
}

// offer produces the whole stream and the closing ticks, with a new producer after every hold.
func (w *world) offer(ctx context.Context) error {
	defer w.load.quiet.Store(true)
	cfg := produce.Config{Kafka: w.app.Kafka(), Topic: w.app.Input(), Partitions: partitions, To: w.generator.Records(),
		Ticks: true, Before: w.load.before}
	for cfg.From < cfg.To {
		w.load.quiet.Store(false)
		r, err := produce.Stream(ctx, w.generator, cfg)
		if err != nil {
			return fmt.Errorf("offer the load: %w", err)
		}
		cfg.From, cfg.Next = cfg.From+min(r.Records, cfg.To-cfg.From), r.Next // ticks are counted too
		w.load.quiet.Store(true)
		for w.load.held.Load() {
			if err := pause(ctx, tick); err != nil {
				return err
			}
		}
	}
	w.load.at.Store(int64(cfg.To))
	return nil
}

// watch keeps an eye on the cluster until ctx ends. What it cannot learn while the broker is away, it learns later.
func (w *world) watch(ctx context.Context) {
	committed, moved := 0, time.Now()
	for ctx.Err() == nil {
		if n, err := w.unread(ctx); err == nil {
			w.load.unread.Store(n)
		}
		if n := w.changelog.transactions(); n != committed || w.load.unread.Load() == 0 {
			committed, moved = n, time.Now()
		}
		w.report.Standstill = max(w.report.Standstill, time.Since(moved).Seconds())
		w.changelog.learn(ctx, w)
		if pause(ctx, 500*time.Millisecond) != nil {
			break
		}
	}
}

func (w *world) unread(ctx context.Context) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	return w.app.Unread(ctx, w.adm)
}

// pause lets time pass; the error is that of ctx.
func pause(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
