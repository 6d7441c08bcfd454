package main

import (
	"context"
	"fmt"
	"time"

	"tocsin/processor/app"
)

type demoCommand struct {
	Dir string `help:"Keep what the demo makes in this folder. Default: a temporary one, removed at the end." placeholder:"DIR"`
}

// Run plays the demo. Exit code 1 when a planted attack raised no alert, or anything else did.
func (c demoCommand) Run(ctx context.Context, env *environment) error {
	log, err := app.DemoLogger(env.stderr, env.stderrTerminal)
	if err != nil {
		return err
	}
	report, err := app.Demo(ctx, app.DemoOptions{
		Dir: c.Dir, Log: log, Now: env.now,
		Say: func(format string, args ...any) { fmt.Fprintf(env.stderr, format+"\n", args...) },
	})
	if err != nil {
		return err
	}
	out := env.list("severity", "rule", "organization", "who", "count", "first_seen", "last_seen", "state", "planted")
	for _, a := range report.Alerts {
		out.row(a.Severity, a.Rule.ID, organization(a.Organization), a.Group, a.Count, a.FirstSeen, a.LastSeen, a.State, a.Expected)
	}
	if err := out.end(); err != nil {
		return err
	}
	v := report.Ingest.Verdicts
	fmt.Fprintf(env.stderr, "%d events: %d accepted (%d of them exempted), %d duplicates, %d dead letters %v; %s\n",
		report.Ingest.Sent, v.Judged, v.Exempted, v.Duplicates, v.DeadTotal(), v.DeadLetters, report.Took.Round(100*time.Millisecond))
	for _, m := range report.Missing {
		fmt.Fprintf(env.stderr, "missing: %s\n", m)
	}
	if !report.OK() {
		fmt.Fprintln(env.stderr, "The demo failed: the alerts are not those of the planted attacks.")
		return app.ErrFindings
	}
	fmt.Fprintln(env.stderr, "Every planted attack raised its alert, and nothing else did.")
	return nil
}
