package main

import (
	"context"
	"os"
	"os/user"

	"tocsin/processor/app"
)

type offsetsCommand struct {
	Plan  offsetsPlanCommand  `cmd:"" help:"Compare committed offsets with the state. Exit code 1 when they differ."`
	Apply offsetsApplyCommand `cmd:"" help:"Do what the plan advises; without --yes only say what would be done."`
}

type offsetsPlanCommand struct{}

// Run lists every partition, with the ways out where something is wrong.
func (offsetsPlanCommand) Run(ctx context.Context, env *environment) error {
	l, err := env.load()
	if err != nil {
		return err
	}
	plans, note, err := app.PlanOffsets(ctx, l, app.OffsetsOptions{Now: env.now})
	if err != nil {
		return err
	}
	if note != "" {
		env.say("note: %s", escape(note, false))
	}
	if !env.tables() {
		for _, p := range plans {
			if err := env.line(p); err != nil {
				return err
			}
		}
	}
	wrong := false
	out := env.list("partition", "committed", "sealed", "log_start", "log_end", "wrong", "possible", "detail")
	for _, p := range plans {
		wrong = wrong || p.Cause != ""
		if env.tables() {
			out.row(p.Partition, none(p.Committed), none(p.Sealed), p.LogStart, p.LogEnd, p.Cause, list(p.Actions), p.Detail)
		}
	}
	if err := out.end(); err != nil {
		return err
	}
	if wrong {
		return app.ErrFindings
	}
	return nil
}

// none shows the offset that stands for none.
func none(offset int64) any {
	if offset < 0 {
		return ""
	}
	return offset
}

// list puts names in one text.
func list[T ~string](names []T) string {
	text := ""
	for i, n := range names {
		if i > 0 {
			text += ", "
		}
		text += string(n)
	}
	return text
}

type offsetsApplyCommand struct {
	Partition []int32 `help:"Only these. Default: all that have something wrong." placeholder:"LIST"`
	Action    string  `help:"set-offset, rebuild or replay. Default: what the plan advises." placeholder:"NAME"`
	Yes       bool    `help:"Do it. All processors must be stopped."`
}

// Run does what was decided, or says what it would do.
func (c offsetsApplyCommand) Run(ctx context.Context, env *environment) error {
	switch c.Action {
	case "", "set-offset", "rebuild", "replay":
	default:
		return app.Usagef("--action %s: it is set-offset, rebuild or replay", c.Action)
	}
	l, err := env.load()
	if err != nil {
		return err
	}
	bar := env.progress()
	steps, err := app.ApplyOffsets(ctx, l, app.OffsetsOptions{
		Partitions: c.Partition, Action: c.Action, Who: operator(), Now: env.now,
		Progress: func(done, total int64) { bar.at("judging again", done, total, "records") },
	}, !c.Yes)
	bar.end()
	if err != nil {
		return err
	}
	out := env.list("partition", "wrong", "committed", "sealed", "action", "result")
	left := false
	for _, s := range steps {
		left = left || s.Action == "" && s.Cause != ""
		result := s.Result(c.Yes)
		out.row(s.Partition, s.Cause, none(s.Committed), none(s.Sealed), s.Action, result)
	}
	if err := out.end(); err != nil {
		return err
	}
	switch {
	case len(steps) == 0:
		env.say("Nothing is wrong.")
	case !c.Yes:
		env.say("Nothing was changed: give --yes to do it.")
	}
	if left {
		return app.ErrFindings
	}
	return nil
}

// operator is who runs the program, for the record of what was done.
func operator() string {
	name := "unknown"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	if host, err := os.Hostname(); err == nil {
		name += "@" + host
	}
	return name
}
