package topics

import (
	"bytes"
	"strings"
	"unicode/utf8"
)

// cloudMode is the way a record carries a CloudEvent (CloudEvents 1.0, Kafka protocol binding §3).
type cloudMode uint8

const (
	modePlain      cloudMode = iota // no CloudEvent
	modeBinary                      // attributes in headers ce_…, the value is the event
	modeStructured                  // the value is an envelope
	modeBatch                       // the value is an array of envelopes
)

// Names of the headers that are read.
const (
	headerSpec        = "ce_specversion"
	headerID          = "ce_id"
	headerCESource    = "ce_source"
	headerContentType = "content-type"
	headerSource      = "source"
	headerTrace       = "traceparent"
)

const (
	contentStructured = "application/cloudevents"
	contentBatch      = "application/cloudevents-batch"
)

// cloudHeaders is what the headers of a record say; nil for a header that is absent.
type cloudHeaders struct {
	mode                cloudMode
	spec, id, ce        []byte
	contentType         []byte
	source, traceparent []byte
}

// readHeaders takes the headers that matter, in one pass. The first of several equal ones counts. A CloudEvents
// attribute, a content type or a source that comes twice with different values makes the record ambiguous.
func (d *decoder) readHeaders(headers []Header) {
	h := &d.header
	var twice string
	for i := range headers {
		var slot *[]byte
		value := headers[i].Value
		switch key := headers[i].Key; key {
		case headerSpec:
			slot = &h.spec
		case headerID:
			slot = &h.id
		case headerCESource:
			slot = &h.ce
		case headerSource:
			slot = &h.source
		case headerTrace:
			if h.traceparent == nil {
				h.traceparent = value
			}
			continue
		default:
			if len(key) != len(headerContentType) || !strings.EqualFold(key, headerContentType) {
				continue
			}
			slot = &h.contentType
		}
		if *slot != nil && !bytes.Equal(*slot, value) {
			twice = headers[i].Key
		}
		if *slot == nil {
			if value == nil {
				value = []byte{}
			}
			*slot = value
		}
	}
	d.e.TraceID = traceID(h.traceparent)
	if !utf8.Valid(h.source) {
		h.source = nil
	}
	d.e.Source = firstText(h.source)
	d.chooseMode()
	if twice != "" {
		d.fail(ReasonAmbiguousField, "header %s occurs twice with different values: two readers would see two events",
			show([]byte(twice)))
	}
}

// chooseMode finds the mode and, in binary mode, takes the attributes.
func (d *decoder) chooseMode() {
	h := &d.header
	switch {
	case hasPrefixFold(h.contentType, contentBatch):
		h.mode = modeBatch
	case hasPrefixFold(h.contentType, contentStructured):
		h.mode = modeStructured
	case h.spec != nil:
		h.mode = modeBinary
		if !utf8.Valid(h.spec) || !utf8.Valid(h.id) || !utf8.Valid(h.ce) {
			d.fail(ReasonInvalidUTF8, "a CloudEvents header is not UTF-8: encode headers as UTF-8")
			return
		}
		d.ceSpec, d.ceID = h.spec, h.id
		d.e.CESource, d.e.Source = h.ce, firstText(h.ce, h.source)
	}
}

func hasPrefixFold(b []byte, prefix string) bool {
	return len(b) >= len(prefix) && strings.EqualFold(string(b[:len(prefix)]), prefix)
}

// openEnvelope finds the event in the envelope of a structured CloudEvent, which has been read. data, an object, was
// read with the envelope; data_base64 is decoded and read here. It returns false when no event can be read.
func (d *decoder) openEnvelope() bool {
	e := d.e
	const data, encoded = uint64(1) << fieldCEData, uint64(1) << fieldCEDataBase64
	null := func(f field) bool {
		t := e.tokens[f]
		return t.start != t.end && d.b[t.start] == 'n'
	}
	has := e.seen & (data | encoded)
	if null(fieldCEData) {
		has &^= data
	}
	if null(fieldCEDataBase64) {
		has &^= encoded
	}
	d.checkTypes()
	d.checkCloud()
	switch has {
	case data: // an object, or else its type has been noted
		return e.strings&data == 0 && e.tokens[fieldCEData].end == 0
	case encoded:
		return d.ceData != nil && d.decodeBase64(d.ceData) && d.checkUTF8() && d.document(scopeEvent)
	case 0:
		d.fail(ReasonMissingField, "the CloudEvent has no data: put the event into its member data")
	default:
		d.fail(ReasonAmbiguousField, "the CloudEvent has both data and data_base64: send one")
	}
	return false
}

// checkCloud checks the attributes of a CloudEvent, binary or structured.
func (d *decoder) checkCloud() {
	d.missing(fieldCEID, d.ceID)
	d.missing(fieldCESource, d.e.CESource)
	d.missing(fieldCESpecVersion, d.ceSpec)
	spec := d.ceSpec
	if len(spec) > 0 && (!bytes.HasPrefix(spec, []byte("1.")) || scanDigits(spec, 2) != len(spec)) {
		d.fail(ReasonBadType, "CloudEvents specversion is %s: only 1.x is read", show(spec))
	}
}

// traceID is the trace id of a W3C traceparent, "00-" + 32 hex digits + "-" + 16 hex digits + "-" + 2 hex digits (a
// later version may append more); nil when the text is not one.
func traceID(text []byte) []byte {
	const length = 55
	if len(text) < length || text[2] != '-' || text[35] != '-' || text[52] != '-' {
		return nil
	}
	if string(text[:2]) == "ff" || len(text) > length && (string(text[:2]) == "00" || text[length] != '-') {
		return nil
	}
	zero := true
	for i, c := range text[:length] {
		if i == 2 || i == 35 || i == 52 {
			continue
		}
		if c-'0' > 9 && c-'a' > 5 {
			return nil
		}
		if i > 2 && i < 35 && c != '0' {
			zero = false
		}
	}
	if zero {
		return nil
	}
	return text[3:35:35]
}
