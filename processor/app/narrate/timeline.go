package narrate

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"tocsin/processor/app/terminal"
	"tocsin/processor/sink"
	"tocsin/topics"
)

// shownEvents is how many events a timeline lists unless all are asked for.
const shownEvents = 10

// timeline draws when the events happened, and lists them.
func timeline(p *terminal.Page, d *sink.Detail, o Options) {
	events := slices.Clone(d.Alert.Evidence)
	if len(events) == 0 {
		return
	}
	slices.SortStableFunc(events, func(a, b topics.Evidence) int {
		return cmp.Or(cmp.Compare(a.Timestamp, b.Timestamp), cmp.Compare(a.Topic, b.Topic),
			cmp.Compare(a.Partition, b.Partition), cmp.Compare(a.Offset, b.Offset))
	})
	first, last := events[0].Timestamp.Time(), events[len(events)-1].Timestamp.Time()
	clock := "event time"
	if !d.OrganizationTrusted {
		clock = "record time"
	}
	p.Heading(fmt.Sprintf("Timeline of %s (%s, UTC)", number(int64(len(events)), "event"), clock))
	form := clockForm(first, last)
	if last.After(first) {
		strip(p, d, events, form)
		p.Gap()
	}
	list(p, d, events, form, o)
}

// clockForm is how times are written so that they differ: with the date where they span more than a day, with
// milliseconds where they lie close together.
func clockForm(first, last time.Time) string {
	switch {
	case first.Format(time.DateOnly) != last.Format(time.DateOnly):
		return "2006-01-02 15:04:05"
	case last.Sub(first) < 10*time.Second && last.Sub(first)%time.Second != 0:
		return "15:04:05.000"
	}
	return "15:04:05"
}

// strip draws the events along a line: in each place how many there are, . for none, + for more than nine.
func strip(p *terminal.Page, d *sink.Detail, events []topics.Evidence, form string) {
	first, last := int64(events[0].Timestamp), int64(events[len(events)-1].Timestamp)
	from, to := events[0].Timestamp.Time().Format(form), events[len(events)-1].Timestamp.Time().Format(form)
	const margin = 2
	places := min(p.Width(), 120) - margin - len(from) - len(to) - 4
	if places < 10 {
		return
	}
	at := func(t int64) int { return int(float64(t-first) / float64(last-first) * float64(places-1)) }
	counts := make([]int, places)
	for _, e := range events {
		counts[at(int64(e.Timestamp))]++
	}
	var b strings.Builder
	for _, n := range counts {
		switch {
		case n == 0:
			b.WriteByte('.')
		case n > 9:
			b.WriteByte('+')
		default:
			b.WriteString(strconv.Itoa(n))
		}
	}
	p.Line(margin, from+" |"+b.String()+"| "+to)
	crossing := int64(d.Crossing)
	if !d.OrganizationTrusted || crossing < first || crossing > last {
		return
	}
	mark := "^ the alert"
	column := margin + len(from) + 2 + at(crossing)
	if column+len(mark) > p.Width() {
		mark = "the alert ^"
		column -= len(mark) - 1
	}
	p.Line(column, mark)
}

// list shows the events, with what their records say where there are copies.
func list(p *terminal.Page, d *sink.Detail, events []topics.Evidence, form string, o Options) {
	copies := map[string]*sink.Copy{}
	for i := range d.Evidence {
		copies[place(&d.Evidence[i].Evidence)] = &d.Evidence[i]
	}
	columns := []terminal.Column{
		{Name: "TIME", Keep: true}, {Name: "RECORD", Keep: true}, {Name: "VERIFICATION", Keep: true},
		{Name: "ACTION", Most: 40}, {Name: "OUTCOME", Most: 40}, {Name: "EVENT", Most: 40}, {Name: "TARGET", Most: 40},
		{Name: "ADDRESS", Most: 40},
	}
	skip, left := len(events), 0
	if !o.All && len(events) > shownEvents {
		skip, left = shownEvents/2, len(events)-shownEvents
	}
	var rows [][]string
	for i := range events {
		e := &events[i]
		if i >= skip && i < skip+left {
			if i == skip {
				cells := make([]string, len(columns))
				cells[0], cells[1] = "…", fmt.Sprintf("%d more", left)
				rows = append(rows, cells)
			}
			continue
		}
		cells := []string{e.Timestamp.Time().Format(form), place(e), e.Outcome, "", "", cmp.Or(e.ID, e.IDSHA256), "", ""}
		if c := copies[place(e)]; c != nil && len(c.Value) > 0 {
			cells[3], cells[4], cells[6], cells[7] = read(c)
		}
		rows = append(rows, cells)
	}
	p.Table(2, columns, rows)
}

// place is where a record lies, as commands take and print it.
func place(e *topics.Evidence) string {
	return e.Topic + ":" + strconv.Itoa(int(e.Partition)) + ":" + strconv.FormatInt(e.Offset, 10)
}

// read gives of a copied record what helps to recognise it. What cannot be read is empty.
func read(c *sink.Copy) (action, outcome, target, address string) {
	var e topics.Event
	limits := topics.DefaultLimits()
	limits.MaxBytes = max(limits.MaxBytes, len(c.Value))
	if reason, _ := e.Decode(c.Value, c.Headers, limits); reason != topics.ReasonNone && reason < topics.ReasonTampered {
		return "", "", "", ""
	}
	outcome = e.Status.String()
	if text := string(e.OutcomeDescription); text != "" {
		outcome += ": " + text
	}
	target = string(e.TargetResourceType)
	if id := string(e.TargetResourceID); id != "" {
		if target != "" {
			target += "/"
		}
		target += id
	}
	return string(e.Action), outcome, target, string(e.IPAddress)
}
