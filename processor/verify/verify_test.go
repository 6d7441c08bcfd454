package verify_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"tocsin/processor/verify"
	"tocsin/topics"
)

const (
	secret = "a secret of thirty-two bytes at least"
	base   = `{"timestamp":"2026-03-14T09:26:53Z","action":"a","status":"success","principalId":"p"`
)

func newVerifier(t testing.TB, c verify.Config) *verify.Verifier {
	t.Helper()
	v, err := verify.New(c)
	require.NoError(t, err)
	return v
}

func decode(t testing.TB, value string, headers ...topics.Header) *topics.Event {
	t.Helper()
	e := new(topics.Event)
	r, err := e.Decode([]byte(value), headers, topics.DefaultLimits())
	require.Equal(t, topics.ReasonNone, r, "%v", err)
	return e
}

// hexMAC signs with the standard library.
func hexMAC(key, text string) string {
	m := hmac.New(sha256.New, []byte(key))
	m.Write([]byte(text))
	return hex.EncodeToString(m.Sum(nil))
}

func TestHMAC(t *testing.T) {
	for n := range 200 { // keys below, at and above the block length
		key, text := strings.Repeat("k", n), strings.Repeat("t", n)
		require.Equal(t, hexMAC(key, text), verify.HexHMAC(t, []byte(key), text))
	}
}

