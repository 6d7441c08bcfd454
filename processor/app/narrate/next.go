package narrate

import (
	"slices"
	"strconv"

	"tocsin/processor/app/terminal"
	"tocsin/processor/sink"
	"tocsin/topics"
)

// next lists the commands that lead on from an alert.
func next(p *terminal.Page, d *sink.Detail, o Options) {
	a := &d.Alert
	as := func(args ...string) []string {
		if o.Organization != "" {
			args = append(args, "--organization", o.Organization)
		}
		return args
	}
	p.Heading("Next")
	if a.State == topics.StateMerged && a.MergedInto != "" {
		p.Command("The alert that this one is part of:", o.Command(as("alerts", "show", a.MergedInto)...))
	}
	if !o.All && len(a.Evidence) > shownEvents {
		p.Command("All events:", o.Command(as("alerts", "show", "--all", a.ID)...))
	}
	p.Command("All there is of it, with the records themselves:", o.Command(as("alerts", "show", "-o", "json", a.ID)...))
	if partition, to, ok := stretch(a.Evidence); ok && o.Organization == "" {
		p.Command("Judge the log again, and look for the same alert in what comes of it:",
			o.Command("replay", "--partition", partition, "--to", to, "--out", "-")+" | grep "+a.ID)
	}
	if !a.OrganizationTrusted && o.Organization == "" {
		if reason, ok := topics.ParseReason(a.Group["kind"]); ok && reason != topics.ReasonNone {
			p.Command("What was set aside as "+reason.String()+":", o.Command("deadletter", "ls", "--reason", reason.String()))
		}
	}
	if a.OrganizationTrusted && a.Organization != "" {
		p.Command("Other alerts of this organisation:", o.Command("alerts", "ls", "--organization", a.Organization))
	}
	p.Command("What comes next, as it comes:", o.Command(as("alerts", "watch")...))
}

// stretch is the partition the events lie in and the offset behind the last of those that made the alert; not ok when
// they lie in several.
func stretch(events []topics.Evidence) (partition, to string, ok bool) {
	if len(events) == 0 {
		return "", "", false
	}
	first := events[0]
	end := int64(0)
	if slices.ContainsFunc(events, func(e topics.Evidence) bool {
		end = max(end, e.Offset+1)
		return e.Topic != first.Topic || e.Partition != first.Partition
	}) {
		return "", "", false
	}
	return strconv.Itoa(int(first.Partition)), strconv.FormatInt(end, 10), true
}
