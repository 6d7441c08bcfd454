package main

import (
	"context"
	"fmt"
	"time"

	"tocsin/processor/app"
	"tocsin/processor/app/narrate"
	"tocsin/processor/app/settings"
)

type metricsCommand struct {
	Last         settings.Duration `help:"Count the alerts of this long, up to redis.keep_hours." default:"1h"`
	Organization *string           `help:"Count this organisation's alerts alone." placeholder:"ID"`
}

// Run shows the live numbers that all processes keep in Redis.
func (c metricsCommand) Run(ctx context.Context, env *environment) error {
	l, err := env.load()
	if err != nil {
		return err
	}
	n, err := app.Live(ctx, &l.Config, time.Duration(c.Last), c.Organization, env.now())
	if err != nil {
		return err
	}
	if env.tables() {
		return c.table(env, n)
	}
	return env.line(liveObject(n))
}

// table shows the totals, then the processes, then the alerts.
func (c metricsCommand) table(env *environment, n *app.LiveNumbers) error {
	t := n.Totals
	updated := "never: no process has told anything"
	if !t.Updated.IsZero() {
		updated = t.Updated.Format(time.RFC3339)
	}
	if err := env.fields(
		"events", narrate.Thousands(t.Events), "dead_letters", narrate.Thousands(t.Errors),
		"integrity_violations", narrate.Thousands(t.IntegrityViolations), "not_judged_yet", narrate.Thousands(t.Queue),
		"transaction", fmt.Sprintf("%.0f ms", t.Latency), "alerts", narrate.Thousands(t.Alerts), "updated", updated,
	); err != nil {
		return err
	}
	if len(n.Processes) > 0 {
		env.text([]string{""}) //nolint:errcheck // the next line fails as well
		rows := env.list("process", "updated", "roles", "events", "per_second", "lag")
		for _, p := range n.Processes {
			rows.row(p.Instance, p.Updated.Format(time.RFC3339), p.Numbers["roles"], p.Numbers["events"],
				p.Numbers["events_per_second"], p.Numbers["lag"])
		}
		if err := rows.end(); err != nil {
			return err
		}
	}
	if err := env.text([]string{"", "Alerts since " + n.From.Format(time.RFC3339)}); err != nil {
		return err
	}
	rows := env.list("alerts", "severity", "rule", "organization")
	for _, a := range n.Alerts {
		organization := a.Organization
		if organization == "" {
			organization = noOrganization
		}
		rows.row(narrate.Thousands(a.Alerts), a.Severity, a.Rule, organization)
	}
	return rows.end()
}

// liveObject is the form for programs. Its names are those of the totals in Redis.
func liveObject(n *app.LiveNumbers) any {
	type count struct {
		Rule         string `json:"rule"`
		Severity     string `json:"severity"`
		Organization string `json:"organization"`
		Alerts       int64  `json:"alerts"`
	}
	type process struct {
		Instance string            `json:"instance"`
		Updated  time.Time         `json:"updated"`
		Numbers  map[string]string `json:"numbers"`
	}
	out := struct {
		EventsProcessed     int64      `json:"eventsProcessed"`
		ErrorsGenerated     int64      `json:"errorsGenerated"`
		ErrorRate           float64    `json:"errorRate"`
		IntegrityViolations int64      `json:"integrityViolations"`
		ProcessingLatency   float64    `json:"processingLatency"`
		QueueDepth          int64      `json:"queueDepth"`
		AlertsGenerated     int64      `json:"alertsGenerated"`
		SuspiciousPatterns  int64      `json:"suspiciousPatterns"`
		Timestamp           *time.Time `json:"timestamp"`
		Since               time.Time  `json:"since"`
		Alerts              []count    `json:"alerts"`
		Processes           []process  `json:"processes"`
	}{
		EventsProcessed: n.Totals.Events, ErrorsGenerated: n.Totals.Errors, ErrorRate: n.Totals.ErrorRate,
		IntegrityViolations: n.Totals.IntegrityViolations, ProcessingLatency: n.Totals.Latency,
		QueueDepth: n.Totals.Queue, AlertsGenerated: n.Totals.Alerts, SuspiciousPatterns: n.Totals.Patterns,
		Since: n.From, Alerts: []count{}, Processes: []process{},
	}
	if !n.Totals.Updated.IsZero() {
		out.Timestamp = &n.Totals.Updated
	}
	for _, a := range n.Alerts {
		out.Alerts = append(out.Alerts, count{a.Rule, a.Severity, a.Organization, a.Alerts})
	}
	for _, p := range n.Processes {
		out.Processes = append(out.Processes, process{p.Instance, p.Updated, p.Numbers})
	}
	return out
}

// noOrganization stands for the events that name none.
const noOrganization = "(none)"
