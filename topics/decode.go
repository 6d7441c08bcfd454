package topics

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"math"
	"strconv"
	"unicode/utf8"
)

// Decode reads the event in a record: its value and its headers. It returns ReasonNone when the event is good, else
// the one reason for the dead letters and an error for its header: what is wrong, where (field or byte offset), and
// what to do. It never panics, and its cost is linear in the record.
//
// The value must be UTF-8 and one JSON object; white space may surround it. Members that are not interpreted are
// checked as JSON and otherwise left alone. An interpreted member must not occur twice in its object, its name compared
// after unescaping and with exact case. Required are timestamp (see [ParseTimestamp]), action (not empty) and status;
// null counts as absent everywhere. The five optional canonical fields are absent also as "", 0 and false. id and
// eventId may both be there.
//
// Several faults at once give the reason that comes first in the order of the constants. After a refusal with
// ambiguous_field or a later reason e holds whatever could be read, as a claim (an ambiguous field is nil); after an
// earlier reason it holds at most what the headers say.
//
// CloudEvents 1.x: with a header ce_specversion the value is the event (binary mode), with a content-type
// application/cloudevents+json it is an envelope whose member data (an object) or data_base64 is the event (structured
// mode). id and source are then required. The envelope's time and type are not looked at: the event has its own
// timestamp, which the hash covers. Batches are refused.
//
// A tick (header [HeaderTick]) is no event: the caller must not pass one.
func (e *Event) Decode(value []byte, headers []Header, lim Limits) (Reason, error) {
	e.reset()
	e.Raw, e.doc = value, value
	d := decoder{e: e, b: value, maxDepth: lim.MaxDepth}
	d.run(headers, min(lim.MaxBytes, maxBytes))
	if d.reason != ReasonNone {
		return d.reason, d.err
	}
	return ReasonNone, nil
}

// decoder is the state of one Decode.
type decoder struct {
	e        *Event
	b        []byte // the text being read
	seen     uint64 // bit per field
	maxDepth int
	base64   bool // b is the decoded data_base64

	header cloudHeaders

	reason Reason // the first in order so far
	err    error
}

// fail notes a fault; the one whose reason comes first in the order of the constants is kept.
//
//go:noinline
func (d *decoder) fail(r Reason, format string, args ...any) {
	if d.reason != ReasonNone && d.reason <= r {
		return
	}
	d.reason, d.err = r, fmt.Errorf(format, args...)
}

// malformed notes a syntax fault at byte offset i.
//
//go:noinline
func (d *decoder) malformed(i int, s syntax) int {
	in := ""
	if d.base64 {
		in = " of the decoded data_base64"
	}
	d.fail(ReasonNotJSON, "not JSON at byte %d%s: %s", i, in, syntaxTexts[s])
	return -1
}

func (d *decoder) run(headers []Header, limit int) {
	e := d.e
	if len(d.b) > limit {
		d.fail(ReasonTooLarge, "value has %d bytes, the limit is %d: send smaller events or raise the limit",
			len(d.b), limit)
		return
	}
	d.readHeaders(headers)
	if !d.checkUTF8() {
		return
	}
	if len(d.b) == 0 {
		d.fail(ReasonNotJSON, "value is empty: a tombstone is no event")
		return
	}
	in := scopeEvent
	switch d.header.mode {
	case modeBatch:
		d.fail(ReasonNotJSON, "value is a CloudEvents batch: send one event per record")
		return
	case modeStructured:
		in = scopeEnvelope
	}
	if !d.document(in) {
		return
	}
	if in == scopeEnvelope && !d.openEnvelope() {
		return
	}
	d.checkCloud()
	d.finish()
	e.ID = firstText(e.fieldID, e.fieldEventID, e.ceID)
	e.Source = firstText(e.CESource, e.fieldSource, d.header.source)
}

// checkUTF8 must run before the scanner, which relies on it.
func (d *decoder) checkUTF8() bool {
	if utf8.Valid(d.b) {
		return true
	}
	at := 0
	for at < len(d.b) {
		r, n := utf8.DecodeRune(d.b[at:])
		if r == utf8.RuneError && n == 1 {
			break
		}
		at += n
	}
	d.fail(ReasonInvalidUTF8, "value is not UTF-8 at byte %d: encode events as UTF-8", at)
	return false
}

