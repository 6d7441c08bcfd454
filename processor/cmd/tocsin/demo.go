package main

import (
	"context"
	"path/filepath"
	"strings"
	"time"

	"tocsin/processor/app"
	"tocsin/processor/app/hospital"
	"tocsin/processor/app/narrate"
)

type demoCommand struct {
	Dir  string        `help:"Keep what the demo makes here. Default: data/demo." placeholder:"DIR"`
	Seed uint64        `help:"Another seed gives another day." default:"1"`
	Pace time.Duration `help:"How long the day takes; 0s: as fast as it goes." default:"15s"`
	Keep bool          `help:"Stay up when the day is over, until interrupted."`
}

// Run plays the demo. Exit code 1 when a planted attack raised no alert, or anything else did, or a record has not the
// verdict that it should have.
func (c demoCommand) Run(ctx context.Context, env *environment) error {
	log, err := app.DemoLogger(env.stderr, env.stderrTerminal)
	if err != nil {
		return err
	}
	if c.Pace < 0 {
		return app.Usagef("--pace %s: it must not be negative", c.Pace)
	}
	o := app.DemoOptions{Dir: c.Dir, Seed: c.Seed, Pace: c.Pace, Keep: c.Keep, Log: log, Now: env.now}
	if env.tables() {
		s := &demoScreen{env: env, look: env.look(), pace: c.Pace}
		defer s.clear()
		o.View = s
	} else {
		o.View = &demoLines{env: env}
	}
	return app.Demo(ctx, o)
}

// demoLines is the demo for programs: one object per alert, and one for each attack without.
type demoLines struct{ env *environment }

func (l *demoLines) Starting(dir string)       { l.env.say("starting in %s", dir) }
func (l *demoLines) Playing(d *hospital.Day)   { l.env.say("playing %d records", len(d.Records)) }
func (l *demoLines) Clock(time.Time, int, int) {}
func (l *demoLines) Found(app.StoredAlert)     {}
func (l *demoLines) Up(*app.DemoReport, app.Started) {
	l.env.say("the services stay until interrupted")
}

// Over writes the alerts, and in sentences what became of the rest.
func (l *demoLines) Over(r *app.DemoReport) error {
	env := l.env
	out := env.list("id", "severity", "rule", "organization", "who", "count", "first_seen", "last_seen", "state",
		"planted", "ok")
	row := func(a *app.StoredAlert, planted string, ok bool) {
		out.row(a.ID, a.Severity, a.Rule.ID, a.Organization, app.GroupText(a.Alert), a.Count, a.FirstSeen, a.LastSeen,
			a.State, planted, ok)
	}
	for i := range r.Planted {
		p := &r.Planted[i]
		a := p.Found
		if a == nil {
			if !p.Alert() {
				continue
			}
			a = &app.StoredAlert{}
			a.Severity, a.Rule.ID, a.Organization = p.Severity, p.Rule, p.Organization
			a.Group = map[string]string{"principal": p.Who}
		}
		row(a, p.What, p.OK())
	}
	for i := range r.Unexpected {
		row(&r.Unexpected[i], "", false)
	}
	v := r.Verdicts
	n := len(r.Day.Records)
	env.say("%d records: %d judged, %d second deliveries, set aside %d: %v; %s, %d a second", n, v.Judged, v.Duplicates,
		v.DeadTotal(), v.DeadLetters, r.Took.Round(time.Millisecond), rate(int64(n), r.Took))
	env.say("%s", strings.Join(append(r.Faults, demoVerdict(r)), "\n"))
	return out.end()
}

// demoVerdict is the result in a sentence.
func demoVerdict(r *app.DemoReport) string {
	if r.OK() {
		return "Every planted attack raised its alert, and nothing else did."
	}
	return "The demo failed: what was found is not what was planted."
}

// command is a command line of this program with a configuration file, to be pasted into a shell.
func (e *environment) command(config string, args ...string) string {
	return narrate.Options{Program: e.program, Flags: []string{"--config", here(config)}}.Command(args...)
}

// here shortens a path for those who are in the working folder.
func here(path string) string {
	if cwd, err := filepath.Abs("."); err == nil {
		if rel, err := filepath.Rel(cwd, path); err == nil && filepath.IsLocal(rel) {
			return rel
		}
	}
	return path
}
