package verify

import (
	"bytes"
	"slices"
	"strconv"
	"unicode/utf8"
)

// appendValue appends a JSON value as JavaScript prints it after JSON.parse: JSON.stringify(JSON.parse(token)). token
// is one value, known to be well formed, in UTF-8. It recurses as deep as the value is nested, which the decoder
// bounds.
func appendValue(dst, token []byte) []byte {
	r := reader{b: token}
	return r.value(dst)
}

// reader walks over a JSON text known to be well formed.
type reader struct {
	b []byte
	i int
}

func (r *reader) space() {
	for r.i < len(r.b) && r.b[r.i] <= ' ' {
		r.i++
	}
}

// value reads the value at the reader's place and appends it.
func (r *reader) value(dst []byte) []byte {
	r.space()
	switch r.b[r.i] {
	case '"':
		return appendString(dst, r.str())
	case '{':
		return r.object(dst)
	case '[':
		return r.array(dst)
	}
	start := r.i
	for r.i < len(r.b) && bytes.IndexByte([]byte(",]} \t\r\n"), r.b[r.i]) < 0 {
		r.i++
	}
	word := r.b[start:r.i]
	if c := word[0]; c == 't' || c == 'f' || c == 'n' {
		return append(dst, word...)
	}
	return appendNumber(dst, word)
}

// str reads a string and returns it raw, without its quotes.
func (r *reader) str() []byte {
	start := r.i + 1
	for r.i = start; r.b[r.i] != '"'; r.i++ {
		if r.b[r.i] == '\\' {
			r.i++
		}
	}
	r.i++
	return r.b[start : r.i-1]
}

func (r *reader) array(dst []byte) []byte {
	dst = append(dst, '[')
	r.i++
	for first := true; ; first = false {
		r.space()
		switch r.b[r.i] {
		case ']':
			r.i++
			return append(dst, ']')
		case ',':
			r.i++
		}
		if !first {
			dst = append(dst, ',')
		}
		dst = r.value(dst)
	}
}

// member is a member of an object: name and value as printed, the name with its quotes.
type member struct {
	name, value []byte
	index       uint64 // of an array index, else notIndex
}

const notIndex = uint64(1) << 32

// object prints an object's members in JavaScript's order: names that are array indices first, ascending, then the
// others in the order in which they were first set. Of several members of one name the last value stands at the place
// of the first.
func (r *reader) object(dst []byte) []byte {
	var members []member
	places := map[string]int{}
	r.i++
	for {
		r.space()
		if r.b[r.i] == ',' {
			r.i++
			r.space()
		}
		if r.b[r.i] == '}' {
			r.i++
			break
		}
		name := appendString(nil, r.str())
		r.space()
		r.i++ // the colon
		value := r.value(nil)
		if at, ok := places[string(name)]; ok {
			members[at].value = value
			continue
		}
		places[string(name)] = len(members)
		members = append(members, member{name: name, value: value, index: arrayIndex(name[1 : len(name)-1])})
	}
	slices.SortStableFunc(members, func(a, b member) int {
		switch {
		case a.index < b.index:
			return -1
		case a.index > b.index:
			return 1
		}
		return 0
	})
	dst = append(dst, '{')
	for i, m := range members {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, m.name...)
		dst = append(dst, ':')
		dst = append(dst, m.value...)
	}
	return append(dst, '}')
}

// arrayIndex returns the number that a property name is when it is an array index (ECMA-262 §6.1.7: the canonical
// decimal form of an integer from 0 to 2^32 − 2), else notIndex.
func arrayIndex(name []byte) uint64 {
	if len(name) == 0 || len(name) > len("4294967294") || name[0] == '0' && len(name) > 1 {
		return notIndex
	}
	var n uint64
	for _, c := range name {
		if c-'0' > 9 {
			return notIndex
		}
		n = n*10 + uint64(c-'0')
	}
	if n > 1<<32-2 {
		return notIndex
	}
	return n
}

