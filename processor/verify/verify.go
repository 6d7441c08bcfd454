package verify

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"

	"tocsin/topics"
)

// Names of the algorithms that are checked here; an event that states none means these.
const (
	HashAlgorithm      = "SHA-256"
	SignatureAlgorithm = "HMAC-SHA256"
)

// ErrNoSecret is returned by Sign when no secret is configured.
var ErrNoSecret = errors.New("no signing secret is configured: set one to sign events")

// Verifier checks hashes and signatures and applies the policy. It is immutable.
type Verifier struct {
	config Config
	mac    *mac // nil without a secret
}

// New makes a Verifier. The error names the setting that is wrong, never the secret.
func New(c Config) (*Verifier, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	v := &Verifier{config: c.clone()}
	if c.Secret != nil {
		m, err := newMAC(c.Secret)
		if err != nil {
			return nil, fmt.Errorf("prepare the signing secret: %w", err)
		}
		v.mac = m
	}
	return v, nil
}

// HasKey says whether a key of any kind is configured: without one, no event can be verified or forged.
func (v *Verifier) HasKey() bool { return v.mac != nil }

// Result is what verification found.
type Result struct {
	Outcome topics.Outcome
	Reason  topics.Reason     // ReasonNone: the event counts; else it goes to the dead letters
	Hash    [sha256.Size]byte // canonical hash as computed here

	SignaturePresent bool // the event states a signature
	// StatedSignatureMatches, of a tampered event only: the signature is right for the stated hash, so the event was
	// signed and then changed, or its hash was computed wrongly before it was signed.
	StatedSignatureMatches bool

	Err string // for the dead letter, empty when the event counts: what is wrong and what to do
}

// Verify checks the hash and the signature that e states. e must be as Decode left it, without a reason.
//
//	outcome       when
//	verified      the signature is right, and the hash when one is stated
//	hash_only     hash right; no signature, or no key of any kind configured
//	unsigned      neither hash nor signature, or a signature alone and no key of any kind configured
//	tampered      hash wrong; anything but 64 lower-case hex digits is wrong
//	forged        signature wrong for the right hash (for the computed hash when none is stated)
//	unverifiable  hash algorithm, signature algorithm or key unknown
//
// tampered and forged are always quarantined, unverifiable by policy, the weaker outcomes as Require says. An empty
// text counts as absent in hash, signature, their algorithms and keyId.
func (v *Verifier) Verify(e *topics.Event, s *Scratch) Result {
	r := Result{Hash: CanonicalHash(e, s), SignaturePresent: len(e.Signature) > 0}
	hex.Encode(s.hashText[:], r.Hash[:])
	hashRight := false // stated and right, or vouched for by the signature
	switch hashed := len(e.Hash) > 0; {
	case !hashed && !r.SignaturePresent:
		r.Outcome = topics.OutcomeUnsigned
	case !isOr(e.HashAlgorithm, HashAlgorithm):
		r.Outcome = topics.OutcomeUnverifiable
	case hashed && !equal(e.Hash, &s.hashText):
		r.Outcome = topics.OutcomeTampered
		r.StatedSignatureMatches = r.SignaturePresent && v.ours(e) && v.signed(e, e.Hash, s)
	case !r.SignaturePresent || v.mac == nil:
		hashRight = hashed
		r.Outcome = topics.OutcomeUnsigned
		if hashed {
			r.Outcome = topics.OutcomeHashOnly
		}
	case !v.ours(e):
		hashRight = hashed
		r.Outcome = topics.OutcomeUnverifiable
	case !v.signed(e, s.hashText[:], s):
		r.Outcome = topics.OutcomeForged
	default:
		hashRight = true
		r.Outcome = topics.OutcomeVerified
	}
	r.Reason = v.judge(e, r.Outcome, hashRight)
	if r.Reason != topics.ReasonNone {
		r.Err = v.explain(e, &r)
	}
	return r
}

