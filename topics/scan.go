package topics

import (
	"encoding/binary"
	"math/bits"
)

// syntax says what is wrong with a JSON text; syntaxOK nothing.
type syntax uint8

const (
	syntaxOK      syntax = iota
	syntaxEscaped        // not a fault: the string is fine and holds escapes
	syntaxEnd
	syntaxValue
	syntaxKey
	syntaxColon
	syntaxComma
	syntaxControl
	syntaxEscape
	syntaxNumber
	syntaxTrailing
	syntaxBOM
)

var syntaxTexts = [...]string{
	syntaxEnd:      "the text ends too early",
	syntaxValue:    "a JSON value is expected",
	syntaxKey:      "a key in double quotes is expected",
	syntaxColon:    "a colon is expected after the key",
	syntaxComma:    "a comma or the closing bracket is expected",
	syntaxControl:  "a control character stands in a string without escape",
	syntaxEscape:   "an escape sequence in a string is wrong",
	syntaxNumber:   "a number is malformed",
	syntaxTrailing: "more text follows the JSON object",
	syntaxBOM:      "the text begins with a byte order mark: write UTF-8 without one",
}

const (
	onesMask   = 0x0101010101010101
	highMask   = 0x8080808080808080
	escapeMask = onesMask * '\\'
	swapMask   = onesMask * (' ' ^ '"')
	limitMask  = onesMask * (' ' + 1)
)

// scanPlain returns the offset of a byte from b[i] on that may end a run of plain string text: the first that is a
// quote, a backslash or a control character, or one of the last seven bytes of b, whatever it is.
//
// It looks at eight bytes at a time. Exchanging 0x20 and 0x22 puts the quote next to the control characters, so that
// one comparison finds both. Bits above the lowest one in special may be wrong (borrows), the lowest never is.
func scanPlain(b []byte, i int) int {
	for uint(i)+8 <= uint(len(b)) {
		x := binary.LittleEndian.Uint64(b[i : i+8])
		q := x ^ swapMask
		e := x ^ escapeMask
		special := ((q-limitMask)&^q | (e-onesMask)&^e) & highMask
		if special != 0 {
			return i + bits.TrailingZeros64(special)>>3
		}
		i += 8
	}
	return i
}

// scanString reads a string from b[i] on, a byte within it. It returns the offset of the closing quote with syntaxOK or
// (when escapes stand from b[i] on) syntaxEscaped, or else the offset of the fault and what it is. b is known to be
// UTF-8.
func scanString(b []byte, i int) (int, syntax) {
	found := syntaxOK
	for {
		i = scanPlain(b, i)
		for i < len(b) && b[i] >= ' ' && b[i] != '"' && b[i] != '\\' {
			i++
		}
		if i >= len(b) {
			return i, syntaxEnd
		}
		switch b[i] {
		case '"':
			return i, found
		case '\\':
			n := escapeLen(b[i:])
			if n == 0 {
				return i, syntaxEscape
			}
			i += n
			found = syntaxEscaped
		default:
			return i, syntaxControl
		}
	}
}

// escapeLen is the length of the escape sequence that b begins with, or 0 when it is not one.
func escapeLen(b []byte) int {
	if len(b) < 2 {
		return 0
	}
	switch b[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
		if len(b) >= 6 && isHex(b[2]) && isHex(b[3]) && isHex(b[4]) && isHex(b[5]) {
			return 6
		}
	}
	return 0
}

func isHex(c byte) bool {
	return c-'0' <= 9 || (c|0x20)-'a' <= 5
}

// scanNumber reads the number that begins at b[i] and returns the offset behind it.
func scanNumber(b []byte, i int) (int, syntax) {
	if b[i] == '-' {
		i++
	}
	switch {
	case i >= len(b):
		return i, syntaxEnd
	case b[i] == '0':
		i++
	case b[i]-'1' <= 8:
		i = scanDigits(b, i)
	default:
		return i, syntaxNumber
	}
	if i < len(b) && b[i] == '.' {
		n := scanDigits(b, i+1)
		if n == i+1 {
			return n, syntaxNumber
		}
		i = n
	}
	if i < len(b) && b[i]|0x20 == 'e' {
		i++
		if i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		n := scanDigits(b, i)
		if n == i {
			return n, syntaxNumber
		}
		i = n
	}
	return i, syntaxOK
}

func scanDigits(b []byte, i int) int {
	for i < len(b) && b[i]-'0' <= 9 {
		i++
	}
	return i
}

