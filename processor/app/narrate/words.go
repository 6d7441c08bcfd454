package narrate

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// number gives n with a thing, in the singular where it is one: "1 event", "5 events".
func number(n int64, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return Thousands(n) + " " + thing + "s"
}

// Thousands writes a number with commas.
func Thousands[T int | int64](n T) string {
	s := strconv.FormatInt(int64(n), 10)
	var b strings.Builder
	for i, c := range s {
		if i > 0 && (len(s)-i)%3 == 0 && s[i-1] != '-' {
			b.WriteByte(',')
		}
		b.WriteRune(c)
	}
	return b.String()
}

// ordinal is 1st, 2nd, 3rd, 4th …
func ordinal(n int64) string {
	suffix := "th"
	if n/10%10 != 1 {
		switch n % 10 {
		case 1:
			suffix = "st"
		case 2:
			suffix = "nd"
		case 3:
			suffix = "rd"
		}
	}
	return Thousands(n) + suffix
}

// span writes a length of time in its two largest units.
func span(d time.Duration) string {
	if d < time.Second {
		if d > 0 && d < time.Millisecond {
			return "less than a millisecond"
		}
		return number(d.Milliseconds(), "millisecond")
	}
	units := []struct {
		length time.Duration
		name   string
	}{{24 * time.Hour, "day"}, {time.Hour, "hour"}, {time.Minute, "minute"}, {time.Second, "second"}}
	for i, u := range units {
		if d < u.length {
			continue
		}
		text := number(int64(d/u.length), u.name)
		if i+1 < len(units) {
			if rest := d % u.length / units[i+1].length; rest > 0 {
				text += " " + number(int64(rest), units[i+1].name)
			}
		}
		return text
	}
	return ""
}

// moment is a time for prose: 2026-03-02 12:00:04 UTC, with milliseconds where they are not 0.
func moment(t time.Time) string {
	t = t.UTC()
	if t.Nanosecond() >= int(time.Millisecond) {
		return t.Format("2006-01-02 15:04:05.000 UTC")
	}
	return t.Format("2006-01-02 15:04:05 UTC")
}

// capital makes a sentence of text: a capital letter, and a full stop.
func capital(s string) string {
	r, n := utf8.DecodeRuneInString(s)
	if n == 0 {
		return s
	}
	s = string(unicode.ToUpper(r)) + s[n:]
	if !strings.HasSuffix(s, ".") {
		s += "."
	}
	return s
}

// some says how many of all there are: "all 5 events", "3 of the 5 events".
func some(n, all int64, thing string) string {
	switch {
	case n >= all && all == 1:
		return "the " + thing
	case n >= all:
		return fmt.Sprintf("all %s", number(all, thing))
	case all == 1:
		return number(n, thing)
	}
	return fmt.Sprintf("%s of the %s", Thousands(n), number(all, thing))
}
