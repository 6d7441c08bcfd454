package replay

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// FuzzParseBound: what is accepted is written in the form in which it is read.
func FuzzParseBound(f *testing.F) {
	for _, s := range []string{"", "beginning", "END", "0", "-1", "9223372036854775807", "2026-03-02T12:00:00Z",
		"2026-03-02T12:00:00.5+02:00", "+7", "07"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		b, err := ParseBound(s)
		if err != nil {
			require.Zero(t, b)
			return
		}
		again, err := ParseBound(b.String())
		require.NoError(t, err, "%q became %q", s, b)
		require.True(t, b.at.Equal(again.at))
		b.at = again.at // equal, in another time zone
		require.Equal(t, b, again)
	})
}