// document reads d.b, which must be one object.
func (d *decoder) document(in scope) bool {
	i := skipSpace(d.b, 0)
	switch {
	case i >= len(d.b):
		d.malformed(i, syntaxEnd)
		return false
	case bytes.HasPrefix(d.b, []byte("\xEF\xBB\xBF")):
		d.malformed(0, syntaxBOM)
		return false
	case d.b[i] != '{':
		d.notObject(i)
		return false
	}
	if i = d.object(i, 1, in); i < 0 {
		return false
	}
	if i = skipSpace(d.b, i); i != len(d.b) {
		d.malformed(i, syntaxTrailing)
		return false
	}
	return true
}

// notObject notes that the text is another JSON value, or no JSON at all.
func (d *decoder) notObject(i int) {
	if end, _, s := skipValue(d.b, i, 0, math.MaxInt); s > syntaxEscaped {
		d.malformed(end, s)
		return
	}
	d.fail(ReasonNotJSON, "value is JSON but no object: send one JSON object per record")
}

// object reads the object that begins at d.b[i], depth levels deep, takes the fields of its scope, and returns the
// offset behind it; -1 after a syntax fault.
func (d *decoder) object(i, depth int, in scope) int {
	b := d.b
	if depth > d.maxDepth {
		d.tooDeep(i)
	}
	i = skipSpace(b, i+1)
	if i < len(b) && b[i] == '}' {
		return i + 1
	}
	for {
		keyStart := i + 1
		at, keyEnd, s := scanKey(b, i)
		if s > syntaxEscaped {
			return d.malformed(at, s)
		}
		var f field
		if s == syntaxOK {
			f = lookup(in, b[keyStart:keyEnd])
		} else {
			f = lookupEscaped(in, b[keyStart:keyEnd])
		}
		switch {
		case b[at] == '"':
			end, s := scanString(b, at+1)
			if s > syntaxEscaped {
				return d.malformed(end, s)
			}
			i = end + 1
			if f != fieldNone {
				d.takeString(f, at, i, s == syntaxEscaped)
			}
		case b[at] == '{' && nested(f):
			d.first(f, at)
			inner := scopeSession
			if f == fieldCEData {
				inner = scopeEvent
			}
			if i = d.object(at, depth+1, inner); i < 0 {
				return -1
			}
			if f == fieldCEData {
				d.e.Raw = b[at:i]
			}
		default:
			end, deep, s := skipValue(b, at, depth, d.maxDepth)
			if s > syntaxEscaped {
				return d.malformed(end, s)
			}
			if deep >= 0 {
				d.tooDeep(deep)
			}
			i = end
			if f != fieldNone {
				d.takeOther(f, at, i)
			}
		}
		if i < len(b) && b[i] <= ' ' {
			i = skipSpace(b, i)
		}
		if i >= len(b) {
			return d.malformed(i, syntaxEnd)
		}
		if b[i] == '}' {
			return i + 1
		}
		if b[i] != ',' {
			return d.malformed(i, syntaxComma)
		}
		i++
		if i < len(b) && b[i] <= ' ' {
			i = skipSpace(b, i)
		}
	}
}

// nested tells the fields whose value is an object that is read and not skipped.
func nested(f field) bool { return f == fieldSessionContext || f == fieldCEData }

// lookupEscaped is lookup for a name with escapes.
func lookupEscaped(in scope, raw []byte) field {
	if len(raw) > 6*maxName {
		return fieldNone
	}
	var buf [6 * maxName]byte
	return lookup(in, appendUnescaped(buf[:0], raw))
}

func (d *decoder) tooDeep(i int) {
	d.fail(ReasonTooDeep, "value is nested deeper than %d levels at byte %d: flatten the event or raise the limit",
		d.maxDepth, i)
}

// first notes that f occurs and says whether it is for the first time.
func (d *decoder) first(f field, at int) bool {
	bit := uint64(1) << f
	if d.seen&bit == 0 {
		d.seen |= bit
		return true
	}
	d.fail(ReasonAmbiguousField, "field %s occurs a second time at byte %d: two readers would see two events",
		fieldNames[f], at)
	return false
}

