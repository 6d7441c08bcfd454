package topics

import (
	"strconv"
	"unicode/utf8"
)

// appendUnescaped appends the text of a JSON string, given without its quotes and known to be well formed. A pair of
// escaped surrogates becomes one character; a lone one becomes its three bytes of WTF-8.
func appendUnescaped(dst, s []byte) []byte {
	for i := 0; i < len(s); {
		c := s[i]
		if c != '\\' {
			dst = append(dst, c)
			i++
			continue
		}
		if c = s[i+1]; c != 'u' {
			dst = append(dst, unescapeByte(c))
			i += 2
			continue
		}
		u := hex4(s[i+2:])
		i += 6
		if u>>10 == 0xD800>>10 && i+6 <= len(s) && s[i] == '\\' && s[i+1] == 'u' {
			if low := hex4(s[i+2:]); low>>10 == 0xDC00>>10 {
				dst = utf8.AppendRune(dst, 0x10000+(u-0xD800)<<10+(low-0xDC00))
				i += 6
				continue
			}
		}
		if u>>11 == 0xD800>>11 { // a lone surrogate: AppendRune would lose it
			dst = append(dst, 0xE0|byte(u>>12), 0x80|byte(u>>6)&0xBF, 0x80|byte(u)&0xBF)
			continue
		}
		dst = utf8.AppendRune(dst, u)
	}
	return dst
}

func unescapeByte(c byte) byte {
	switch c {
	case 'b':
		return '\b'
	case 'f':
		return '\f'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	}
	return c // quote, backslash, slash
}

// hex4 reads four hex digits, known to be such.
func hex4(s []byte) rune {
	var u rune
	for _, c := range s[:4] {
		d := c - '0'
		if d > 9 {
			d = (c | 0x20) - 'a' + 10
		}
		u = u<<4 | rune(d)
	}
	return u
}

// Falsy says whether a JSON value counts as false in JavaScript: null, false, "", and any number that is zero as a
// 64-bit float. A nil token (an absent member) is falsy too.
func Falsy(token []byte) bool {
	if len(token) == 0 {
		return true
	}
	switch c := token[0]; c {
	case 'n', 'f':
		return true
	case '"':
		return len(token) == 2
	case '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
		v, err := strconv.ParseFloat(string(token), 64)
		return err == nil && v == 0
	}
	return false
}
