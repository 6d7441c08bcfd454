package main

import (
	"context"
	"time"

	"tocsin/processor/app"
)

type demoCommand struct {
	Dir string `help:"Keep what the demo makes here. Default: a temporary folder, removed." placeholder:"DIR"`
}

// Run plays the demo. Exit code 1 when a planted attack raised no alert, or anything else did.
func (c demoCommand) Run(ctx context.Context, env *environment) error {
	log, err := app.DemoLogger(env.stderr, env.stderrTerminal)
	if err != nil {
		return err
	}
	report, err := app.Demo(ctx, app.DemoOptions{
		Dir: c.Dir, Log: log, Now: env.now,
		Say: env.say,
	})
	if err != nil {
		return err
	}
	out := env.list("severity", "rule", "organization", "who", "count", "first_seen", "last_seen", "state", "planted")
	for _, a := range report.Alerts {
		out.row(a.Severity, a.Rule.ID, organization(a.Organization), a.Group, a.Count, a.FirstSeen, a.LastSeen, a.State,
			a.Expected)
	}
	if err := out.end(); err != nil {
		return err
	}
	v := report.Ingest.Verdicts
	env.say("%d events: %d accepted (%d of them exempted), %d duplicates, %d dead letters %v; %s", report.Ingest.Sent,
		v.Judged, v.Exempted, v.Duplicates, v.DeadTotal(), v.DeadLetters, report.Took.Round(100*time.Millisecond))
	for _, m := range report.Missing {
		env.say("missing: %s", m)
	}
	if !report.OK() {
		env.say("The demo failed: the alerts are not those of the planted attacks.")
		return app.ErrFindings
	}
	env.say("Every planted attack raised its alert, and nothing else did.")
	return nil
}
