package soak

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"tocsin/bench/generate"
)

// Config says how large a run is and where it happens.
type Config struct {
	Program string // path of the built program
	Dir     string // takes everything; PostgreSQL's user must be able to reach it
	Seed    uint64
	Kills   int
	Events  int
	Rate    int    // events offered per second, at most
	Commit  string // goes into the report
	// Say tells how it goes.
	Say func(format string, args ...any)
}

const partitions = 16

// most is the number of unread events beyond which no more are offered.
const most = 200_000

func (c *Config) validate() error {
	if c.Program == "" || c.Dir == "" || c.Say == nil {
		return errors.New("soak: Program, Dir and Say must be set")
	}
	if c.Kills < 1 || c.Events < 1000*c.Kills || c.Rate < 1 {
		return fmt.Errorf("soak: %d kills in %d events, %d a second: a kill needs at least a thousand events",
			c.Kills, c.Events, c.Rate)
	}
	return nil
}

// Run does the whole of it. What does not hold is in the report's failures; the error says why it could not go on.
func Run(ctx context.Context, cfg Config) (*Report, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	w := &world{cfg: cfg, plan: NewPlan(cfg.Seed, cfg.Kills), report: newReport(&cfg)}
	return w.run(ctx, w.faults, w.check, w.checkDigests)
}

// run is a run during which something happens, and what is checked afterwards.
func (w *world) run(
	ctx context.Context, happens func(context.Context) error, checks ...func(context.Context) error,
) (r *Report, err error) {
	cfg, began, used := w.cfg, time.Now(), cpuTime()
	defer func() {
		err = errors.Join(err, w.tearDown())
		if err != nil {
			w.report.fail("the run broke off: %v", err)
		}
		w.report.Seconds = int(time.Since(began).Seconds())
		w.report.CPUSeconds = int((cpuTime() - used).Seconds())
		r = w.report
	}()
	mix := generate.Default(cfg.Events)
	mix.Seed = cfg.Seed
	if w.generator, err = generate.New(mix); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Join(cfg.Dir, "logs"), 0o700); err != nil {
		return nil, err
	}
	if err := w.setUp(ctx, string(mix.Secret)); err != nil {
		return nil, fmt.Errorf("set up: %w", err)
	}
	if err := w.work(ctx, happens); err != nil {
		return nil, err
	}
	for _, check := range checks {
		if err := check(ctx); err != nil {
			return nil, err
		}
	}
	return w.report, nil
}