// TestOutcomes has every outcome under every policy.
func TestOutcomes(t *testing.T) {
	sum := sha256.Sum256(verify.AppendCanonical(nil, decode(t, base+`}`)))
	hash := hex.EncodeToString(sum[:])
	other := strings.Repeat("0", 64)
	signature := hexMAC(secret, hash)
	foreign := hexMAC("another secret of thirty-two bytes!!!", hash)

	// The columns: reason by default; with require hash; with require signature; and, where it differs, with the policy
	// to count what is unverifiable.
	const (
		none = topics.ReasonNone
		hon  = topics.ReasonHashOnly
		uns  = topics.ReasonUnsigned
		tam  = topics.ReasonTampered
		frg  = topics.ReasonForged
		unv  = topics.ReasonUnverifiable
	)
	for _, test := range []struct {
		name    string
		members map[string]string
		noKey   bool
		outcome topics.Outcome
		reasons [3]topics.Reason
		counted [3]topics.Reason // with CountUnverifiable
		stated  bool
		text    string
	}{
		{name: "neither", outcome: topics.OutcomeUnsigned, reasons: [3]topics.Reason{none, uns, uns},
			text: "neither hash nor signature"},
		{name: "empty texts", members: map[string]string{"hash": "", "signature": "", "hashAlgorithm": "", "keyId": ""},
			outcome: topics.OutcomeUnsigned, reasons: [3]topics.Reason{none, uns, uns}, text: "neither hash"},
		{name: "algorithms alone", members: map[string]string{"hashAlgorithm": "MD5", "algorithm": "ED25519"},
			outcome: topics.OutcomeUnsigned, reasons: [3]topics.Reason{none, uns, uns}, text: "neither hash"},
		{name: "hash", members: map[string]string{"hash": hash}, outcome: topics.OutcomeHashOnly,
			reasons: [3]topics.Reason{none, none, hon}, text: "a hash but no signature"},
		{name: "hash, algorithm stated", members: map[string]string{"hash": hash, "hashAlgorithm": "SHA-256"},
			outcome: topics.OutcomeHashOnly, reasons: [3]topics.Reason{none, none, hon}, text: "no signature"},
		{name: "both", members: map[string]string{"hash": hash, "signature": signature},
			outcome: topics.OutcomeVerified},
		{name: "both, all stated", members: map[string]string{"hash": hash, "signature": signature,
			"hashAlgorithm": "SHA-256", "algorithm": "HMAC-SHA256", "keyId": ""}, outcome: topics.OutcomeVerified},
		{name: "signature alone", members: map[string]string{"signature": signature}, outcome: topics.OutcomeVerified},
		{name: "hash wrong", members: map[string]string{"hash": other}, outcome: topics.OutcomeTampered,
			reasons: [3]topics.Reason{tam, tam, tam}, text: "it has no signature"},
		{name: "hash in upper case", members: map[string]string{"hash": strings.ToUpper(hash), "signature": signature},
			outcome: topics.OutcomeTampered, reasons: [3]topics.Reason{tam, tam, tam}, text: "either"},
		{name: "hash cut", members: map[string]string{"hash": hash[:63]}, outcome: topics.OutcomeTampered,
			reasons: [3]topics.Reason{tam, tam, tam}},
		{name: "hash longer", members: map[string]string{"hash": hash + "0"}, outcome: topics.OutcomeTampered,
			reasons: [3]topics.Reason{tam, tam, tam}},
		{name: "hash wrong, signature of the stated hash", outcome: topics.OutcomeTampered,
			members: map[string]string{"hash": other, "signature": hexMAC(secret, other)}, stated: true,
			reasons: [3]topics.Reason{tam, tam, tam}, text: "its signature matches the stated hash"},
		{name: "hash wrong, signature of the computed hash", outcome: topics.OutcomeTampered,
			members: map[string]string{"hash": other, "signature": signature},
			reasons: [3]topics.Reason{tam, tam, tam}, text: "does not match the stated hash either"},
		{name: "hash wrong, unknown algorithm", outcome: topics.OutcomeTampered,
			members: map[string]string{"hash": other, "signature": signature, "algorithm": "ED25519"},
			reasons: [3]topics.Reason{tam, tam, tam}, text: "cannot be checked"},
		{name: "hash wrong, no key", outcome: topics.OutcomeTampered, noKey: true,
			members: map[string]string{"hash": other, "signature": hexMAC(secret, other)},
			reasons: [3]topics.Reason{tam, tam, tam}, text: "cannot be checked"},
		{name: "foreign signature", members: map[string]string{"hash": hash, "signature": foreign},
			outcome: topics.OutcomeForged, reasons: [3]topics.Reason{frg, frg, frg}, text: "field hash is right but"},
		{name: "foreign signature alone", members: map[string]string{"signature": foreign},
			outcome: topics.OutcomeForged, reasons: [3]topics.Reason{frg, frg, frg}, text: "for the computed hash"},
		{name: "signature in upper case", members: map[string]string{"hash": hash, "signature": strings.ToUpper(signature)},
			outcome: topics.OutcomeForged, reasons: [3]topics.Reason{frg, frg, frg}},
		{name: "unknown algorithm", outcome: topics.OutcomeUnverifiable,
			members: map[string]string{"hash": hash, "signature": signature, "algorithm": "RSASSA_PSS_SHA_256"},
			reasons: [3]topics.Reason{unv, unv, unv}, counted: [3]topics.Reason{none, none, unv},
			text: `algorithm is "RSASSA_PSS_SHA_256"`},
		{name: "unknown algorithm, no hash", outcome: topics.OutcomeUnverifiable,
			members: map[string]string{"signature": signature, "algorithm": "hmac-sha256"},
			reasons: [3]topics.Reason{unv, unv, unv}, counted: [3]topics.Reason{none, unv, unv},
			text: `algorithm is "hmac-sha256"`},
		{name: "unknown key", outcome: topics.OutcomeUnverifiable,
			members: map[string]string{"hash": hash, "signature": signature, "keyId": "k"},
			reasons: [3]topics.Reason{unv, unv, unv}, counted: [3]topics.Reason{none, none, unv}, text: `keyId is "k"`},
		{name: "unknown hash algorithm", outcome: topics.OutcomeUnverifiable,
			members: map[string]string{"hash": hash, "signature": signature, "hashAlgorithm": "SHA-512"},
			reasons: [3]topics.Reason{unv, unv, unv}, counted: [3]topics.Reason{none, unv, unv},
			text: `hashAlgorithm is "SHA-512"`},
		{name: "unknown hash algorithm, no key", outcome: topics.OutcomeUnverifiable, noKey: true,
			members: map[string]string{"hash": hash, "hashAlgorithm": "SHA-512"},
			reasons: [3]topics.Reason{unv, unv, unv}, counted: [3]topics.Reason{none, unv, unv}},
		{name: "no key", members: map[string]string{"hash": hash, "signature": foreign}, noKey: true,
			outcome: topics.OutcomeHashOnly, reasons: [3]topics.Reason{none, none, hon}, text: "no configured key"},
		{name: "no key, no hash", members: map[string]string{"signature": foreign, "algorithm": "ED25519", "keyId": "k"},
			noKey: true, outcome: topics.OutcomeUnsigned, reasons: [3]topics.Reason{none, uns, uns},
			text: "no configured key"},
	} {
		value := base
		for name, text := range test.members {
			value += fmt.Sprintf(",%q:%q", name, text)
		}
		e := decode(t, value+"}")
		for level := verify.RequireNone; level <= verify.RequireSignature; level++ {
			for _, policy := range []verify.Unverifiable{verify.QuarantineUnverifiable, verify.CountUnverifiable} {
				t.Run(fmt.Sprint(test.name, "/", level, "/", policy), func(t *testing.T) {
					c := verify.Config{Secret: []byte(secret), Require: level, Unverifiable: policy}
					if test.noKey {
						c.Secret = nil
					}
					v := newVerifier(t, c)
					require.Equal(t, !test.noKey, v.HasKey())
					r := v.Verify(e, verify.NewScratch())
					want := test.reasons[level]
					if test.outcome == topics.OutcomeUnverifiable && policy == verify.CountUnverifiable {
						want = test.counted[level]
					}
					require.Equal(t, test.outcome, r.Outcome)
					require.Equal(t, want, r.Reason)
					require.Equal(t, sum, r.Hash)
					require.Equal(t, test.stated, r.StatedSignatureMatches)
					require.Equal(t, test.members["signature"] != "", r.SignaturePresent)
					require.Equal(t, want == topics.ReasonNone, r.Err == "")
					if want != topics.ReasonNone {
						require.Contains(t, r.Err, test.text)
						require.NotContains(t, r.Err, secret)
					}
				})
			}
		}
	}
}

