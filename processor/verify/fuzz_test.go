package verify_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"tocsin/processor/verify"
	"tocsin/topics"
)

// FuzzVerify states any hash, signature, algorithms and key for any event, and asks the outcome of the table in the
// contract, with the hash and the signature computed here by other means. No secret shows in what is said about it.
func FuzzVerify(f *testing.F) {
	secret := bytes.Repeat([]byte("s3"), 16)
	with, err := verify.New(verify.Config{Secret: secret, KeyID: "k1"})
	require.NoError(f, err)
	without, err := verify.New(verify.Config{})
	require.NoError(f, err)
	f.Add("data.read", "", "", "", "", "", byte(0))
	f.Add("x", "h", "s", "SHA-256", "HMAC-SHA256", "k1", byte(3))
	f.Add("x", "", "", "", "", "k2", byte(2))
	f.Add("\u2028<é", "H", "S", "sha-256", "", "", byte(7))
	f.Fuzz(func(t *testing.T, action, hash, signature, hashAlgorithm, algorithm, keyID string, right byte) {
		quoted, err := json.Marshal("x" + action)
		require.NoError(t, err)
		var e topics.Event
		text := fmt.Appendf(nil, `{"timestamp":"2026-03-02T00:00:00Z","status":"success","action":%s}`, quoted)
		reason, err := e.Decode(text, nil, topics.DefaultLimits())
		require.Equal(t, topics.ReasonNone, reason, "%v", err)
		want := sha256.Sum256(verify.AppendCanonical(nil, &e))
		hashText := hex.EncodeToString(want[:])
		if right&1 != 0 {
			hash = hashText
		}
		if right&2 != 0 {
			mac := hmac.New(sha256.New, secret)
			mac.Write([]byte(hashText))
			signature = hex.EncodeToString(mac.Sum(nil))
		}
		e.Hash, e.Signature, e.HashAlgorithm = []byte(hash), []byte(signature), []byte(hashAlgorithm)
		e.Algorithm, e.KeyID = []byte(algorithm), []byte(keyID)
		scratch := verify.NewScratch()
		for _, v := range []*verify.Verifier{with, without} {
			r := v.Verify(&e, scratch)
			require.Equal(t, want, r.Hash)
			o := outcome(v == with, hash == hashText, right&2 != 0, []string{hash, signature, hashAlgorithm, algorithm, keyID})
			require.Equal(t, o, r.Outcome)
			require.Equal(t, r.Reason == topics.ReasonNone, r.Err == "")
			require.NotContains(t, r.Err, string(secret))
			require.Equal(t, r, v.Verify(&e, scratch), "twice")
		}
	})
}

// outcome is the table of the contract: stated are hash, signature, hash algorithm, algorithm and key id.
func outcome(key, hashRight, signed bool, stated []string) topics.Outcome {
	known := (stated[3] == "" || stated[3] == "HMAC-SHA256") && (stated[4] == "" || stated[4] == "k1")
	switch {
	case stated[0] == "" && stated[1] == "":
		return topics.OutcomeUnsigned
	case stated[2] != "" && stated[2] != "SHA-256":
		return topics.OutcomeUnverifiable
	case stated[0] != "" && !hashRight:
		return topics.OutcomeTampered
	case stated[1] == "" || !key:
		if stated[0] == "" {
			return topics.OutcomeUnsigned
		}
		return topics.OutcomeHashOnly
	case !known:
		return topics.OutcomeUnverifiable
	case !signed:
		return topics.OutcomeForged
	}
	return topics.OutcomeVerified
}
