package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"tocsin/processor/app"
	"tocsin/processor/app/hospital"
	"tocsin/processor/app/narrate"
	"tocsin/processor/app/terminal"
)

// wideDemo is the width from which on each alert has one line in the demo's tables.
const wideDemo = 132

// demoScreen is the demo for people.
type demoScreen struct {
	env   *environment
	look  look
	pace  time.Duration
	day   *hospital.Day
	found grid
	open  bool // a status line without its end is on the terminal
	err   error
}

func (s *demoScreen) print(format string, args ...any) {
	if s.err == nil {
		_, s.err = fmt.Fprintf(s.env.stdout, format, args...)
	}
}

// prose writes a paragraph.
func (s *demoScreen) prose(style terminal.Style, format string, args ...any) {
	for _, l := range terminal.Wrap(fmt.Sprintf(format, args...), min(s.look.width, 110), false) {
		s.print("%s\n", s.look.paint(style, l))
	}
}

// Starting implements app.DemoView.
func (s *demoScreen) Starting(dir string) {
	s.prose(terminal.Faint, "Starting a Kafka broker, PostgreSQL, processor and sink in %s", here(dir))
}

// Playing implements app.DemoView.
func (s *demoScreen) Playing(d *hospital.Day) {
	s.day = d
	attacks := 0
	for i := range d.Planted {
		if d.Planted[i].Alert() {
			attacks++
		}
	}
	s.print("\n")
	s.prose(terminal.Bold, "One day of a hospital network: %s", d.Start.Format("Monday, 2 January 2006"))
	pace := "as fast as it goes"
	if s.pace > 0 {
		pace = "in " + duration(s.pace)
	}
	s.prose(terminal.Plain, "%d people and %d services in %d hospitals, %s audit events, %d attacks among them. Midnight "+
		"to midnight UTC, %s; an alert is shown when it has come into the database.", d.People, d.Services, len(d.Sites),
		narrate.Thousands(len(d.Records)), attacks, pace)
	s.print("\n")
	s.found = grid{w: s.env.stdout, look: s.look, columns: s.columns()}
	s.found.head()
}

// columns of the table of alerts. On a narrow terminal what happened, to whom and by which rule share a column.
func (s *demoScreen) columns() []column {
	const what = "WHAT HAPPENED"
	clock, severity, count := column{title: "LOCAL TIME", width: 13}, column{title: "SEVERITY", width: 8},
		column{title: "COUNT", width: 5, right: true}
	if s.look.width < wideDemo {
		return []column{clock, severity, {title: what, width: s.look.rest(clock, severity, count)}, count}
	}
	rule, organization, who := column{title: "RULE", width: 19}, column{title: "ORGANISATION", width: 16},
		column{title: "WHO", width: 22}
	return []column{clock, severity, rule, organization, who,
		{title: what, width: s.look.rest(clock, severity, rule, organization, who, count)}, count}
}

// Found implements app.DemoView.
func (s *demoScreen) Found(a app.StoredAlert) {
	s.clear()
	clock, severity := cell(s.clock(&a)), styled(a.Severity, terminal.Severity(a.Severity))
	who, what, organization := demoWho(&a), demoWords(&a), narrate.Organization(a.Organization)
	if s.look.width >= wideDemo {
		s.found.row(clock, severity, cell(a.Rule.ID), cell(organization), styled(who, terminal.Bold), cell(what),
			cell(count(a)))
		return
	}
	detail := organization + s.look.or(" · ", ", ") + a.Rule.ID
	s.found.row(clock, severity, []line{{what, terminal.Plain}, {who, terminal.Bold}, {detail, terminal.Faint}},
		cell(count(a)))
}

// clock is when an alert was due, where it happened.
func (s *demoScreen) clock(a *app.StoredAlert) string {
	return a.Crossing.Time().In(s.day.Zone(a.Organization)).Format("Mon 15:04 MST")
}

// Clock implements app.DemoView: one line on the terminal, written over and over.
func (s *demoScreen) Clock(at time.Time, records, of int) {
	if !s.env.stderrTerminal {
		return
	}
	s.open = true
	_, _ = fmt.Fprintf(s.env.stderr, "\r\x1b[K%s  %s of %s events", at.UTC().Format("15:04 MST"),
		narrate.Thousands(records), narrate.Thousands(of))
}