func TestRequire(t *testing.T) {
	hash, signature := verify.RequireHash, verify.RequireSignature
	v := newVerifier(t, verify.Config{
		Require: signature,
		Sources: map[string]verify.Require{"s": hash, "lax": verify.RequireNone},
		Organizations: map[string]verify.Organization{
			"":     {Require: new(verify.Require)},
			"o":    {Require: &hash, Sources: map[string]verify.Require{"lax": signature, "s": verify.RequireNone}},
			"open": {Sources: map[string]verify.Require{"x": verify.RequireNone}},
		},
	})
	for _, test := range []struct {
		organization, source string
		want                 topics.Reason
	}{
		{"other", "other", topics.ReasonUnsigned},
		{"other", "", topics.ReasonUnsigned},
		{"other", "lax", topics.ReasonNone},
		{"other", "s", topics.ReasonUnsigned},
		{"", "other", topics.ReasonNone},
		{"o", "other", topics.ReasonUnsigned},
		{"o", "lax", topics.ReasonUnsigned},
		{"o", "s", topics.ReasonNone},
		{"open", "x", topics.ReasonNone},
		{"open", "lax", topics.ReasonNone},
		{"open", "y", topics.ReasonUnsigned},
	} {
		e := decode(t, fmt.Sprintf(`%s,"organizationId":%q,"source":%q}`, base, test.organization, test.source))
		r := v.Verify(e, verify.NewScratch())
		require.Equal(t, test.want, r.Reason, "%+v: %s", test, r.Err)
	}
	e := decode(t, base+`,"organizationId":"o"}`)
	require.Equal(t, "event has neither hash nor signature, and its organization and source require: hash",
		v.Verify(e, verify.NewScratch()).Err)
}

