package verify

import (
	"crypto/sha256"

	"tocsin/topics"
)

// prefixes are the names of the canonical fields as they stand in the canonical string.
var prefixes = func() (p [topics.NumCanonical]string) {
	for i, name := range topics.CanonicalNames() {
		if p[i] = "|" + name + ":"; i == 0 {
			p[i] = name + ":"
		}
	}
	return p
}()

// required tells the fields that are printed as they are; the others become null when they are falsy.
var required = func() (r [topics.NumCanonical]bool) {
	for i, name := range topics.CanonicalNames() {
		r[i] = name == "action" || name == "status" || name == "timestamp"
	}
	return r
}()

// AppendCanonical appends the canonical string of e in UTF-8: the eight fields in their order, each as its name, a
// colon and its value as JSON.stringify prints it, joined by "|". The five optional fields are null when absent or
// falsy; an absent required field is the text undefined.
//
// It also works on an event that Decode refused with ambiguous_field or a later reason (see
// [topics.Event.CanonicalToken]).
func AppendCanonical(dst []byte, e *topics.Event) []byte {
	for i := range topics.NumCanonical {
		dst = append(dst, prefixes[i]...)
		token, plain := e.CanonicalToken(i)
		switch {
		case plain && (required[i] || len(token) > len(`""`)):
			dst = append(dst, token...) // JSON.stringify escapes no character that may stand without escape
		case required[i] && token == nil:
			dst = append(dst, "undefined"...)
		case !required[i] && topics.Falsy(token):
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