// clear takes the status line away.
func (s *demoScreen) clear() {
	if s.open {
		s.open = false
		_, _ = io.WriteString(s.env.stderr, "\r\x1b[K")
	}
}

// Over implements app.DemoView.
func (s *demoScreen) Over(r *app.DemoReport) error {
	s.clear()
	if err := s.found.end(); err != nil {
		return err
	}
	s.print("\n")
	s.prose(terminal.Bold, "What was planted, and what stands in the database at the end")
	s.print("\n")
	s.planted(r)
	s.print("\n")
	s.numbers(r)
	for _, f := range r.Faults {
		s.prose(terminal.Red, "Wrong: %s", f)
	}
	for _, a := range r.Unexpected {
		s.prose(terminal.Red, "Not planted: %s of %s in %s, %s", a.Rule.ID, app.GroupText(a.Alert),
			narrate.Organization(a.Organization), a.ID)
	}
	style := terminal.Green
	if !r.OK() {
		style = terminal.Red
	}
	s.print("\n")
	s.prose(style, "%s", demoVerdict(r))
	s.print("\n")
	s.next(r)
	return s.err
}

// planted writes the comparison.
func (s *demoScreen) planted(r *app.DemoReport) {
	mark := column{title: "", width: 2}
	columns := []column{mark, {title: "PLANTED", width: 0}, {title: "ALERT", width: 14}}
	columns[1].width = s.look.rest(columns[0], columns[2])
	if s.look.width >= wideDemo {
		rule, organization, who := column{title: "RULE", width: 19}, column{title: "ORGANISATION", width: 16},
			column{title: "WHO", width: 24}
		alert := column{title: "ALERT", width: 40}
		columns = []column{mark, {title: "PLANTED", width: s.look.rest(mark, rule, organization, who, alert)}, rule,
			organization, who, alert}
	}
	g := grid{w: s.env.stdout, look: s.look, columns: columns}
	g.head()
	for i := range r.Planted {
		p := &r.Planted[i]
		sign, style := s.look.or("✓", "ok"), terminal.Green
		if !p.OK() {
			sign, style = s.look.or("✗", "NO"), terminal.Red
		}
		alert, short := "none: "+p.Why, "none"
		switch {
		case p.Found != nil:
			alert = p.Found.Severity + ", " + events(p.Found.Count)
			short = fmt.Sprintf("%s, %d", p.Found.Severity, p.Found.Count)
		case p.Alert():
			alert, short = "missing", "missing"
		}
		who := p.Who
		if n := strings.Count(who, " "); n > 2 {
			who = fmt.Sprintf("%d people", n+1)
		}
		if s.look.width >= wideDemo {
			g.row(styled(sign, style), cell(p.What), cell(p.Rule), cell(p.Organization), styled(who, terminal.Bold),
				cell(alert))
			continue
		}
		detail := []line{{p.What, terminal.Plain}, {who + s.look.or(" · ", ", ") + p.Organization, terminal.Faint}}
		if p.Why != "" {
			detail = append(detail, line{p.Why, terminal.Faint})
		}
		g.row(styled(sign, style), detail, cell(short))
	}
	if err := g.end(); s.err == nil {
		s.err = err
	}
}

// numbers says what became of the records, and how fast.
func (s *demoScreen) numbers(r *app.DemoReport) {
	v, n := r.Verdicts, int64(len(r.Day.Records))
	s.prose(terminal.Plain, "%s records, and each has one verdict: %s judged (%s of them excepted from a rule), %s "+
		"recognised as second deliveries, %d set aside with a reason.", narrate.Thousands(n), narrate.Thousands(v.Judged),
		narrate.Thousands(v.Exempted), narrate.Thousands(v.Duplicates), v.DeadTotal())
	var aside []string
	for _, reason := range slices.Sorted(maps.Keys(v.DeadLetters)) {
		aside = append(aside, fmt.Sprintf("%d %s", v.DeadLetters[reason], reason))
	}
	s.prose(terminal.Plain, "Set aside: %s.", strings.Join(aside, ", "))
	pace := ""
	if s.pace > 0 {
		pace = " (at the pace of the day: --pace 0s does not wait)"
	}
	same := "the alerts are the same"
	if !r.Again.Same {
		same = "the alerts are NOT the same"
	}
	s.prose(terminal.Plain, "Speed: %s events in %s, %s a second%s. Judged again from the log alone: %s, %s a second, "+
		"and %s.", narrate.Thousands(n), duration(r.Took), narrate.Thousands(rate(n, r.Took)), pace, duration(r.Again.Took),
		narrate.Thousands(rate(r.Again.Records, r.Again.Took)), same)
}

