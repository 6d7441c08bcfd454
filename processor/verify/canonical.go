package verify

import (
	"crypto/sha256"

	"tocsin/topics"
)

// canonicalField is how a field begins in the canonical string.
type canonicalField struct {
	prefix   string
	required bool // printed as it is; the others become null when they are falsy
}

// canonicalFields has the fields in the order of [topics.CanonicalNames].
var canonicalFields = [topics.NumCanonical]canonicalField{
	{"action:", true},
	{"|organizationId:", false},
	{"|outcomeDescription:", false},
	{"|principalId:", false},
	{"|status:", true},
	{"|targetResourceId:", false},
	{"|targetResourceType:", false},
	{"|timestamp:", true},
}

// AppendCanonical appends the canonical string of e in UTF-8: the eight fields in their order, each as its name, a
// colon and its value as JSON.stringify prints it, joined by "|". The five optional fields are null when absent or
// falsy; an absent required field is the text undefined.
//
// It also works on an event that Decode refused with ambiguous_field or a later reason (see
// [topics.Event.CanonicalToken]).
func AppendCanonical(dst []byte, e *topics.Event) []byte {
	for i := range canonicalFields {
		f := canonicalFields[i]
		dst = append(dst, f.prefix...)
		token, plain := e.CanonicalToken(i)
		switch {
		case plain && (f.required || len(token) > len(`""`)):
			dst = append(dst, token...) // JSON.stringify escapes no character that may stand without escape
		case f.required && token == nil:
			dst = append(dst, "undefined"...)
		case !f.required && topics.Falsy(token):
			dst = append(dst, "null"...)
		default:
			dst = appendValue(dst, token)
		}
	}
	return dst
}

// CanonicalHash returns SHA-256 of the canonical string of e.
func CanonicalHash(e *topics.Event, s *Scratch) [sha256.Size]byte {
	s.canonical = AppendCanonical(s.canonical[:0], e)
	sum := sha256.Sum256(s.canonical)
	if cap(s.canonical) > keepBytes {
		s.canonical = nil
	}
	return sum
}
