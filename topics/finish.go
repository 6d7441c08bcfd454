package topics

import (
	"math"
	"math/bits"
	"strconv"
)

// fill sets the text fields of the event from the tokens that were taken.
func (d *decoder) fill() {
	e := d.e
	e.Action = d.text(fieldAction)
	e.OrganizationID = d.optional(fieldOrganizationID)
	e.OutcomeDescription = d.optional(fieldOutcomeDescription)
	e.PrincipalID = d.optional(fieldPrincipalID)
	e.TargetResourceID = d.optional(fieldTargetResourceID)
	e.TargetResourceType = d.optional(fieldTargetResourceType)
	e.Hash = d.text(fieldHash)
	e.HashAlgorithm = d.text(fieldHashAlgorithm)
	e.Signature = d.text(fieldSignature)
	e.Algorithm = d.text(fieldAlgorithm)
	e.KeyID = d.text(fieldKeyID)
	e.ErrorCode = d.text(fieldErrorCode)
	e.ReasonCode = d.text(fieldReasonCode)
	e.DataClassification = d.text(fieldDataClassification)
	e.CorrelationID = d.text(fieldCorrelationID)
	e.SessionID = d.text(fieldSessionID)
	e.IPAddress = d.text(fieldIPAddress)
	e.UserAgent = d.text(fieldUserAgent)
	e.ID = firstText(d.text(fieldID), d.text(fieldEventID), d.ceID)
	e.CESource = d.ceSource
	e.Source = firstText(d.ceSource, d.text(fieldSource), d.header.source)
}

// text is the text of a string field; nil when it is absent, no string, or ambiguous.
func (d *decoder) text(f field) []byte {
	bit := uint64(1) << f
	if d.e.strings&bit == 0 {
		return nil
	}
	if (d.e.escaped|d.repeated)&bit != 0 {
		return d.oddText(f)
	}
	t := d.e.tokens[f]
	return d.b[t.start+1 : t.end-1 : t.end-1]
}

// optional is text for a field that is absent when it is empty.
func (d *decoder) optional(f field) []byte {
	if t := d.text(f); len(t) > 0 {
		return t
	}
	return nil
}

// oddText is text for a string that has escapes or occurred twice.
func (d *decoder) oddText(f field) []byte {
	if d.repeated&(1<<f) != 0 {
		return nil
	}
	e := d.e
	t := e.tokens[f]
	n := len(e.text)
	e.text = appendUnescaped(e.text, d.b[t.start+1:t.end-1])
	return e.text[n:len(e.text):len(e.text)]
}

// check notes what is missing and what has a wrong type or value, once the fields are filled.
func (d *decoder) check() {
	d.checkTypes()
	if len(d.e.Action) == 0 {
		d.missing(fieldAction)
	}
	d.checkStatus()
	d.checkClassification()
	d.checkTimestamp()
}

// checkTypes notes the fields of a wrong type.
func (d *decoder) checkTypes() {
	e := d.e
	// What was taken and is no string: seldom more than recordCount and sessionContext.
	for rest := e.seen &^ e.strings &^ d.repeated; rest != 0; rest &= rest - 1 {
		d.checkOther(field(bits.TrailingZeros64(rest)))
	}
	const noStrings = 1<<fieldSessionContext | 1<<fieldCEData | 1<<fieldRecordCount
	if wrong := e.strings & noStrings &^ d.repeated; wrong != 0 {
		d.badType(field(bits.TrailingZeros64(wrong)))
	}
}

// checkOther checks a field that is there and whose value is no string.
func (d *decoder) checkOther(f field) {
	t := d.e.tokens[f]
	if t.start == t.end { // an object that was read
		return
	}
	tok := d.b[t.start:t.end]
	switch c := tok[0]; {
	case c == 'n': // null
	case f == fieldRecordCount && (c == '-' || c-'0' <= 9):
		d.takeCount(tok)
	case f.optionalCanonical() && Falsy(tok):
	default:
		d.badType(f)
	}
}

func (d *decoder) badType(f field) {
	want := "a string"
	switch f {
	case fieldSessionContext, fieldCEData:
		want = "an object"
	case fieldRecordCount:
		want = "a number"
	}
	d.fail(ReasonBadType, "field %s at byte %d must be %s", fieldNames[f], d.e.tokens[f].start, want)
}

func (d *decoder) takeCount(tok []byte) {
	if len(tok) == 1 { // most are
		d.e.RecordCount, d.e.HasRecordCount = float64(tok[0]-'0'), true
		return
	}
	v, err := strconv.ParseFloat(string(tok), 64)
	if err != nil || v < 0 {
		d.fail(ReasonBadType, "field recordCount is %s: it must be a finite number that is not negative", show(tok))
		return
	}
	d.e.RecordCount, d.e.HasRecordCount = math.Abs(v), true // no negative zero
}

func (d *decoder) checkStatus() {
	e := d.e
	switch text := d.text(fieldStatus); string(text) {
	case "success":
		e.Status = StatusSuccess
	case "failure":
		e.Status = StatusFailure
	case "attempt":
		e.Status = StatusAttempt
	default:
		if text == nil {
			d.missing(fieldStatus)
			return
		}
		d.fail(ReasonBadType, "field status is %s: it must be attempt, success or failure", show(text))
	}
}

func (d *decoder) checkClassification() {
	text := d.e.DataClassification
	switch string(text) {
	case "PUBLIC", "INTERNAL", "CONFIDENTIAL", "PHI":
		return
	}
	if text != nil {
		d.fail(ReasonBadType, "field dataClassification is %s: it must be PUBLIC, INTERNAL, CONFIDENTIAL or PHI",
			show(text))
	}
}

func (d *decoder) checkTimestamp() {
	text := d.text(fieldTimestamp)
	if text == nil {
		d.missing(fieldTimestamp)
		return
	}
	t, err := ParseTimestamp(text)
	if err != nil {
		d.fail(ReasonBadTimestamp, "field timestamp is %s: %w", show(text), err)
		return
	}
	d.e.Time = t
}

// missing notes that a required field is absent, null or empty. One of a wrong type has been noted already.
func (d *decoder) missing(f field) {
	bit := uint64(1) << f
	if d.repeated&bit != 0 {
		return
	}
	if e := d.e; e.seen&bit != 0 && e.strings&bit == 0 && d.b[e.tokens[f].start] != 'n' {
		return
	}
	d.fail(ReasonMissingField, "field %s is missing or empty: every event needs timestamp, action and status",
		fieldNames[f])
}