const hexDigits = "0123456789abcdef"

// appendString appends the raw text of a JSON string (without quotes) as JSON.stringify prints its value (ECMA-262
// §25.5.2.3, QuoteJSONString): quote, backslash and control characters escaped, lone surrogates as \udxxx, all else as
// it is.
func appendString(dst, raw []byte) []byte {
	dst = append(dst, '"')
	for i := 0; i < len(raw); {
		if c := raw[i]; c != '\\' {
			dst = append(dst, c)
			i++
			continue
		}
		switch c := raw[i+1]; c {
		case '/':
			dst = append(dst, '/')
			i += 2
		case 'u':
			unit := hex4(raw[i+2:])
			i += 6
			if unit>>10 == 0xD800>>10 && i+6 <= len(raw) && raw[i] == '\\' && raw[i+1] == 'u' {
				if low := hex4(raw[i+2:]); low>>10 == 0xDC00>>10 {
					dst = utf8.AppendRune(dst, 0x10000+(unit-0xD800)<<10+(low-0xDC00))
					i += 6
					continue
				}
			}
			dst = appendUnit(dst, unit)
		default: // the short escapes are those of JSON.stringify
			dst = append(dst, '\\', c)
			i += 2
		}
	}
	return append(dst, '"')
}

// appendUnit appends one UTF-16 code unit that is no half of a pair.
func appendUnit(dst []byte, unit rune) []byte {
	switch unit {
	case '"', '\\':
		return append(dst, '\\', byte(unit))
	case '\b':
		return append(dst, `\b`...)
	case '\t':
		return append(dst, `\t`...)
	case '\n':
		return append(dst, `\n`...)
	case '\f':
		return append(dst, `\f`...)
	case '\r':
		return append(dst, `\r`...)
	}
	if unit < ' ' || unit>>11 == 0xD800>>11 {
		return append(dst, '\\', 'u', hexDigits[unit>>12], hexDigits[unit>>8&15], hexDigits[unit>>4&15],
			hexDigits[unit&15])
	}
	return utf8.AppendRune(dst, unit)
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

// appendNumber appends a JSON number as JavaScript prints it: the shortest decimal that reads back as the same 64-bit
// float, in the notation of ECMA-262 §6.1.6.1.20 (Number::toString). What overflows is infinite, which JSON.stringify
// prints as null; minus zero is 0.
func appendNumber(dst, text []byte) []byte {
	v, err := strconv.ParseFloat(string(text), 64)
	if err != nil { // the syntax is known to be right, so it is the range: ±infinity
		return append(dst, "null"...)
	}
	if v == 0 {
		return append(dst, '0')
	}
	if v < 0 {
		dst = append(dst, '-')
		v = -v
	}
	// Digits d1…dk and the exponent n with v = 0.d1…dk × 10^n.
	var buf [32]byte
	sci := strconv.AppendFloat(buf[:0], v, 'e', -1, 64) // d1.d2…dke±xx
	at := bytes.IndexByte(sci, 'e')
	exp, _ := strconv.Atoi(string(sci[at+1:]))
	digits := append(sci[:1:1], sci[min(2, at):at]...)
	k, n := len(digits), exp+1
	switch {
	case k <= n && n <= 21:
		dst = append(dst, digits...)
		for range n - k {
			dst = append(dst, '0')
		}
		return dst
	case 0 < n && n <= 21:
		dst = append(dst, digits[:n]...)
		dst = append(dst, '.')
		return append(dst, digits[n:]...)
	case -6 < n && n <= 0:
		dst = append(dst, "0."...)
		for range -n {
			dst = append(dst, '0')
		}
		return append(dst, digits...)
	}
	dst = append(dst, digits[0])
	if k > 1 {
		dst = append(dst, '.')
		dst = append(dst, digits[1:]...)
	}
	dst = append(dst, 'e')
	if n > 0 {
		dst = append(dst, '+')
	}
	return strconv.AppendInt(dst, int64(n-1), 10)
}