// judge applies the policy.
func (v *Verifier) judge(e *topics.Event, o topics.Outcome, hashRight bool) topics.Reason {
	switch o {
	case topics.OutcomeVerified:
		return topics.ReasonNone
	case topics.OutcomeTampered:
		return topics.ReasonTampered
	case topics.OutcomeForged:
		return topics.ReasonForged
	case topics.OutcomeUnverifiable:
		if v.config.Unverifiable == QuarantineUnverifiable {
			return topics.ReasonUnverifiable
		}
	}
	need := v.config.level(e.OrganizationID, e.Source)
	if need == RequireNone || need == RequireHash && hashRight {
		return topics.ReasonNone
	}
	switch o {
	case topics.OutcomeUnverifiable:
		return topics.ReasonUnverifiable
	case topics.OutcomeHashOnly:
		return topics.ReasonHashOnly
	}
	return topics.ReasonUnsigned
}

// ours says whether the stated signature is one that the configured secret can check.
func (v *Verifier) ours(e *topics.Event) bool {
	return v.mac != nil && isOr(e.Algorithm, SignatureAlgorithm) && isOr(e.KeyID, v.config.KeyID)
}

// signed says whether the stated signature is right for text.
func (v *Verifier) signed(e *topics.Event, text []byte, s *Scratch) bool {
	want, err := v.mac.hexSum(text, s)
	return err == nil && equal(e.Signature, want)
}

// explain writes the text for the dead letter.
func (v *Verifier) explain(e *topics.Event, r *Result) string {
	switch r.Outcome {
	case topics.OutcomeTampered:
		const text = "field hash is not the event's canonical hash: the event was changed after it was hashed; "
		switch {
		case !r.SignaturePresent:
			return text + "it has no signature"
		case !v.ours(e):
			return text + "its signature cannot be checked"
		case r.StatedSignatureMatches:
			return text + "its signature matches the stated hash"
		}
		return text + "its signature does not match the stated hash either"
	case topics.OutcomeForged:
		if len(e.Hash) == 0 {
			return "field signature is wrong for the computed hash: the event was changed or signed with another secret"
		}
		return "field hash is right but field signature is not: the event was signed with another secret or by nobody"
	case topics.OutcomeUnverifiable:
		switch {
		case !isOr(e.HashAlgorithm, HashAlgorithm):
			return "field hashAlgorithm is " + show(e.HashAlgorithm) + ": only SHA-256 is known"
		case !isOr(e.Algorithm, SignatureAlgorithm):
			return "field algorithm is " + show(e.Algorithm) + ": no key for it is configured"
		}
		return "field keyId is " + show(e.KeyID) + ": no such key is configured"
	}
	need := v.config.level(e.OrganizationID, e.Source).String()
	has := "neither hash nor signature"
	switch {
	case r.Outcome == topics.OutcomeHashOnly && r.SignaturePresent:
		has = "a hash and a signature that no configured key can check"
	case r.Outcome == topics.OutcomeHashOnly:
		has = "a hash but no signature"
	case r.SignaturePresent:
		has = "a signature that no configured key can check"
	}
	return "event has " + has + ", and its organization and source require: " + need
}

// Sign returns the canonical hash of e and its HMAC-SHA256 signature, both in lower-case hex, for the fields hash and
// signature. Both alias s.
func (v *Verifier) Sign(e *topics.Event, s *Scratch) (hash, signature []byte, err error) {
	if v.mac == nil {
		return nil, nil, ErrNoSecret
	}
	sum := CanonicalHash(e, s)
	hex.Encode(s.hashText[:], sum[:])
	m, err := v.mac.hexSum(s.hashText[:], s)
	if err != nil {
		return nil, nil, fmt.Errorf("sign event: %w", err)
	}
	return s.hashText[:], m[:], nil
}

// isOr says whether a text is absent, empty or the one given.
func isOr(text []byte, want string) bool { return len(text) == 0 || string(text) == want }

// equal compares a stated text with the right one. Its time depends on the stated length alone. It takes eight bytes at
// a time, which subtle.ConstantTimeCompare does not, and is called twice per event.
func equal(stated []byte, right *hexDigest) bool {
	if len(stated) != len(right) {
		return false
	}
	var diff uint64
	for i := 0; i < len(right); i += 8 {
		diff |= binary.LittleEndian.Uint64(stated[i:]) ^ binary.LittleEndian.Uint64(right[i:])
	}
	return diff == 0
}

// show quotes a claimed text for a message, cut to a bounded length.
func show(text []byte) string {
	const most = 64
	if len(text) > most {
		return strconv.QuoteToASCII(string(text[:most])) + "…"
	}
	return strconv.QuoteToASCII(string(text))
}
