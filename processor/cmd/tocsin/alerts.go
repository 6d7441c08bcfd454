package main

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"tocsin/processor/app"
	"tocsin/processor/app/narrate"
)

type alertsCommand struct {
	Ls     alertsLsCommand     `cmd:"" help:"List alerts, those with the newest crossing first."`
	Show   alertsShowCommand   `cmd:"" help:"Show one alert: why it fired, what is proven, its evidence, what to do next."`
	Watch  alertsWatchCommand  `cmd:"" help:"Follow what happens to alerts, as it is stored, until stopped."`
	Schema alertsSchemaCommand `cmd:"" help:"Print the JSON Schema of an alert."`
}

type alertsLsCommand struct {
	Organization string        `help:"Ask as this organisation, and see what it may. Default: all." placeholder:"ID"`
	Rule         []string      `help:"Only of these rules." placeholder:"LIST"`
	Severity     []string      `help:"Only of these severities." placeholder:"LIST"`
	Status       []string      `help:"Only open, acknowledged, resolved or dismissed ones." placeholder:"LIST"`
	State        []string      `help:"Only in these states: open, closed, merged." placeholder:"LIST"`
	Since        time.Duration `help:"Last seen within this time, as in 24h." placeholder:"DURATION"`
	Limit        int           `help:"At most this many; 0 is all." default:"100"`
}

// Run lists alerts. Piped, each line is the whole alert without its evidence.
func (c alertsLsCommand) Run(ctx context.Context, env *environment) error {
	l, err := env.load()
	if err != nil {
		return err
	}
	if c.Limit < 0 {
		return app.Usagef("--limit %d: it must not be negative", c.Limit)
	}
	f := app.AlertFilter{
		Organization: c.Organization, Rules: c.Rule, Severities: c.Severity, Statuses: c.Status, States: c.State,
		Limit: c.Limit,
	}
	if c.Since > 0 {
		f.Since = env.now().Add(-c.Since)
	}
	if !env.tables() {
		return app.Alerts(ctx, &l.Config, f, func(a app.StoredAlert) error { return env.line(a) })
	}
	out := env.list("id", "severity", "rule", "organization", "who", "count", "first_seen", "last_seen", "state", "status")
	err = app.Alerts(ctx, &l.Config, f, func(a app.StoredAlert) error {
		out.row(a.ID, a.Severity, a.Rule.ID, narrate.Organization(a.Organization), app.GroupText(a.Alert), count(a),
			a.FirstSeen, a.LastSeen, a.State, a.Status)
		return nil
	})
	if outErr := out.end(); err == nil {
		err = outErr
	}
	return err
}

func count(a app.StoredAlert) string {
	if a.Approximate {
		return fmt.Sprintf("~%d", a.Count)
	}
	return fmt.Sprint(a.Count)
}

// line writes one JSON object on one line.
func (e *environment) line(v any) error {
	var b bytes.Buffer
	if err := writeJSON(&b, v); err != nil {
		return err
	}
	b.WriteByte('\n')
	_, err := e.stdout.Write(b.Bytes())
	return err
}

type alertsShowCommand struct {
	ID           string `arg:"" help:"The alert's id."`
	Organization string `help:"Ask as this organisation. Default: as an operator." placeholder:"ID"`
	All          bool   `help:"List all the events that the alert names. Default: the first and the last."`
}

// Run shows one alert: in words for people, else as one object with its history and evidence.
func (c alertsShowCommand) Run(ctx context.Context, env *environment) error {
	l, err := env.load()
	if err != nil {
		return err
	}
	a, err := app.Alert(ctx, &l.Config, c.Organization, c.ID)
	if err != nil {
		return err
	}
	if !env.tables() {
		return env.line(a)
	}
	o := env.reader(c.Organization)
	o.All = c.All
	return env.print(narrate.Alert(a, o))
}

type alertsWatchCommand struct {
	Organization string        `help:"Ask as this organisation, and see what it may. Default: all." placeholder:"ID"`
	Rule         []string      `help:"Only of these rules." placeholder:"LIST"`
	Severity     []string      `help:"Only of these severities." placeholder:"LIST"`
	Since        time.Duration `help:"Begin with what was stored within this time, as in 1h." placeholder:"DURATION"`
	Count        int           `help:"End after this many; 0 is never." placeholder:"N"`
	Every        time.Duration `help:"How often the database is asked." default:"1s"`
}

// Run follows alerts. Piped, each line is what happened, with the alert without its evidence.
func (c alertsWatchCommand) Run(ctx context.Context, env *environment) error {
	l, err := env.load()
	if err != nil {
		return err
	}
	switch {
	case c.Every < 100*time.Millisecond:
		return app.Usagef("--every %s: it must be 100ms or more", c.Every)
	case c.Count < 0 || c.Since < 0:
		return app.Usagef("--count and --since must not be negative")
	}
	if env.tables() {
		env.say("Watching alerts; Ctrl-C ends it. %s  shows one.", env.reader(c.Organization).Command("alerts", "show", "ID"))
	}
	n := 0
	return app.WatchAlerts(ctx, &l.Config, app.WatchOptions{
		AlertFilter: app.AlertFilter{Organization: c.Organization, Rules: c.Rule, Severities: c.Severity},
		Back:        c.Since, Every: c.Every, Now: env.now,
		Each: func(h app.Happening) error {
			var err error
			if env.tables() {
				err = env.print(narrate.Happening(&h, env.reader(c.Organization)))
			} else {
				err = env.line(h)
			}
			if n++; err == nil && n == c.Count {
				err = app.ErrEnough
			}
			return err
		},
		Trouble: func(err error) { env.say("the database does not answer, trying again: %s", escape(err.Error(), true)) },
		Well:    func() { env.say("the database answers again") },
	})
}

type alertsSchemaCommand struct{}

// Run prints the schema.
func (alertsSchemaCommand) Run(env *environment) error { return env.print(app.AlertSchema()) }
