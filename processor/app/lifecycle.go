package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// DrainLimit is how long a stop may take from the first signal on, if what it waits for answers as late as it may: the
// end of the transactions that are open, the group, the flush of the state, and each step of going down. Whoever kills
// a process that does not end must wait longer. A kill before that loses nothing; the next start reads some
// transactions again.
func (c *Config) DrainLimit() time.Duration {
	const (
		group = 10 * time.Second // asking for the outcome of the last transaction, and closing the clients
		flush = closeState       // before the state is closed; not cut off, for it waits for the disk alone
	)
	const (
		clients = 2*closePool + 2*closeHTTP // database and Redis; Kafka's of the admin server, and that server itself
		traces  = closeTraces + time.Second
	)
	return time.Duration(c.Kafka.TransactionWatchdog) + group + flush + closeState + clients + traces
}

// closers takes down what was opened, the last first, each step with a bound on its time: what hangs is named and left
// behind, and the next one gets its turn.
type closers struct {
	log   *slog.Logger
	steps []closer
}

type closer struct {
	name  string
	bound time.Duration
	close func(context.Context) error
}

func (c *closers) add(name string, bound time.Duration, step func(context.Context) error) {
	c.steps = append(c.steps, closer{name, bound, step})
}

// closeAll runs the steps. ctx carries values only: that it has ended already does not matter.
func (c *closers) closeAll(ctx context.Context) error {
	var errs []error
	for i := len(c.steps) - 1; i >= 0; i-- {
		if err := c.steps[i].run(context.WithoutCancel(ctx)); err != nil {
			errs = append(errs, err)
		}
	}
	c.steps = nil
	return errors.Join(errs...)
}

func (s closer) run(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, s.bound)
	defer cancel()
	done := make(chan error, 1) // buffered: the step may end after nobody waits any more
	go func() { done <- s.close(ctx) }()
	select {
	case err := <-done:
		if err != nil {
			return fmt.Errorf("close %s: %w", s.name, err)
		}
		return nil
	case <-ctx.Done():
		return fmt.Errorf("close %s: not done after %s, left behind", s.name, s.bound)
	}
}
