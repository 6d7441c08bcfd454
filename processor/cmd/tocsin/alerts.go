package main

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"time"

	"tocsin/processor/app"
)

type alertsCommand struct {
	Ls   alertsLsCommand   `cmd:"" help:"List alerts, those with the newest crossing first."`
	Show alertsShowCommand `cmd:"" help:"Show one alert with its evidence and history."`
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
		out.row(a.ID, a.Severity, a.Rule.ID, organization(a.Organization), app.GroupText(a.Alert), count(a), a.FirstSeen,
			a.LastSeen, a.State, a.Status)
		return nil
	})
	if outErr := out.end(); err == nil {
		err = outErr
	}
	return err
}

// organization shows events without one as what they are.
func organization(name string) string {
	if name == "" {
		return "(none)"
	}
	return name
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
}

// Run shows one alert.
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
	var outcomes []string
	for _, name := range app.Outcomes() {
		if n := a.Verification[name]; n > 0 {
			outcomes = append(outcomes, fmt.Sprintf("%s %d", name, n))
		}
	}
	err = env.fields(
		"id", a.ID, "title", a.Title, "what", a.Sentence, "severity", a.Severity, "type", a.Type, "state", a.State,
		"status", a.Status, "rule", a.Rule.ID+" version "+a.Rule.Version, "organization", organization(a.Organization),
		"who", app.GroupText(a.Alert), "count", count(a.Stored), "threshold", fmt.Sprintf("%d in %s", a.Threshold, a.Window),
		"first_seen", a.FirstSeen, "last_seen", a.LastSeen, "crossing", a.Crossing,
		"span", fmt.Sprintf("%s to %s", a.Span.First, a.Span.Last), "verification", strings.Join(outcomes, ", "),
		"revision", a.Revision, "merged_into", a.MergedInto, "tags", strings.Join(a.Tags, ", "), "runbook", a.Runbook,
		"trace", a.TraceID, "mode", a.Mode)
	if err != nil {
		return err
	}
	if err := env.gap(); err != nil {
		return err
	}
	out := env.list("role", "event", "time", "record", "outcome")
	for _, e := range a.Alert.Evidence {
		id := e.ID
		if id == "" {
			id = e.IDSHA256
		}
		out.row(e.Role, id, e.Timestamp, fmt.Sprintf("%s:%d:%d", e.Topic, e.Partition, e.Offset), e.Outcome)
	}
	if err := out.end(); err != nil {
		return err
	}
	if err := env.gap(); err != nil {
		return err
	}
	out = env.list("at", "by", "what", "from", "to", "revision", "state", "count", "note")
	for _, h := range a.History {
		out.row(stamp(h.At), h.Actor, h.Kind, h.FromStatus, h.ToStatus, h.Revision, h.State, h.Count, h.Note)
	}
	return out.end()
}