// takeString takes a string field; the token with its quotes is d.b[start:end].
func (d *decoder) takeString(f field, start, end int, escaped bool) {
	e := d.e
	if f < NumCanonical {
		e.canonical[f] = token{uint32(start), uint32(end), !escaped}
	}
	slot := e.slot(f)
	if !d.first(f, start) {
		if slot != nil {
			*slot = nil
		}
		return
	}
	if slot == nil {
		d.badType(f, start)
		return
	}
	text := d.b[start+1 : end-1 : end-1]
	if escaped {
		n := len(e.text)
		e.text = appendUnescaped(e.text, text)
		text = e.text[n:len(e.text):len(e.text)]
	}
	if len(text) == 0 && f.optionalCanonical() {
		return
	}
	*slot = text
}

// takeOther takes a field whose value is no string (and no object that is read).
func (d *decoder) takeOther(f field, start, end int) {
	e := d.e
	if f < NumCanonical {
		e.canonical[f] = token{start: uint32(start), end: uint32(end)}
	}
	if !d.first(f, start) {
		if slot := e.slot(f); slot != nil {
			*slot = nil
		}
		return
	}
	switch c := d.b[start]; {
	case c == 'n':
	case f == fieldRecordCount && (c == '-' || c-'0' <= 9):
		d.takeCount(d.b[start:end])
	case f.optionalCanonical() && Falsy(d.b[start:end]):
	default:
		d.badType(f, start)
	}
}

func (d *decoder) takeCount(tok []byte) {
	v, err := strconv.ParseFloat(string(tok), 64)
	if err != nil || v < 0 {
		d.fail(ReasonBadType, "field recordCount is %s: it must be a finite number that is not negative", show(tok))
		return
	}
	d.e.RecordCount, d.e.HasRecordCount = math.Abs(v), true // no negative zero
}

func (d *decoder) badType(f field, at int) {
	want := "a string"
	switch f {
	case fieldSessionContext, fieldCEData:
		want = "an object"
	case fieldRecordCount:
		want = "a number"
	}
	d.fail(ReasonBadType, "field %s at byte %d must be %s", fieldNames[f], at, want)
}

// finish checks what must be there and the texts that have a form of their own.
func (d *decoder) finish() {
	e := d.e
	if len(e.Action) == 0 {
		d.missing(fieldAction)
	}
	switch string(e.status) {
	case "success":
		e.Status = StatusSuccess
	case "failure":
		e.Status = StatusFailure
	case "attempt":
		e.Status = StatusAttempt
	default:
		if e.status == nil {
			d.missing(fieldStatus)
			break
		}
		d.fail(ReasonBadType, "field status is %s: it must be attempt, success or failure", show(e.status))
	}
	switch string(e.DataClassification) {
	case "PUBLIC", "INTERNAL", "CONFIDENTIAL", "PHI":
	default:
		if e.DataClassification != nil {
			d.fail(ReasonBadType, "field dataClassification is %s: it must be PUBLIC, INTERNAL, CONFIDENTIAL or PHI",
				show(e.DataClassification))
		}
	}
	if e.timestamp == nil {
		d.missing(fieldTimestamp)
		return
	}
	t, err := ParseTimestamp(e.timestamp)
	if err != nil {
		d.fail(ReasonBadTimestamp, "field timestamp is %s: %w", show(e.timestamp), err)
	}
	e.Time = t
}

// missing notes that f is absent, unless it is there with a wrong type, which has been noted.
func (d *decoder) missing(f field) {
	t := d.e.canonical[f]
	if t.start != t.end {
		if c := d.b[t.start]; c != 'n' && c != '"' {
			return
		}
	}
	d.fail(ReasonMissingField, "field %s is missing or empty: every event needs timestamp, action and status",
		fieldNames[f])
}

// decodeBase64 replaces the text being read by the decoded data_base64.
func (d *decoder) decodeBase64(text []byte) bool {
	e := d.e
	out, err := base64.StdEncoding.AppendDecode(e.data[:0], text)
	if err != nil {
		d.fail(ReasonNotJSON, "member data_base64 of the CloudEvent is not base64: %w", err)
		return false
	}
	e.data = out
	e.Raw, e.doc, d.b, d.base64 = out, out, out, true
	return true
}

// firstText is the first text that is not empty.
func firstText(texts ...[]byte) []byte {
	for _, t := range texts {
		if len(t) > 0 {
			return t
		}
	}
	return nil
}

// show quotes a claimed text for a message, cut to a bounded length.
func show(text []byte) string {
	const most = 64
	if len(text) > most {
		return strconv.QuoteToASCII(string(text[:most])) + "…"
	}
	return strconv.QuoteToASCII(string(text))
}
