package verify_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"tocsin/processor/processortest/captures"
	"tocsin/processor/verify"
	"tocsin/topics"
)

func TestVectors(t *testing.T) {
	lines, err := os.ReadFile(filepath.Join(captures.Shared(t), "vectors", "canonical-hash.jsonl"))
	require.NoError(t, err)
	n := 0
	s := verify.NewScratch()
	for line := range bytes.Lines(lines) {
		var v struct {
			Event                              json.RawMessage // as it stands in the line
			Secret, Canonical, Hash, Signature string
			Name                               string
		}
		require.NoError(t, json.Unmarshal(line, &v))
		n++
		t.Run(v.Name, func(t *testing.T) {
			var e topics.Event
			reason, _ := e.Decode(v.Event, nil, topics.DefaultLimits())
			if reason != topics.ReasonNone { // some vectors are no events, but their canonical strings are defined
				require.GreaterOrEqual(t, reason, topics.ReasonAmbiguousField)
			}
			require.Equal(t, v.Canonical, string(verify.AppendCanonical(nil, &e)))
			sum := verify.CanonicalHash(&e, s)
			require.Equal(t, v.Hash, hex.EncodeToString(sum[:]))
			if len(v.Secret) < verify.MinSecret {
				_, err := verify.New(verify.Config{Secret: []byte(v.Secret)})
				require.ErrorContains(t, err, "at least 32")
				require.Equal(t, v.Signature, verify.HexHMAC(t, []byte(v.Secret), v.Hash))
				return
			}
			verifier, err := verify.New(verify.Config{Secret: []byte(v.Secret)})
			require.NoError(t, err)
			hash, signature, err := verifier.Sign(&e, s)
			require.NoError(t, err)
			require.Equal(t, v.Hash, string(hash))
			require.Equal(t, v.Signature, string(signature))
		})
	}
	require.Equal(t, 37, n)
}
