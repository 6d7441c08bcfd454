package topics_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"tocsin/topics"
)

func TestEscape(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, in, want string }{
		{"empty", "", ""},
		{"plain", "alice@example.org", "alice@example.org"},
		{"other scripts", "Jürgen 東京 🚨", "Jürgen 東京 🚨"},
		{"replacement character", "a\ufffdb", "a\ufffdb"},
		{"null", "a\x00b", "a␛0000b"},
		{"high surrogate", "\xed\xa0\xbd!", "␛D83D!"},
		{"low surrogate", "\xed\xba\xa8", "␛DEA8"},
		{"last surrogate", "\xed\xbf\xbf", "␛DFFF"},
		{"last before surrogates", "\xed\x9f\xbf", "\ud7ff"},
		{"two surrogates in WTF-8", "\xed\xa0\xbd\xed\xba\xa8", "␛D83D␛DEA8"},
		{"escape character", "␛0000", "␛241B0000"},
		{"stray byte", "\xff\xed\xa0", "␛00FF␛00ED␛00A0"},
		{"U+0080 as a character", "\u0080", "\u0080"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := topics.Escape(tt.in)
			require.Equal(t, tt.want, got)
			require.Equal(t, tt.in, topics.Unescape(got))
			require.Equal(t, "x"+tt.want, string(topics.AppendEscaped([]byte("x"), []byte(tt.in))))
		})
	}
}

func TestUnescapeLeavesTheRest(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"␛", "␛12", "␛zzzz", "␛d800", "␛0041", "␛007F", "␛0100", "␛241C", "x␛␛"} {
		require.Equal(t, s, topics.Unescape(s))
	}
	require.Equal(t, "␛\x00", topics.Unescape("␛␛0000"))
}

func TestEscapeCopiesNothingThatFits(t *testing.T) {
	s := strings.Repeat("plain text, Zürich; ", 20)
	require.Zero(t, testing.AllocsPerRun(100, func() { _ = topics.Escape(s) }))
}

func requireRoundTrip(t require.TestingT, s string) {
	e := topics.Escape(s)
	require.True(t, utf8.ValidString(e))
	require.NotContains(t, e, "\x00")
	require.Equal(t, s, topics.Unescape(e))
}

func TestEscapeRoundTrip(t *testing.T) {
	t.Parallel()
	piece := rapid.SampledFrom([]string{"", "a", "\x00", "␛", "␛0000", "\xed\xa0\x80", "\xed", "\xa0", "0", "D800", "\u0085", "🚨"})
	rapid.Check(t, func(t *rapid.T) {
		requireRoundTrip(t, strings.Join(rapid.SliceOf(piece).Draw(t, "pieces"), ""))
	})
}

func FuzzEscape(f *testing.F) {
	for _, s := range []string{"", "a\x00", "␛", "␛D800", "\xed\xa0\x80", "\xe2\x90", "\xe2\x90\x9b\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		requireRoundTrip(t, s)
		topics.Unescape(topics.Unescape(s)) // must not panic on anything
	})
}