// scanScalar reads a value that is neither object nor array, other than a string, and returns the offset behind it.
func scanScalar(b []byte, i int) (int, syntax) {
	switch c := b[i]; {
	case c == '-' || c-'0' <= 9:
		return scanNumber(b, i)
	case c == 't':
		return scanWord(b, i, "true")
	case c == 'f':
		return scanWord(b, i, "false")
	case c == 'n':
		return scanWord(b, i, "null")
	}
	return i, syntaxValue
}

func scanWord(b []byte, i int, word string) (int, syntax) {
	if len(b)-i >= len(word) && string(b[i:i+len(word)]) == word {
		return i + len(word), syntaxOK
	}
	return i, syntaxValue
}

// skipSpace returns the offset of the first byte from i on that is no JSON white space.
func skipSpace(b []byte, i int) int {
	for i < len(b) && b[i] <= ' ' && (b[i] == ' ' || b[i] == '\n' || b[i] == '\r' || b[i] == '\t') {
		i++
	}
	return i
}

// scanKey reads a key, its colon and the white space around it; b[i] should be the opening quote. It returns the
// offset of the value.
func scanKey(b []byte, i int) (value int, s syntax) {
	if i >= len(b) {
		return i, syntaxEnd
	}
	if b[i] != '"' {
		return i, syntaxKey
	}
	end, s := scanString(b, i+1)
	if s > syntaxEscaped {
		return end, s
	}
	i = end + 1
	if i < len(b) && b[i] != ':' {
		i = skipSpace(b, i)
	}
	if i >= len(b) {
		return i, syntaxEnd
	}
	if b[i] != ':' {
		return i, syntaxColon
	}
	i++
	if i < len(b) && b[i] <= ' ' {
		i = skipSpace(b, i)
	}
	if i >= len(b) {
		return i, syntaxEnd
	}
	return i, s
}

// skipValue reads any value that begins at b[i], depth levels deep, and returns the offset behind it. deep is the
// offset of the first bracket beyond maxDepth, or -1. It keeps one bit per open bracket and does not recurse, so no
// text can exhaust the stack.
func skipValue(b []byte, i, depth, maxDepth int) (end, deep int, s syntax) {
	var (
		open  levels
		start int
	)
	deep = -1
	for {
		if i >= len(b) {
			return i, deep, syntaxEnd
		}
		switch c := b[i]; c {
		case '"':
			if i, s = scanString(b, i+1); s > syntaxEscaped {
				return i, deep, s
			}
			i++
		case '{', '[':
			start = i
			open.push(c == '{')
			if deep < 0 && depth+open.n > maxDepth {
				deep = start
			}
			i = skipSpace(b, i+1)
			if i < len(b) && b[i] == c+2 { // the closing bracket is two above the opening one
				break // read by the loop below
			}
			if c == '{' {
				if i, s = scanKey(b, i); s > syntaxEscaped {
					return i, deep, s
				}
			}
			continue
		default:
			if i, s = scanScalar(b, i); s != syntaxOK {
				return i, deep, s
			}
		}
		for { // behind a value, or before the closing bracket of an empty one
			if open.n == 0 {
				return i, deep, syntaxOK
			}
			i = skipSpace(b, i)
			if i >= len(b) {
				return i, deep, syntaxEnd
			}
			object := open.object()
			switch c := b[i]; {
			case c == '}' && object || c == ']' && !object:
				open.pop()
				i++
				continue
			case c != ',':
				return i, deep, syntaxComma
			}
			i = skipSpace(b, i+1)
			if object {
				if i, s = scanKey(b, i); s > syntaxEscaped {
					return i, deep, s
				}
			}
			break
		}
	}
}

// levels is the stack of open brackets, a bit each: 1 for an object.
type levels struct {
	bits uint64
	n    int
	more []uint64 // full words below bits: only beyond 64 levels
}

func (l *levels) push(object bool) {
	if l.n > 0 && l.n%64 == 0 {
		l.more = append(l.more, l.bits)
		l.bits = 0
	}
	l.bits <<= 1
	if object {
		l.bits |= 1
	}
	l.n++
}

func (l *levels) pop() {
	l.n--
	l.bits >>= 1
	if l.n > 0 && l.n%64 == 0 {
		l.bits = l.more[len(l.more)-1]
		l.more = l.more[:len(l.more)-1]
	}
}

func (l *levels) object() bool { return l.bits&1 == 1 }
