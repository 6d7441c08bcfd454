package main

import (
	"context"
	"fmt"

	"tocsin/processor/app"
)

type topicsCommand struct {
	Init  topicsInitCommand  `cmd:"" help:"Create the topics that are missing."`
	Check topicsCheckCommand `cmd:"" help:"Compare the topics with what they must be. Exit code 1 when one is not."`
	ACLs  topicsACLsCommand  `cmd:"" name:"acls" help:"Print the least rights at the cluster, as commands."`
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

type topicsACLsCommand struct {
	For       []string `help:"Only for these: ${duties}. Default: run, which is processor and sink." placeholder:"LIST"`
	Principal string   `help:"Who is to get them. Default: the user of the configuration." placeholder:"User:NAME"`
}

// Run prints commands for an administrator, or with --output json one object per right. They are for a shell as much as
// for people, so a pipe gets commands too.
func (c topicsACLsCommand) Run(env *environment) error {
	l, err := env.load()
	if err != nil {
		return err
	}
	duties, err := app.ParseDuties(c.For)
	if err != nil {
		return err
	}
	principal := c.Principal
	if principal == "" {
		principal = l.Principal()
	}
	rights := l.Rights(duties...)
	if env.global.Output == "json" {
		out := env.list("principal", "host", "permission", "operation", "resource_type", "resource_name", "pattern_type",
			"for", "why")
		for _, r := range rights {
			pattern := "LITERAL"
			if r.Prefix {
				pattern = "PREFIXED"
			}
			out.row(principal, "*", "Allow", r.Operation, r.Type, r.Name, pattern, r.For, r.Why)
		}
		return out.end()
	}
	var text []string
	for _, r := range rights {
		text = append(text, fmt.Sprintf("# %s: %s (%s)", list(r.For), r, r.Why))
	}
	text = append(text, "# admin.properties: how an administrator of the cluster connects with Kafka's own tools")
	return env.text(append(text, l.ACLCommands(principal, rights)...))
}
