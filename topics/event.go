package topics

// Header is one header of a Kafka record.
type Header struct {
	Key   string
	Value []byte
}

// Status is the outcome of an action as its event states it.
type Status uint8

// The statuses. The numbers are stored in state and must not change.
const (
	StatusNone    Status = iota // not decoded
	StatusAttempt               // "attempt"
	StatusSuccess               // "success"
	StatusFailure               // "failure"
)

// String gives the JSON form.
func (s Status) String() string {
	switch s {
	case StatusAttempt:
		return "attempt"
	case StatusSuccess:
		return "success"
	case StatusFailure:
		return "failure"
	}
	return "none"
}

// Event is one audit event as [Event.Decode] read it. The zero value is ready for use, and one Event can decode any
// number of records in turn: it reuses its memory.
//
// Text fields hold the JSON-decoded text: nil when absent or null, empty but not nil for "" (except the five optional
// canonical fields, where "" is absent too). They alias the record value, or memory of the Event where the JSON text
// has escapes, so they are valid until the next Decode and as long as the value is left alone; copy what must live
// longer. A lone surrogate ("\ud800") is kept as its three bytes of WTF-8, so such text is not valid UTF-8, but nothing
// is lost and different texts stay different.
type Event struct {
	Raw []byte // the JSON text of the event: the record value, or the data of a structured CloudEvent

	Time   int64  // event time, Unix nanoseconds, 1700–2261
	Status Status // success, failure or attempt

	Action             []byte // never empty
	PrincipalID        []byte
	OrganizationID     []byte
	TargetResourceType []byte
	TargetResourceID   []byte
	OutcomeDescription []byte

	Hash               []byte // stated canonical hash; "" counts as none
	HashAlgorithm      []byte
	Signature          []byte // stated signature; "" counts as none
	Algorithm          []byte // of the signature
	KeyID              []byte // of the signature
	SessionID          []byte // sessionContext.sessionId
	IPAddress          []byte // sessionContext.ipAddress, any text: neither parsed nor normalised
	UserAgent          []byte // sessionContext.userAgent
	ErrorCode          []byte
	ReasonCode         []byte
	DataClassification []byte // PUBLIC, INTERNAL, CONFIDENTIAL or PHI
	CorrelationID      []byte

	// ID is the event's field id, else its field eventId, else the id of the CloudEvent that carried it; nil when there
	// is none. The event's own id comes first because it names the event wherever it travels, where a CloudEvents id
	// names one envelope. An empty text counts as none.
	ID []byte
	// CESource is the source of the CloudEvent that carried the event, nil for any other. It is part of the identity.
	CESource []byte
	// Source is the CloudEvents source, else the field source, else the header source (ignored when it is not UTF-8);
	// nil when there is none. An empty text counts as none.
	Source []byte

	RecordCount    float64 // recordCount: finite and not negative
	HasRecordCount bool    // recordCount is there and not null

	// TraceID is the trace id of a W3C traceparent header: 32 lower-case hex digits, or nil.
	TraceID []byte

	doc     []byte // the text that tokens point into: the record value, or the decoded data_base64
	seen    uint64 // a bit for each field that occurred
	strings uint64 // … whose (last) value is a string
	escaped uint64 // … whose string has escapes
	tokens  [fieldNone]token
	text    []byte // memory for unescaped text
	data    []byte // memory for data_base64
}

// token is a JSON value by its place in Event.doc. It counts only for a field that was seen, and is empty for an object
// that was read.
type token struct{ start, end uint32 }

// NumCanonical is the number of fields the canonical string is made of.
const NumCanonical = 8

// CanonicalNames lists these fields in the order in which they stand in the canonical string.
func CanonicalNames() [NumCanonical]string {
	return [NumCanonical]string{"action", "organizationId", "outcomeDescription", "principalId", "status",
		"targetResourceId", "targetResourceType", "timestamp"}
}

// CanonicalToken returns the JSON value of canonical field i (see [CanonicalNames]) exactly as it stands in the
// record; nil when the field is absent. plain says that it is a string without escapes, so that its text is the token
// without the quotes.
//
// It also works on an event that Decode refused with ambiguous_field or a later reason: of a field that occurs twice it
// is the last value, which is what JavaScript's JSON.parse takes.
func (e *Event) CanonicalToken(i int) (tok []byte, plain bool) {
	bit := uint64(1) << i
	if i >= NumCanonical || e.seen&bit == 0 {
		return nil, false
	}
	t := e.tokens[i]
	return e.doc[t.start:t.end], e.strings&^e.escaped&bit != 0
}

// keepBytes bounds the memory an Event keeps from one Decode for the next.
const keepBytes = 64 << 10

// reset empties e but for memory worth keeping.
func (e *Event) reset() {
	text, data := e.text, e.data
	if cap(text) > keepBytes {
		text = nil
	}
	if cap(data) > keepBytes {
		data = nil
	}
	*e = Event{text: text[:0], data: data[:0]}
}
