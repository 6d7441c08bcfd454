package narrate

import (
	"fmt"

	"tocsin/processor/app/terminal"
	"tocsin/processor/sink"
	"tocsin/topics"
)

// oneLine is the width from which on a happening takes one line.
const oneLine = 140

// Happening tells in a line or two what happened to an alert: when it was stored, what, to which alert, and its id.
func Happening(h *sink.Happening, o Options) string {
	p := o.page()
	a := &h.Alert.Alert
	const indent = 21
	head := h.At.UTC().Format("15:04:05") + "  " + fmt.Sprintf("%-11s", occurrence(h))
	text := a.Title + ": " + subject(a)
	if h.Count > 0 {
		text += ", " + number(h.Count, "event")
	}
	if h.Kind != "revision" {
		text += ", by " + h.Actor
		if h.Note != "" {
			text += " (" + h.Note + ")"
		}
	}
	mark := fmt.Sprintf("%-8s", a.Severity)
	room := p.Width() - indent - len(mark) - 2
	if p.Width() < oneLine {
		p.Marked(head, terminal.Severity(a.Severity), mark, terminal.Cut(terminal.Escape(text, false), room))
		p.Line(indent, a.ID)
		return p.String()
	}
	room -= len(a.ID) + 2
	p.Marked(head, terminal.Severity(a.Severity), mark,
		fmt.Sprintf("%-*s  %s", room, terminal.Cut(terminal.Escape(text, false), room), a.ID))
	return p.String()
}

// occurrence is what happened, in a word.
func occurrence(h *sink.Happening) string {
	switch {
	case h.Kind != "revision" && h.ToStatus != "":
		return h.ToStatus
	case h.Kind != "revision":
		return h.Kind
	case h.State == topics.StateClosed || h.State == topics.StateMerged:
		return h.State
	case h.Revision == 1:
		return "new"
	}
	return "grown"
}

// subject is whom an alert is about.
func subject(a *topics.Alert) string {
	var who string
	switch {
	case !a.OrganizationTrusted:
		who = a.Group["kind"]
		if source := a.Group["source"]; source != "" {
			who += ", source " + source
		}
		return who + ", claiming " + Organization(a.Organization)
	case a.Group["principal"] != "":
		who = a.Group["principal"]
	case a.Group["ip"] != "":
		who = a.Group["ip"]
	default:
		who = "nobody named"
	}
	return who + " of " + Organization(a.Organization)
}