func TestConfig(t *testing.T) {
	bad := verify.Require(9)
	for want, c := range map[string]verify.Config{
		"has 31 bytes: it needs at least 32":   {Secret: []byte(strings.Repeat("s", 31))},
		"has 0 bytes":                          {Secret: []byte{}},
		"key id is set without":                {KeyID: "k"},
		"require has the unknown value 9":      {Require: bad},
		"unverifiable has the unknown value 9": {Unverifiable: 9},
		`source "s" has the unknown`:           {Sources: map[string]verify.Require{"s": bad}},
		`organization "o" has the unknown`:     {Organizations: map[string]verify.Organization{"o": {Require: &bad}}},
		`organization "o", source "s" has the un`: {Organizations: map[string]verify.Organization{
			"o": {Sources: map[string]verify.Require{"s": bad}}}},
	} {
		_, err := verify.New(c)
		require.ErrorContains(t, err, want)
		require.NotContains(t, err.Error(), "sss")
	}
	for _, name := range []string{"none", "hash", "signature"} {
		r, err := verify.ParseRequire(name)
		require.NoError(t, err)
		require.Equal(t, name, r.String())
	}
	for _, name := range []string{"quarantine", "count"} {
		u, err := verify.ParseUnverifiable(name)
		require.NoError(t, err)
		require.Equal(t, name, u.String())
	}
	_, err := verify.ParseRequire("all")
	require.ErrorContains(t, err, `"all"`)
	_, err = verify.ParseUnverifiable("drop")
	require.ErrorContains(t, err, `"drop"`)

	// What the caller does to its maps later changes nothing.
	sources := map[string]verify.Require{}
	v := newVerifier(t, verify.Config{Sources: sources})
	sources[""] = verify.RequireSignature
	require.Equal(t, topics.ReasonNone, v.Verify(decode(t, base+"}"), verify.NewScratch()).Reason)
}

func TestKeyID(t *testing.T) {
	v := newVerifier(t, verify.Config{Secret: []byte(secret), KeyID: "k1"})
	s := verify.NewScratch()
	_, signature, err := v.Sign(decode(t, base+"}"), s)
	require.NoError(t, err)
	for keyID, want := range map[string]topics.Outcome{
		"": topics.OutcomeVerified, "k1": topics.OutcomeVerified, "k2": topics.OutcomeUnverifiable,
	} {
		e := decode(t, fmt.Sprintf(`%s,"signature":%q,"keyId":%q}`, base, signature, keyID))
		require.Equal(t, want, v.Verify(e, verify.NewScratch()).Outcome)
	}
}

func TestSign(t *testing.T) {
	v := newVerifier(t, verify.Config{Secret: []byte(secret)})
	s := verify.NewScratch()
	hash, signature, err := v.Sign(decode(t, base+"}"), s)
	require.NoError(t, err)
	e := decode(t, fmt.Sprintf(`%s,"hash":%q,"signature":%q}`, base, hash, signature))
	require.Equal(t, topics.OutcomeVerified, v.Verify(e, s).Outcome)
	_, _, err = newVerifier(t, verify.Config{}).Sign(e, s)
	require.ErrorIs(t, err, verify.ErrNoSecret)
}

// TestShared verifies with one Verifier from several goroutines (for the race detector).
func TestShared(t *testing.T) {
	v := newVerifier(t, verify.Config{Secret: []byte(secret)})
	hash, signature, err := v.Sign(decode(t, base+"}"), verify.NewScratch())
	require.NoError(t, err)
	value := fmt.Sprintf(`%s,"hash":%q,"signature":%q}`, base, hash, signature)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			var e topics.Event
			s := verify.NewScratch()
			for range 100 {
				if r, _ := e.Decode([]byte(value), nil, topics.DefaultLimits()); r != topics.ReasonNone {
					t.Error(r)
				}
				if r := v.Verify(&e, s); r.Outcome != topics.OutcomeVerified {
					t.Error(r.Outcome)
				}
			}
		})
	}
	wg.Wait()
}
