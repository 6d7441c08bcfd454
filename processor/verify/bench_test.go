package verify_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"tocsin/processor/verify"
	"tocsin/topics"
)

// typical is a signed event of about 750 bytes.
func typical(tb testing.TB, v *verify.Verifier) []byte {
	tb.Helper()
	const head = `{"timestamp":"2026-03-14T09:26:53.589Z","action":"fhir.patient.read","status":"success",` +
		`"id":"0195a1c2-7b34-7c1e-9f40-6f2d8f1f7a11","principalId":"dr-katherine.osei@stmarys.example",` +
		`"organizationId":"org-st-marys","targetResourceType":"Patient","targetResourceId":"patient-00429317",` +
		`"outcomeDescription":"Patient record read","eventVersion":"1.0","dataClassification":"PHI",` +
		`"sessionContext":{"sessionId":"sess-8f14e45fceea167a","ipAddress":"10.20.31.42",` +
		`"userAgent":"Mozilla/5.0 (X11; Linux x86_64)"},"recordCount":1,"retentionPolicy":"hipaa-6-years"`
	hash, signature, err := v.Sign(decode(tb, head+"}"), verify.NewScratch())
	require.NoError(tb, err)
	return fmt.Appendf(nil, `%s,"hash":%q,"hashAlgorithm":"SHA-256","signature":%q,"algorithm":"HMAC-SHA256"}`,
		head, hash, signature)
}

// check decodes and verifies.
func check(tb testing.TB, v *verify.Verifier, e *topics.Event, s *verify.Scratch, value []byte) {
	tb.Helper()
	if r, err := e.Decode(value, nil, topics.DefaultLimits()); r != topics.ReasonNone {
		tb.Fatal(err)
	}
	if r := v.Verify(e, s); r.Outcome != topics.OutcomeVerified {
		tb.Fatal(r.Outcome)
	}
}

func TestNoAllocations(t *testing.T) {
	v := newVerifier(t, verify.Config{Secret: []byte(secret)})
	value, s := typical(t, v), verify.NewScratch()
	var e topics.Event
	require.Zero(t, testing.AllocsPerRun(100, func() { check(t, v, &e, s, value) }))
}

// BenchmarkEvent is decoding, canonical string, SHA-256 and HMAC.
func BenchmarkEvent(b *testing.B) {
	v := newVerifier(b, verify.Config{Secret: []byte(secret)})
	value, s := typical(b, v), verify.NewScratch()
	var e topics.Event
	b.ReportAllocs()
	b.SetBytes(int64(len(value)))
	for b.Loop() {
		check(b, v, &e, s, value)
	}
}

// BenchmarkVerify is the same without decoding.
func BenchmarkVerify(b *testing.B) {
	v := newVerifier(b, verify.Config{Secret: []byte(secret)})
	e, s := decode(b, string(typical(b, v))), verify.NewScratch()
	b.ReportAllocs()
	for b.Loop() {
		v.Verify(e, s)
	}
}

// BenchmarkCanonical is the canonical string alone.
func BenchmarkCanonical(b *testing.B) {
	v := newVerifier(b, verify.Config{Secret: []byte(secret)})
	e := decode(b, string(typical(b, v)))
	var dst []byte
	b.ReportAllocs()
	for b.Loop() {
		dst = verify.AppendCanonical(dst[:0], e)
	}
}
