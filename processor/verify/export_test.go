package verify

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// HexHMAC signs with a key of any length, also one that Config refuses.
func HexHMAC(t testing.TB, key []byte, text string) string {
	t.Helper()
	m, err := newMAC(key)
	require.NoError(t, err)
	sum, err := m.hexSum([]byte(text), NewScratch())
	require.NoError(t, err)
	return string(sum[:])
}

// AppendValue is appendValue for tests.
func AppendValue(dst, token []byte) []byte { return appendValue(dst, token) }
