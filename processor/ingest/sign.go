package ingest

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"

	"tocsin/topics"
)

// Canonicalizer appends the canonical string of a decoded event to dst. It is given by the caller, so that there is one
// implementation of it: the one that verifies.
type Canonicalizer func(dst []byte, e *topics.Event) []byte

// Signer adds hash, hashAlgorithm, signature and algorithm to events that have neither hash nor signature: the hash is
// the lower-case hex SHA-256 of the canonical string, the signature the lower-case hex HMAC-SHA256 of the hash's text.
// It is not safe for concurrent use.
type Signer struct {
	secret    []byte
	canonical Canonicalizer
	buf       []byte
}

// NewSigner takes the secret shared with whoever verifies.
func NewSigner(secret []byte, c Canonicalizer) *Signer { return &Signer{secret: secret, canonical: c} }

// Sign returns value, which e was decoded from without fault, with the four members added at its end. done is false,
// and value as it was, when the producer has stated a hash or a signature already: that is evidence, not ours to
// replace.
func (s *Signer) Sign(e *topics.Event, value []byte) (signed []byte, done bool) {
	end := bytes.LastIndexByte(value, '}')
	if end < 0 || len(e.Hash) > 0 || len(e.Signature) > 0 {
		return value, false
	}
	s.buf = s.canonical(s.buf[:0], e)
	sum := sha256.Sum256(s.buf)
	hash := hex.EncodeToString(sum[:])
	mac := hmac.New(sha256.New, s.secret)
	mac.Write([]byte(hash))
	out := make([]byte, 0, len(value)+256)
	out = append(out, value[:end]...)
	out = append(out, `,"hash":"`...)
	out = append(out, hash...)
	out = append(out, `","hashAlgorithm":"SHA-256","signature":"`...)
	out = hex.AppendEncode(out, mac.Sum(nil))
	out = append(out, `","algorithm":"HMAC-SHA256"`...)
	return append(out, value[end:]...), true
}
