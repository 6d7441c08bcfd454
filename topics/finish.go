package topics

import (
	"math"
	"math/bits"
	"strconv"
)

// fill sets the texts from the tokens that were taken: of each field whose value is a string and that occurred once.
func (d *decoder) fill() {
	e, b := d.e, d.b
	slots := [fieldNone]*[]byte{
		fieldAction:             &e.Action,
		fieldOrganizationID:     &e.OrganizationID,
		fieldOutcomeDescription: &e.OutcomeDescription,
		fieldPrincipalID:        &e.PrincipalID,
		fieldStatus:             &d.status,
		fieldTargetResourceID:   &e.TargetResourceID,
		fieldTargetResourceType: &e.TargetResourceType,
		fieldTimestamp:          &d.timestamp,
		fieldHash:               &e.Hash,
		fieldHashAlgorithm:      &e.HashAlgorithm,
		fieldSignature:          &e.Signature,
		fieldAlgorithm:          &e.Algorithm,
		fieldKeyID:              &e.KeyID,
		fieldErrorCode:          &e.ErrorCode,
		fieldReasonCode:         &e.ReasonCode,
		fieldDataClassification: &e.DataClassification,
		fieldCorrelationID:      &e.CorrelationID,
		fieldSource:             &d.source,
		fieldID:                 &d.id,
		fieldEventID:            &d.eventID,
		fieldSessionID:          &e.SessionID,
		fieldIPAddress:          &e.IPAddress,
		fieldUserAgent:          &e.UserAgent,
		fieldCESpecVersion:      &d.ceSpec,
		fieldCEID:               &d.ceID,
		fieldCESource:           &e.CESource,
		fieldCEDataBase64:       &d.ceData,
	}
	for rest := e.strings &^ d.repeated &^ noStrings; rest != 0; rest &= rest - 1 {
		f := field(bits.TrailingZeros64(rest))
		if f >= fieldNone {
			break // never: it spares a bounds check
		}
		t := e.tokens[f]
		if t.end-t.start == 2 && f.optionalCanonical() {
			continue
		}
		text := b[t.start+1 : t.end-1 : t.end-1]
		if e.escaped&(rest&-rest) != 0 {
			n := len(e.text)
			e.text = appendUnescaped(e.text, text)
			text = e.text[n:len(e.text):len(e.text)]
		}
		*slots[f] = text
	}
	e.ID = firstText(d.id, d.eventID, d.ceID)
	e.Source = firstText(e.CESource, d.source, d.header.source)
}

// noStrings are the fields that are interpreted and whose value is no string.
const noStrings = 1<<fieldSessionContext | 1<<fieldCEData | 1<<fieldRecordCount

// check notes what is missing and what has a wrong type or value, once the fields are filled.
func (d *decoder) check() {
	d.checkTypes()
	d.missing(fieldAction, d.e.Action)
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
	switch text := d.status; string(text) {
	case "success":
		e.Status = StatusSuccess
	case "failure":
		e.Status = StatusFailure
	case "attempt":
		e.Status = StatusAttempt
	default:
		if text == nil {
			d.missing(fieldStatus, nil)
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
	text := d.timestamp
	if text == nil {
		d.missing(fieldTimestamp, nil)
		return
	}
	t, err := ParseTimestamp(text)
	if err != nil {
		d.fail(ReasonBadTimestamp, "field timestamp is %s: %w", show(text), err)
		return
	}
	d.e.Time = t
}

// missing notes that a required field is absent, null or empty; text is what was taken of it. A field of a wrong type
// or one that occurs twice has been noted as such.
func (d *decoder) missing(f field, text []byte) {
	bit := uint64(1) << f
	if len(text) > 0 || d.repeated&bit != 0 {
		return
	}
	if e := d.e; e.seen&bit != 0 && e.strings&bit == 0 && d.b[e.tokens[f].start] != 'n' {
		return
	}
	need := "every event needs timestamp, action and status"
	if f >= fieldCESpecVersion {
		need = "every CloudEvent needs specversion, id and source"
	}
	d.fail(ReasonMissingField, "field %s is missing or empty: %s", fieldNames[f], need)
}
