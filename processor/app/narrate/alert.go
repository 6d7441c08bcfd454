package narrate

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"tocsin/processor/app/terminal"
	"tocsin/processor/sink"
	"tocsin/topics"
)

// Alert tells of one alert: what happened, why the rule fired, what is proven and what is not, when, and what can be
// done next.
func Alert(d *sink.Detail, o Options) string {
	p := o.page()
	a := &d.Alert
	standing := fmt.Sprintf("%s, %s", a.State, d.Status)
	if a.State == topics.StateOpen && d.Status == "open" {
		standing = "open"
	}
	p.Title(terminal.Severity(a.Severity), a.Severity, a.Title, standing)
	p.Gap()
	p.Text(0, what(a))
	if a.Runbook != "" {
		p.Line(0, "What to do: "+a.Runbook)
	}

	p.Heading("Why it fired")
	for _, s := range why(a) {
		p.Text(2, s)
	}
	proven, open := proof(d, o)
	p.Heading("What is proven")
	for _, s := range proven {
		p.Item(terminal.Green, "+", s)
	}
	p.Heading("What is not")
	for _, s := range open {
		p.Item(terminal.Yellow, "-", s)
	}
	timeline(p, d, o)
	history(p, d)
	facts(p, d)
	next(p, d, o)
	return p.String()
}

// what is the alert's own sentence. What it says of the threshold comes below it.
func what(a *topics.Alert) string {
	s := a.Sentence
	if s == "" {
		return fmt.Sprintf("Events that claim to be of organisation %s failed verification between %s and %s. What they"+
			" claim besides is shown to operators only.", Organization(a.Organization), moment(a.FirstSeen.Time()),
			moment(a.LastSeen.Time()))
	}
	if i := strings.LastIndex(s, " (the rule asks for "); i > 0 && a.Threshold > 1 {
		s = s[:i]
	}
	return capital(s)
}

// Organization shows events without one as what they are.
func Organization(name string) string {
	if name == "" {
		return "(none)"
	}
	return name
}

// windowOf is the time within which the threshold must be reached; 0 for a rule without a window.
func windowOf(a *topics.Alert) time.Duration {
	d, err := time.ParseDuration(a.Window)
	if err != nil || d <= 1 {
		return 0
	}
	return d
}

// why says what the rule asks for, and what met it.
func why(a *topics.Alert) []string {
	if !a.OrganizationTrusted {
		return []string{fmt.Sprintf("Rule %s fires at the first event that fails verification. Further ones of the same"+
			" kind, source and partition join the same alert: %s so far, by record time (what the events themselves state is"+
			" not trusted).", a.Rule.ID, number(a.Count, "event"))}
	}
	window := windowOf(a)
	var s string
	switch {
	case a.Threshold == 1 && window == 0:
		s = fmt.Sprintf("Rule %s fires at every such event, one is enough", a.Rule.ID)
	case window == 0:
		s = fmt.Sprintf("Rule %s fires at %s", a.Rule.ID, number(a.Threshold, "event"))
	default:
		s = fmt.Sprintf("Rule %s fires at %s within %s, wherever these lie", a.Rule.ID, number(a.Threshold, "event"),
			span(window))
	}
	if groups := groupText(a); groups != "" {
		s += ", counted for each " + groups
	}
	out := []string{s + "."}
	first := a.FirstSeen.Time()
	crossing := a.Crossing.Time()
	switch took := crossing.Sub(first); {
	case a.Threshold == 1:
		s = fmt.Sprintf("It fired at %s.", moment(crossing))
	case took < 0, window > 0 && took > window:
		s = fmt.Sprintf("The %s was reached at %s.", ordinal(a.Threshold), moment(crossing))
	case took == 0:
		s = fmt.Sprintf("The %s came at %s, at the same moment as the first.", ordinal(a.Threshold), moment(crossing))
	default:
		s = fmt.Sprintf("The %s came at %s, %s after the first: that made the alert.", ordinal(a.Threshold),
			moment(crossing), span(took))
	}
	out = append(out, s)
	if a.Count > a.Threshold {
		s = fmt.Sprintf("By now there are %s.", number(a.Count, "event"))
		if first, last := a.Span.First.Time(), a.Span.Last.Time(); window > 0 && last.After(first) {
			s = fmt.Sprintf("By now there are %s; the threshold was met over and over from %s to %s.",
				number(a.Count, "event"), moment(first), moment(last))
		}
		out = append(out, s)
	}
	switch a.State {
	case topics.StateMerged:
		out = append(out, "An event that came later joined this burst to another: it goes on as alert "+a.MergedInto+".")
	case topics.StateClosed:
		out = append(out, "It is closed: nothing has been added for as long as the rule waits. A late event can open it"+
			" again.")
	}
	return []string{strings.Join(out, " ")}
}

// groupText is what the rule counts by, for instance "principal of an organisation".
func groupText(a *topics.Alert) string {
	if _, ok := a.Group["principal"]; ok {
		return "principal"
	}
	if _, ok := a.Group["ip"]; ok {
		return "address, for the events name no principal"
	}
	return ""
}

// history lists what happened to the alert: the last things, where there are many.
func history(p *terminal.Page, d *sink.Detail) {
	if len(d.History) == 0 {
		return
	}
	p.Heading("History")
	const most = 8
	rows := d.History
	if left := len(rows) - most; left > 0 {
		rows = rows[left:]
		p.Line(2, fmt.Sprintf("(%s before)", number(int64(left), "change")))
	}
	columns := []terminal.Column{{Name: "WHEN", Keep: true}, {Name: "WHAT", Keep: true}, {Name: "BY", Most: 40},
		{Name: "NOTE"}}
	var cells [][]string
	for i := range rows {
		h := &rows[i]
		cells = append(cells, []string{moment(h.At), change(h), h.Actor, h.Note})
	}
	p.Table(2, columns, cells)
}

// change says in words what a row of the history is.
func change(h *sink.Change) string {
	switch {
	case h.Kind == "revision":
		return fmt.Sprintf("revision %d: %s, %s", h.Revision, h.State, number(h.Count, "event"))
	case h.ToStatus != "" && h.FromStatus != "":
		return fmt.Sprintf("%s (was %s)", h.ToStatus, h.FromStatus)
	case h.ToStatus != "":
		return h.ToStatus
	}
	return h.Kind
}

// facts are what one looks up rather than reads.
func facts(p *terminal.Page, d *sink.Detail) {
	a := &d.Alert
	p.Heading("Reference")
	line := func(name, value string) {
		if value != "" {
			p.Line(2, fmt.Sprintf("%-13s %s", name, value))
		}
	}
	line("alert", a.ID)
	line("revision", strconv.Itoa(a.Revision)+", "+a.Mode)
	line("rule", a.Rule.ID+", version "+a.Rule.Version)
	line("organisation", Organization(a.Organization))
	for _, field := range sortedKeys(a.Group) {
		line(field, a.Group[field])
	}
	line("type", a.Type)
	line("tags", strings.Join(a.Tags, ", "))
	line("trace", a.TraceID)
}
