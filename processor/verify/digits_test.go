package verify_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"tocsin/processor/verify"
	"tocsin/topics"
)

// TestEveryDigit: one wrong digit anywhere in the hash or in the signature is seen, and so is one too many or too few.
func TestEveryDigit(t *testing.T) {
	v, err := verify.New(verify.Config{Secret: bytes.Repeat([]byte("s3"), 16)})
	require.NoError(t, err)
	var e topics.Event
	reason, err := e.Decode([]byte(`{"timestamp":"2026-03-02T00:00:00Z","status":"success","action":"x"}`), nil,
		topics.DefaultLimits())
	require.Equal(t, topics.ReasonNone, reason, "%v", err)
	s := verify.NewScratch()
	hash, signature, err := v.Sign(&e, s)
	require.NoError(t, err)
	hash, signature = bytes.Clone(hash), bytes.Clone(signature)
	check := func(want topics.Outcome, hash, signature []byte) {
		t.Helper()
		e.Hash, e.Signature = hash, signature
		require.Equal(t, want, v.Verify(&e, s).Outcome, "%s %s", hash, signature)
	}
	check(topics.OutcomeVerified, hash, signature)
	wrong := func(text []byte, i int) []byte {
		other := bytes.Clone(text)
		other[i] ^= 1
		return other
	}
	for i := range hash {
		check(topics.OutcomeTampered, wrong(hash, i), signature)
		check(topics.OutcomeForged, hash, wrong(signature, i))
		check(topics.OutcomeForged, nil, wrong(signature, i))
	}
	check(topics.OutcomeTampered, hash[:63], signature)
	check(topics.OutcomeTampered, append(bytes.Clone(hash), '0'), signature)
	check(topics.OutcomeForged, hash, signature[:63])
	check(topics.OutcomeForged, hash, append(bytes.Clone(signature), '0'))
	check(topics.OutcomeTampered, bytes.ToUpper(hash), signature)
}
