package main

import (
	"context"

	"tocsin/processor/app"
)

type migrateCommand struct {
	Up     migrateUpCommand     `cmd:"" help:"Bring the database up to date."`
	Status migrateStatusCommand `cmd:"" help:"List the steps. Exit code 1 when one has not been applied."`
}

type migrateUpCommand struct{}

// Run applies what is missing.
func (migrateUpCommand) Run(ctx context.Context, env *environment) error {
	l, err := env.load()
	if err != nil {
		return err
	}
	applied, err := app.Migrate(ctx, &l.Config)
	out := env.list("version", "name", "applied")
	for _, m := range applied {
		out.row(m.Version, m.Name, stamp(m.Applied))
	}
	if outErr := out.end(); err == nil {
		err = outErr
	}
	return err
}

type migrateStatusCommand struct{}

// Run lists the steps.
func (migrateStatusCommand) Run(ctx context.Context, env *environment) error {
	l, err := env.load()
	if err != nil {
		return err
	}
	all, err := app.MigrationStatus(ctx, &l.Config)
	if err != nil {
		return err
	}
	out := env.list("version", "name", "applied")
	pending := false
	for _, m := range all {
		pending = pending || m.Applied.IsZero()
		out.row(m.Version, m.Name, stamp(m.Applied))
	}
	if err := out.end(); err != nil {
		return err
	}
	if pending {
		return app.ErrFindings
	}
	return nil
}
