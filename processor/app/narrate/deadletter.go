package narrate

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"tocsin/processor/app/terminal"
	"tocsin/processor/ingest"
	"tocsin/topics"
)

// SetAside is a record that was set aside.
type SetAside struct {
	ingest.DeadLetter        // what its headers say
	Topic             string // of the dead letters, where it lies now
	Partition         int32
	Offset            int64
	At                time.Time
	Key, Value        []byte
	Headers           []topics.Header
}

// DeadLetter tells of one record that was set aside: what was wrong with it, where it came from, how to mend it.
func DeadLetter(d *SetAside, o Options) string {
	p := o.page()
	p.Title(terminal.Yellow, d.Reason, "set aside "+moment(d.At), "")
	p.Gap()
	p.Text(0, Reason(d.Reason)+kept(d))

	p.Heading("What")
	if d.Error == "" {
		p.Text(2, "The record carries no error text.")
	} else {
		p.Text(2, capital(d.Error))
	}
	p.Heading("Where")
	from := fmt.Sprintf("%s partition %d offset %d", d.DeadLetter.Topic, d.DeadLetter.Partition, d.First)
	if d.Last > d.First {
		from = fmt.Sprintf("%s partition %d offsets %d to %d", d.DeadLetter.Topic, d.DeadLetter.Partition, d.First, d.Last)
	}
	if d.Timestamp != 0 {
		from += ", written " + moment(time.UnixMilli(d.Timestamp))
	}
	p.Text(2, "It came from "+from+".")
	p.Text(2, fmt.Sprintf("It lies in %s partition %d offset %d.", d.Topic, d.Partition, d.Offset))
	p.Heading("How to mend it")
	p.Text(2, Mend(d.Reason))
	record(p, d, o)

	p.Heading("Next")
	if d.Reason != "" {
		p.Command("The others with this reason:", o.Command("deadletter", "ls", "--reason", d.Reason))
	}
	p.Command("How many there are, by reason:", o.Command("deadletter", "stats"))
	if d.Last == d.First && len(d.Value) > 0 {
		p.Command("All of the record, and all its headers:",
			o.Command("deadletter", "show", "--all", strconv.Itoa(int(d.Partition))+":"+strconv.FormatInt(d.Offset, 10)))
	}
	return p.String()
}

// kept says what became of the record.
func kept(d *SetAside) string {
	for _, h := range d.Headers {
		if h.Key == topics.HeaderFullLength {
			return fmt.Sprintf(" It was not judged by any rule. The first %s of its %s bytes are kept here.",
				number(int64(len(d.Value)), "byte"), h.Value)
		}
	}
	if d.Last > d.First {
		return " What was in it was not judged by any rule, and could not be kept."
	}
	return " It was not judged by any rule, and it is kept here with the bytes it came with."
}

// atByte finds the place of a fault in the error text.
var atByte = regexp.MustCompile(`at byte ([0-9]+)( of the decoded data_base64)?`)

// record shows the bytes around the fault, or the first of them; all of them if they are asked for.
func record(p *terminal.Page, d *SetAside, o Options) {
	size := number(int64(len(d.Value)), "byte")
	p.Heading("The record (" + size + ")")
	for _, h := range d.Headers {
		if o.All || !strings.HasPrefix(h.Key, "tocsin-") {
			p.Line(2, fmt.Sprintf("header %s: %s", h.Key, shown(h.Value, o)))
		}
	}
	if len(d.Key) > 0 {
		p.Line(2, "key: "+shown(d.Key, o))
	}
	if len(d.Value) == 0 {
		p.Line(2, "It has no value.")
		return
	}
	if o.All {
		for line := range strings.SplitSeq(terminal.Escape(string(d.Value), true), "\n") {
			p.Line(2, line)
		}
		return
	}
	at := -1
	if m := atByte.FindStringSubmatch(d.Error); m != nil && m[2] == "" {
		if n, err := strconv.Atoi(m[1]); err == nil && n <= len(d.Value) {
			at = n
		}
	}
	excerpt(p, d.Value, at)
}

// shown cuts what is long.
func shown(b []byte, o Options) string {
	if o.All {
		return string(b)
	}
	return terminal.Cut(terminal.Escape(string(b), false), 100)
}

// excerpt writes one line of the value, so that the byte at is in it, with a mark below it; at < 0 is the beginning
// without a mark.
func excerpt(p *terminal.Page, value []byte, at int) {
	room := p.Width() - 4
	before, after := value[:max(at, 0)], value[max(at, 0):]
	left := tail(before, room*2/3)
	right := head(after, room-utf8.RuneCountInString(left))
	p.Line(2, left+right)
	if at < 0 {
		return
	}
	mark := fmt.Sprintf("^ byte %d", at)
	column := 2 + utf8.RuneCountInString(left)
	if column+len(mark) > p.Width() {
		mark = fmt.Sprintf("byte %d ^", at)
		column -= len(mark) - 1
	}
	p.Line(max(column, 0), mark)
}

// head is the beginning of b as text of at most room characters, … at the end of what is cut.
func head(b []byte, room int) string {
	cut := len(b) > 4*room // a character takes at most four bytes
	if cut {
		b = b[:4*room]
	}
	text := []rune(terminal.Escape(string(b), false))
	if !cut && len(text) <= room {
		return string(text)
	}
	return string(text[:min(len(text), max(room-1, 0))]) + "…"
}

// tail is the end of b as text of at most room characters, … at the beginning of what is cut.
func tail(b []byte, room int) string {
	cut := len(b) > 4*room
	if cut {
		b = b[len(b)-4*room:]
		for len(b) > 0 && !utf8.RuneStart(b[0]) {
			b = b[1:]
		}
	}
	text := []rune(terminal.Escape(string(b), false))
	if !cut && len(text) <= room {
		return string(text)
	}
	return "…" + string(text[max(len(text)-room+1, 0):])
}
