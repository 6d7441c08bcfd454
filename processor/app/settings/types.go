package settings

import (
	"errors"
	"fmt"
	"io"
	"math"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Duration is a time.Duration written as Go text, with d for days of 24 hours besides: 90s, 15m, 7d, 1d12h.
type Duration time.Duration

var days = regexp.MustCompile(`^(-?)([0-9]+(?:\.[0-9]+)?)d(.*)$`)

// maxDays is the number of whole days in the longest duration, 292 years.
const maxDays = float64(math.MaxInt64 / (24 * time.Hour))

var errTooManyDays = errors.New("more days than a duration can hold")

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *Duration) UnmarshalText(b []byte) error {
	text := string(b)
	var whole time.Duration
	if m := days.FindStringSubmatch(text); m != nil {
		n, err := strconv.ParseFloat(m[2], 64)
		if err != nil || n > maxDays {
			return errTooManyDays
		}
		whole = time.Duration(n * float64(24*time.Hour))
		if m[3] == "" {
			if m[1] == "-" {
				whole = -whole
			}
			*d = Duration(whole)
			return nil
		}
		text = m[3]
		if m[1] == "-" {
			whole, text = -whole, "-"+text
		}
	}
	rest, err := time.ParseDuration(text)
	if err != nil {
		return fmt.Errorf("not a duration: write a number with a unit, like 100ms, 90s, 15m, 8h or 7d")
	}
	if sum := whole + rest; (sum < whole) != (rest < 0) {
		return errTooManyDays
	}
	*d = Duration(whole + rest)
	return nil
}

// MarshalText implements encoding.TextMarshaler.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// String gives the shortest form that reads back as the same duration.
func (d Duration) String() string {
	const day = Duration(24 * time.Hour)
	if d != 0 && d%day == 0 {
		return strconv.FormatInt(int64(d/day), 10) + "d"
	}
	s := time.Duration(d).String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// Size is a number of bytes, written plain or with KiB, MiB or GiB.
type Size int64

var units = []struct {
	name  string
	bytes int64
}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}}

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *Size) UnmarshalText(b []byte) error {
	text, unit := string(b), int64(1)
	for _, u := range units {
		if rest, ok := strings.CutSuffix(text, u.name); ok {
			text, unit = strings.TrimSpace(rest), u.bytes
			break
		}
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 || n > (1<<62)/unit {
		return fmt.Errorf("not a size: write a number of bytes, or one with KiB, MiB or GiB, like 64MiB")
	}
	*s = Size(n * unit)
	return nil
}

// MarshalText implements encoding.TextMarshaler.
func (s Size) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// String gives the shortest form.
func (s Size) String() string {
	for _, u := range units {
		if s != 0 && int64(s)%u.bytes == 0 {
			return strconv.FormatInt(int64(s)/u.bytes, 10) + u.name
		}
	}
	return strconv.FormatInt(int64(s), 10)
}

// Mask stands for a secret that is set.
const Mask = "****"

// Secret is text that is shown nowhere. Its value is had with Reveal.
type Secret struct{ text string }

// NewSecret makes a secret of text.
func NewSecret(text string) Secret { return Secret{text} }

// Reveal gives the text.
func (s Secret) Reveal() string { return s.text }

// Set says whether there is one.
func (s Secret) Set() bool { return s.text != "" }

// String implements fmt.Stringer: the mask, or nothing.
func (s Secret) String() string {
	if s.text == "" {
		return ""
	}
	return Mask
}

// Format implements fmt.Formatter: every verb gives what String gives.
func (s Secret) Format(f fmt.State, _ rune) { io.WriteString(f, s.String()) } //nolint:errcheck // as fmt itself does

// MarshalText implements encoding.TextMarshaler with the mask.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *Secret) UnmarshalText(b []byte) error {
	s.text = string(b)
	return nil
}

// URL is an address that may hold a password, which is shown nowhere.
type URL struct{ Secret }

// NewURL makes a URL of text.
func NewURL(text string) URL { return URL{Secret{text}} }

var keywordPassword = regexp.MustCompile(`(?i)\b(\w*password)\s*=\s*('(?:[^'\\]|\\.)*'|\S*)`)

// String gives the address with its password masked.
func (u URL) String() string {
	if u.text == "" {
		return ""
	}
	p, err := url.Parse(u.text)
	if err != nil || p.Scheme == "" {
		if strings.Contains(u.text, "://") {
			return Mask // no telling what is in it
		}
		return keywordPassword.ReplaceAllString(u.text, "$1="+Mask)
	}
	if _, has := p.User.Password(); has {
		p.User = url.UserPassword(p.User.Username(), "MASK")
	}
	q := p.Query()
	for k := range q {
		if strings.Contains(strings.ToLower(k), "password") {
			q.Set(k, "MASK")
		}
	}
	p.RawQuery = q.Encode()
	return strings.ReplaceAll(p.String(), "MASK", Mask)
}

// Format implements fmt.Formatter: every verb gives what String gives.
func (u URL) Format(f fmt.State, _ rune) { io.WriteString(f, u.String()) } //nolint:errcheck // as fmt itself does

// MarshalText implements encoding.TextMarshaler with the password masked.
func (u URL) MarshalText() ([]byte, error) { return []byte(u.String()), nil }
