package main

import (
	"context"

	"tocsin/processor/app"
)

type migrateCommand struct {
	Up     migrateUpCommand     `cmd:"" help:"Bring the database up to date."`
	Status migrateStatusCommand `cmd:"" help:"List the steps. Exit code 1 when one has not been applied."`
	Grants migrateGrantsCommand `cmd:"" help:"Print the least rights in the database, as statements."`
	Flag   migrateFlagCommand   `cmd:"" default:"withargs" hidden:"" help:"What migrate does without a command."`
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

// migrateFlagCommand takes the flag that stands for grants in other programs, and nothing else.
type migrateFlagCommand struct {
	migrateGrantsCommand `embed:""`

	PrintGrants bool `help:"The same as migrate grants."`
}

// Run prints the rights.
func (c migrateFlagCommand) Run(env *environment) error {
	if !c.PrintGrants {
		return app.Usagef(`expected one of "up", "status", "grants"`)
	}
	return c.migrateGrantsCommand.Run(env)
}

type migrateGrantsCommand struct {
	Login string `help:"Who is to get them. Default: the user of postgres.url." placeholder:"ROLE"`
}

// Run prints statements for the owner of the database, or with --output json one object per right. They are for psql as
// much as for people, so a pipe gets statements too.
func (c migrateGrantsCommand) Run(env *environment) error {
	l, err := env.load()
	if err != nil {
		return err
	}
	grants, err := l.Grants(c.Login)
	if err != nil {
		return err
	}
	if env.global.Output == "json" {
		out := env.list("grantee", "privilege", "kind", "object", "by_migrations", "why", "statement")
		for _, g := range grants {
			out.row(g.Grantee, g.Privilege, g.Kind, g.Object, g.Own, g.Why, g.Statement())
		}
		return out.end()
	}
	text := []string{
		"-- The login. It has no rights of its own to the tables: for each transaction it takes on the one of three roles",
		"-- that the work needs. NOINHERIT keeps it from having the rights of all of them at once.",
		"ALTER ROLE " + app.QuoteName(grants[0].Grantee) + " NOINHERIT;",
	}
	for _, own := range []bool{false, true} {
		if own {
			text = append(text, "-- The three roles. `tocsin migrate up` makes and grants these.")
		}
		for _, g := range grants {
			if g.Own == own {
				text = append(text, g.Statement()+"; -- "+g.Why)
			}
		}
	}
	return env.text(text)
}
