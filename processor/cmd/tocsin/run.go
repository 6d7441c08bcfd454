package main

import (
	"context"

	"tocsin/processor/app"
)

type runCommand struct {
	Embedded bool     `help:"Start a broker and a database beside the process, for trying out."`
	Roles    []string `help:"Parts to play, with commas: processor, sink, counters. Default: all." placeholder:"LIST"`
}

// Run works until it is told to stop.
func (c runCommand) Run(ctx context.Context, env *environment) error {
	l, err := env.load()
	if err != nil {
		return err
	}
	roles, err := app.ParseRoles(c.Roles)
	if err != nil {
		return err
	}
	log, err := l.NewLogger(env.stderr, env.stderrTerminal)
	if err != nil {
		return app.Usage(err)
	}
	return app.Run(ctx, app.Options{
		Config: l, Version: version, Roles: roles, Embedded: c.Embedded, Log: log, Now: env.now,
		Started: func(s app.Started) {
			log.Info("tocsin runs", "version", version, "brokers", s.Brokers, "database", s.Database, "http", s.HTTP)
			if s.Client != "" {
				env.say("Kafka and the database run in this process, for trying out. Other commands find them with"+
					"  tocsin --config %s alerts ls\n", s.Client)
			}
		},
	})
}
