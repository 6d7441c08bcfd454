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
// Several faults at once give the reason that comes first in the order of the constants. After a refusal with too_deep
// or a later reason e holds whatever could be read, as a claim (an ambiguous field is nil); after an earlier reason it
// holds at most what the headers or the envelope say.
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
	if d.reason == ReasonNone {
		return ReasonNone, nil
	}
	if d.reason < ReasonAmbiguousField {
		e.seen = 0 // no canonical tokens: printing one may recurse as deep as it is nested
	}
	return d.reason, d.err
}

// decoder is the state of one Decode.
type decoder struct {
	e        *Event
	b        []byte // the text being read
	maxDepth int
	base64   bool   // b is the decoded data_base64
	repeated uint64 // a bit for each field that occurred twice

	header            cloudHeaders
	status, timestamp []byte // texts of the fields
	id, eventID       []byte
	source            []byte
	ceSpec, ceID      []byte // attributes of the CloudEvent, by header or envelope
	ceData            []byte // data_base64

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
	switch d.header.mode {
	case modeBatch:
		d.fail(ReasonNotJSON, "value is a CloudEvents batch: send one event per record")
		return
	case modeStructured:
		if !d.document(scopeEnvelope) || !d.openEnvelope() {
			return
		}
	case modeBinary:
		d.checkCloud()
		fallthrough
	default:
		if !d.document(scopeEvent) {
			return
		}
	}
	d.check()
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
	d.fill()
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

// decodeBase64 replaces the text being read by the decoded data_base64.
func (d *decoder) decodeBase64(text []byte) bool {
	e := d.e
	out, err := base64.StdEncoding.AppendDecode(e.data[:0], text)
	if err != nil {
		d.fail(ReasonNotJSON, "member data_base64 of the CloudEvent is not base64: %w", err)
		return false
	}
	// The tokens of the envelope point into the text that is left now.
	e.seen, e.strings, e.escaped = 0, 0, 0
	e.data = out
	e.Raw, e.doc, d.b, d.base64 = out, out, out, true
	return true
}

func (d *decoder) tooDeep(i int) {
	d.fail(ReasonTooDeep, "value is nested deeper than %d levels at byte %d: flatten the event or raise the limit",
		d.maxDepth, i)
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