// next says what can be done now. Each command stands on a line of its own, indented by four.
func (s *demoScreen) next(r *app.DemoReport) {
	paste := func(text string) { s.print("    %s\n", s.look.paint(terminal.Cyan, text)) }
	s.prose(terminal.Plain, "Everything is in %s, the zones, rosters and exceptions in %s. To look around (a command "+
		"starts the database or the broker if it does not run, and stops it again):", here(r.Dir),
		here(r.Dir+"/tocsin.yaml"))
	paste(s.env.command(r.Client, "alerts", "ls"))
	if worst := demoWorst(r); worst != nil {
		paste(s.env.command(r.Client, "alerts", "show", worst.ID))
	}
	paste(s.env.command(r.Client, "deadletter", "ls", "--reason", "tampered"))
	paste("cat " + terminal.Quote(here(r.Dir+"/tocsin.yaml")))
}

// Up implements app.DemoView.
func (s *demoScreen) Up(r *app.DemoReport, up app.Started) {
	s.print("\n")
	s.prose(terminal.Bold, "Everything stays up until you press Ctrl-C.")
	s.prose(terminal.Plain, "Meanwhile, in another terminal: five failed logins of your own, and the alert they raise. "+
		"http://%s/metrics and /readyz say how it works.", up.HTTP)
	s.print("    %s\n", s.look.paint(terminal.Cyan, `for i in 1 2 3 4 5; do echo '{"id":"mine-'$i'",`+
		`"timestamp":"'$(date -u +%FT%TZ)'","action":"auth.login.failure","status":"failure","principalId":"me",`+
		`"organizationId":"`+r.Day.Sites[0].ID+`"}'; done | `+s.env.command(r.Client, "ingest", "-")))
	s.print("    %s\n", s.look.paint(terminal.Cyan, s.env.command(r.Client, "alerts", "ls", "--since", "1h")))
}

// demoWorst is the alert to look at first: of a person, with the most events.
func demoWorst(r *app.DemoReport) (worst *app.StoredAlert) {
	for i := range r.Planted {
		a := r.Planted[i].Found
		if a != nil && a.Severity == "CRITICAL" && a.Group["principal"] != "" && (worst == nil || a.Count > worst.Count) {
			worst = a
		}
	}
	return worst
}

// demoWho is the principal, or where an integrity alert comes from.
func demoWho(a *app.StoredAlert) string {
	if a.Group["kind"] != "" {
		return "source " + a.Group["source"]
	}
	return app.GroupText(a.Alert)
}

// demoWords is what happened, up to now.
func demoWords(a *app.StoredAlert) string {
	within := duration(time.Duration(a.LastSeen - a.FirstSeen))
	switch {
	case a.Rule.ID == "failed-auth-burst":
		return fmt.Sprintf("%d failed logins in %s", a.Count, within)
	case a.Rule.ID == "unauthorized-access":
		return fmt.Sprintf("%d denied attempts in %s", a.Count, within)
	case a.Rule.ID == "data-velocity":
		return fmt.Sprintf("%d records opened in %s", a.Count, within)
	case a.Rule.ID == "bulk-operation":
		return fmt.Sprintf("%d exports in %s", a.Count, within)
	case a.Rule.ID == "off-hours-access":
		return "opens records outside working hours"
	case a.Group["kind"] == "tampered":
		return "an event was changed after it was signed"
	case a.Group["kind"] == "forged":
		return "an event is signed with a wrong key"
	case a.Group["kind"] == "id_conflict":
		return "another event came under the same id"
	}
	return a.Title
}

func events(n int64) string {
	if n == 1 {
		return "1 event"
	}
	return fmt.Sprintf("%d events", n)
}

func rate(n int64, d time.Duration) int64 { return int64(float64(n) / max(d.Seconds(), 1e-3)) }

// duration in the units that people use.
func duration(d time.Duration) string {
	switch {
	case d < 10*time.Second:
		return strconv.FormatFloat(d.Seconds(), 'f', 1, 64) + " s"
	case d < 2*time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()+0.5))
	case d < 2*time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()+0.5))
	}
	return fmt.Sprintf("%.1f h", d.Hours())
}
