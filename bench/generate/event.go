package generate

import "tocsin/topics"

// signing says how hash and signature of an event are made.
type signing uint8

const (
	signed    signing = iota // hash and HMAC, both right
	hashed                   // the hash alone
	bare                     // neither
	tampered                 // a canonical field changed after hashing and signing
	shouting                 // the right hash in upper case, which counts as wrong
	forged                   // right hash, signature of another secret
	unchecked                // right hash, unknown algorithm and key
)

// fault is what makes a value malformed.
type fault uint8

const (
	sound fault = iota
	cutShort
	notObject
	badUTF8
	deep
	twice
	withoutStatus
	wrongType
	wrongStatus
	noSuchDay
	beforeRange
	numFaults
	oversize // planted apart
)

var faultReasons = [...]topics.Reason{
	cutShort: topics.ReasonNotJSON, notObject: topics.ReasonNotJSON, badUTF8: topics.ReasonInvalidUTF8,
	deep: topics.ReasonTooDeep, twice: topics.ReasonAmbiguousField, withoutStatus: topics.ReasonMissingField,
	wrongType: topics.ReasonBadType, wrongStatus: topics.ReasonBadType, noSuchDay: topics.ReasonBadTimestamp,
	beforeRange: topics.ReasonBadTimestamp, oversize: topics.ReasonTooLarge,
}

// event is all that the content of a value follows from.
type event struct {
	ordinal   uint64 // also the identity
	content   uint64 // ordinal of the record that first had this content
	named     bool   // has an id; otherwise the identity is the bytes
	altered   bool   // a second delivery with another user agent
	time      int64
	style     uint8 // of the timestamp's text
	principal string
	address   string
	org       string
	source    string
	template  *template
	signing   signing
	fault     fault
	integrity string // observed although the event is counted
}

// styles of timestamps.
const (
	millis  uint8 = iota
	seconds       // the time is a whole second
	micros        // microseconds and an offset
)

// matched is the rules that count the event.
func (e *event) matched() uint32 {
	m := e.template.matches
	if e.template.data && e.template.status == "success" && offHours(e.time) {
		m |= night
	}
	return m
}

// outcome is what verification must say when a key is configured.
func (s signing) outcome() topics.Outcome {
	switch s {
	case signed:
		return topics.OutcomeVerified
	case hashed:
		return topics.OutcomeHashOnly
	case tampered, shouting:
		return topics.OutcomeTampered
	case forged:
		return topics.OutcomeForged
	case unchecked:
		return topics.OutcomeUnverifiable
	}
	return topics.OutcomeUnsigned
}
