package topics

// object reads the object that begins at d.b[i], depth levels deep, takes the fields of its scope, and returns the
// offset behind it; -1 after a syntax fault. This is the hot loop: the straight way through it is a plain key, a colon
// and a plain string, with no white space between.
func (d *decoder) object(i, depth int, in scope) int {
	b, e := d.b, d.e
	if depth > d.maxDepth {
		d.tooDeep(i)
	}
	i = skipSpace(b, i+1)
	if i < len(b) && b[i] == '}' {
		return i + 1
	}
	for {
		if i >= len(b) || b[i] != '"' {
			return d.unexpected(i, syntaxKey)
		}
		at, s := scanPlain(b, i+1), syntaxOK
		if at >= len(b) || b[at] != '"' {
			if at, s = scanString(b, at); s > syntaxEscaped {
				return d.malformed(at, s)
			}
		}
		var f field
		switch name := b[i+1 : at]; {
		case s != syntaxOK:
			f = lookupEscaped(in, name)
		case in == scopeEvent:
			f = lookupEvent(name)
		default:
			f = lookup(in, name)
		}
		if at++; at >= len(b) || b[at] != ':' {
			if at = skipSpace(b, at); at >= len(b) || b[at] != ':' {
				return d.unexpected(at, syntaxColon)
			}
		}
		if at++; at >= len(b) || b[at] <= ' ' {
			if at = skipSpace(b, at); at >= len(b) {
				return d.malformed(at, syntaxEnd)
			}
		}
		switch c := b[at]; {
		case c == '"':
			i, s = scanPlain(b, at+1), syntaxOK
			if i >= len(b) || b[i] != '"' {
				if i, s = scanString(b, i); s > syntaxEscaped {
					return d.malformed(i, s)
				}
			}
			i++
			if f < fieldNone {
				bit := uint64(1) << f
				if e.seen&bit != 0 {
					d.twice(f, at)
				}
				e.seen |= bit
				e.strings |= bit
				if s != syntaxOK {
					e.escaped |= bit
				}
				e.tokens[f] = token{uint32(at), uint32(i)}
			}
		case c == '{' && (f == fieldSessionContext || f == fieldCEData):
			if i = d.nested(f, at, depth+1); i < 0 {
				return -1
			}
		default:
			var deep int
			if i, deep, s = skipValue(b, at, depth, d.maxDepth); s > syntaxEscaped {
				return d.malformed(i, s)
			}
			if deep >= 0 {
				d.tooDeep(deep)
			}
			if f != fieldNone {
				d.takeOther(f, at, i)
			}
		}
		if i >= len(b) || b[i] <= ' ' {
			if i = skipSpace(b, i); i >= len(b) {
				return d.malformed(i, syntaxEnd)
			}
		}
		if b[i] != ',' {
			if b[i] == '}' {
				return i + 1
			}
			return d.malformed(i, syntaxComma)
		}
		if i++; i >= len(b) || b[i] <= ' ' {
			i = skipSpace(b, i)
		}
	}
}

// unexpected notes that the text at byte i is not what s says, or has come to its end.
func (d *decoder) unexpected(i int, s syntax) int {
	if i >= len(d.b) {
		s = syntaxEnd
	}
	return d.malformed(i, s)
}

// nested reads an object that is the value of a field and not skipped.
func (d *decoder) nested(f field, at, depth int) int {
	d.note(f, at)
	if f == fieldSessionContext {
		return d.object(at, depth, scopeSession)
	}
	i := d.object(at, depth, scopeEvent)
	if i >= 0 {
		d.e.Raw = d.b[at:i]
	}
	return i
}

// lookupEscaped is lookup for a name with escapes.
func lookupEscaped(in scope, raw []byte) field {
	if len(raw) > 6*maxName {
		return fieldNone
	}
	var buf [6 * maxName]byte
	return lookup(in, appendUnescaped(buf[:0], raw))
}

// takeOther takes the value of f, which is no string and no object that is read. Its type is checked at the end, so
// that a field that occurs twice is judged once.
func (d *decoder) takeOther(f field, start, end int) {
	d.note(f, start)
	d.e.tokens[f] = token{uint32(start), uint32(end)}
}

// note notes that f occurs at offset at.
func (d *decoder) note(f field, at int) {
	bit := uint64(1) << f
	if d.e.seen&bit != 0 {
		d.twice(f, at)
	}
	d.e.seen |= bit
}

// twice notes that f occurs again and forgets what is known of the value before: the last one stays.
//
//go:noinline
func (d *decoder) twice(f field, at int) {
	bit := uint64(1) << f
	d.repeated |= bit
	d.e.strings &^= bit
	d.e.escaped &^= bit
	d.fail(ReasonAmbiguousField, "field %s occurs a second time at byte %d: two readers would see two events",
		fieldNames[f], at)
}
