package terminal

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestWrapKeepsTextAndWidth(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text, width := rapid.StringN(0, 60, -1).Draw(t, "text"), rapid.IntRange(1, 30).Draw(t, "width")
		squeeze := func(s string) string { return strings.Join(strings.Fields(s), "") }
		for _, whole := range []bool{false, true} {
			lines := Wrap(text, width, whole)
			for _, l := range lines {
				if !whole || strings.Contains(l, " ") {
					require.LessOrEqual(t, utf8.RuneCountInString(l), width)
				}
			}
			require.Equal(t, squeeze(text), squeeze(strings.Join(lines, "")))
		}
	})
	require.Equal(t, []string{"a", "longer", "word"}, Wrap(" a longer  word ", 4, true))
	require.Equal(t, []string{"a", "long", "er", "word"}, Wrap("a longer word", 4, false))
	require.Equal(t, []string{""}, Wrap("", 4, true))
}

// A shell gets back what was quoted; what needs no quotes has none.
func TestQuote(t *testing.T) {
	for s, want := range map[string]string{
		"": "''", "a-b_c./:=,+@%9": "a-b_c./:=,+@%9", "a b": "'a b'", "it's": `'it'\''s'`, "$x": "'$x'", "ä": "'ä'",
	} {
		require.Equal(t, want, Quote(s))
	}
}
