package main

import (
	"context"
	"time"

	"tocsin/processor/app"
	"tocsin/processor/app/narrate"
)

type healthCommand struct {
	Live    bool          `help:"Ask only whether the process is alive: for probes that restart it."`
	Address string        `help:"Where it listens. Default: http.listen." placeholder:"HOST:PORT"`
	Timeout time.Duration `help:"How long to wait for each answer." default:"5s"`
}

// Run asks a running process how it is. Exit code 1 when something is wrong; a warning is none.
func (c healthCommand) Run(ctx context.Context, env *environment) error {
	l, err := env.load()
	if err != nil {
		return err
	}
	if c.Timeout <= 0 {
		return app.Usagef("--timeout %s: it must be positive", c.Timeout)
	}
	r, err := app.Health(ctx, &l.Config, app.HealthOptions{Address: c.Address, Live: c.Live, Timeout: c.Timeout})
	if err != nil {
		return err
	}
	if env.tables() {
		err = env.print(narrate.Health(narrate.Condition{
			Status: r.Status, Address: r.Address, Live: c.Live, Wrong: r.Wrong, Warnings: r.Warnings, Workers: r.Workers,
			Partitions: r.Partitions, Lag: r.Lag, Unstored: r.Unstored,
		}, env.reader("")))
	} else {
		err = env.line(r)
	}
	if err == nil && !r.OK() {
		return app.ErrFindings
	}
	return err
}
