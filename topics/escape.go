package topics

import (
	"strings"
	"unicode/utf8"
)

// The escape character, U+241B SYMBOL FOR ESCAPE. Four upper-case hex digits follow it: those of the code point that
// could not stand there itself.
const (
	escapeRune = '\u241b'
	escapeText = "\u241b"
)

// Escape makes any text fit for a database and for JSON: the result is UTF-8 without U+0000 and without surrogates.
// Nothing is lost: [Unescape] gives the text back, byte for byte.
//
//	U+0000                             ␛0000
//	a lone surrogate (WTF-8, 3 bytes)  ␛D800 … ␛DFFF
//	U+241B itself                      ␛241B
//	any other byte that is not UTF-8   ␛0080 … ␛00FF, the byte (U+0080 … U+00FF themselves are never escaped)
//
// A text that needs no escape, which is nearly every one, is returned as it is, without a copy.
func Escape(s string) string {
	if i := firstUnfit(s); i < len(s) {
		return string(AppendEscaped(append(make([]byte, 0, len(s)+16), s[:i]...), s[i:]))
	}
	return s
}

// AppendEscaped appends the escaped form of s to dst (see [Escape]).
func AppendEscaped[T string | []byte](dst []byte, s T) []byte {
	text := string(s) // the compiler may copy here; only texts that need an escape come this way
	for len(text) > 0 {
		i := firstUnfit(text)
		dst = append(dst, text[:i]...)
		if text = text[i:]; text == "" {
			break
		}
		code, size := uint16(text[0]), 1
		switch {
		case strings.HasPrefix(text, escapeText):
			code, size = escapeRune, len(escapeText)
		case isSurrogate(text):
			code, size = 0xd000|uint16(text[1]&0x3f)<<6|uint16(text[2]&0x3f), 3
		}
		dst = appendCode(dst, code)
		text = text[size:]
	}
	return dst
}

// Unescape is the inverse of [Escape]. What Escape does not write (an escape character with other digits, say) stays
// as it is, so it never fails.
func Unescape(s string) string {
	i := strings.Index(s, escapeText)
	if i < 0 {
		return s
	}
	out := make([]byte, 0, len(s))
	for {
		out = append(out, s[:i]...)
		s = s[i:]
		if s == "" {
			return string(out)
		}
		out, i = appendOriginal(out, s)
		s = s[i:]
		if i = strings.Index(s, escapeText); i < 0 {
			i = len(s)
		}
	}
}

// firstUnfit is the offset of the first byte of s that must be escaped, or len(s).
func firstUnfit(s string) int {
	for i := 0; i < len(s); {
		c := s[i]
		if c-1 < utf8.RuneSelf-1 { // ASCII other than U+0000
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if c == 0 || r == escapeRune || r == utf8.RuneError && size == 1 {
			return i
		}
		i += size
	}
	return len(s)
}

// isSurrogate says whether s begins with a surrogate in three bytes: ED A0..BF 80..BF.
func isSurrogate(s string) bool {
	return len(s) >= 3 && s[0] == 0xed && s[1]&0xe0 == 0xa0 && s[2]&0xc0 == 0x80
}

const upperHex = "0123456789ABCDEF"

func appendCode(dst []byte, code uint16) []byte {
	return append(append(dst, escapeText...),
		upperHex[code>>12], upperHex[code>>8&0xf], upperHex[code>>4&0xf], upperHex[code&0xf])
}

// appendOriginal appends what the escape at the start of s stands for and returns how many bytes of s that took.
func appendOriginal(dst []byte, s string) ([]byte, int) {
	const size = len(escapeText) + 4
	if len(s) < size {
		return append(dst, escapeText...), len(escapeText)
	}
	var code uint16
	for _, c := range []byte(s[len(escapeText):size]) {
		digit := strings.IndexByte(upperHex, c)
		if digit < 0 {
			return append(dst, escapeText...), len(escapeText)
		}
		code = code<<4 | uint16(digit)
	}
	switch {
	case code == 0:
		return append(dst, 0), size
	case code == escapeRune:
		return append(dst, escapeText...), size
	case code >= 0x80 && code <= 0xff:
		return append(dst, byte(code)), size
	case code >= 0xd800 && code <= 0xdfff:
		return append(dst, 0xed, byte(0x80|code>>6&0x3f), byte(0x80|code&0x3f)), size
	}
	return append(dst, escapeText...), len(escapeText)
}
