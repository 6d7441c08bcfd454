package replay

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestParseBound(t *testing.T) {
	for text, want := range map[string]string{
		"": "beginning", "beginning": "beginning", "END": "end", "17": "17",
		"2026-03-02T12:00:00Z": "2026-03-02T12:00:00Z",
	} {
		b, err := ParseBound(text)
		require.NoError(t, err, text)
		require.Equal(t, want, b.String())
	}
	for _, text := range []string{"-1", "yesterday", "2026-03-02", "1.5"} {
		_, err := ParseBound(text)
		require.Error(t, err, text)
	}
}
