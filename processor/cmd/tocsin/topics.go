package main

import (
	"context"

	"tocsin/processor/app"
)

type topicsCommand struct {
	Init  topicsInitCommand  `cmd:"" help:"Create the topics that are missing."`
	Check topicsCheckCommand `cmd:"" help:"Compare the topics with what they must be. Exit code 1 when one is not."`
}

type topicsInitCommand struct {
	Input  bool `help:"Create the input topic too, if it is missing."`
	DryRun bool `help:"Ask the brokers whether they would, and create nothing."`
}

// Run creates topics.
func (c topicsInitCommand) Run(ctx context.Context, env *environment) error {
	l, err := env.load()
	if err != nil {
		return err
	}
	created, err := app.InitTopics(ctx, &l.Config, c.Input, c.DryRun)
	out := env.list("topic", "result")
	for _, t := range created {
		result := "was there"
		switch {
		case t.New && c.DryRun:
			result = "would be created"
		case t.New:
			result = "created"
		}
		out.row(t.Name, result)
	}
	if outErr := out.end(); err == nil {
		err = outErr
	}
	return err
}

type topicsCheckCommand struct{}

// Run compares topics.
func (topicsCheckCommand) Run(ctx context.Context, env *environment) error {
	l, err := env.load()
	if err != nil {
		return err
	}
	differences, err := app.CheckTopics(ctx, &l.Config)
	if err != nil {
		return err
	}
	out := env.list("topic", "setting", "is", "should_be", "weight", "why", "remedy")
	wrong := false
	for _, d := range differences {
		weight := "must"
		if d.Advice {
			weight = "advice"
		} else {
			wrong = true
		}
		out.row(d.Topic, d.What, d.Have, d.Want, weight, d.Why, d.Remedy)
	}
	if err := out.end(); err != nil {
		return err
	}
	if wrong {
		return app.ErrFindings
	}
	if len(differences) == 0 {
		env.say("All topics are as they must be.")
	}
	return nil
}
