package detect

import (
	"bytes"
	"slices"
	"strconv"
	"strings"

	"tocsin/topics"
)

// denials are the lists that make a failure a denial.
type denials struct {
	codes   map[string]bool
	phrases [][]byte // ASCII lower case
	text    string   // canonical form
}

func compileDenials(codes, phrases []string) *denials {
	d := &denials{codes: make(map[string]bool, len(codes))}
	var b strings.Builder
	codes, phrases = slices.Sorted(slices.Values(codes)), slices.Clone(phrases)
	for i, p := range phrases {
		phrases[i] = string(lowerASCII(nil, []byte(p)))
	}
	slices.Sort(phrases)
	for _, c := range slices.Compact(codes) {
		d.codes[c] = true
		b.WriteString("code=" + strconv.Quote(c) + "\n")
	}
	for _, p := range slices.Compact(phrases) {
		d.phrases = append(d.phrases, []byte(p))
		b.WriteString("phrase=" + strconv.Quote(p) + "\n")
	}
	d.text = b.String()
	return d
}

// match: errorCode, else reasonCode, else the outcome description up to its first colon, is exactly in the list of
// codes; or the description contains a phrase.
func (d *denials) match(e *topics.Event) bool {
	code := e.ErrorCode
	if len(code) == 0 {
		code = e.ReasonCode
	}
	if len(code) == 0 {
		code, _, _ = bytes.Cut(e.OutcomeDescription, []byte{':'})
	}
	if d.codes[string(code)] {
		return true
	}
	for _, p := range d.phrases {
		if containsFold(e.OutcomeDescription, p) {
			return true
		}
	}
	return false
}

// containsFold is bytes.Contains with s folded to ASCII lower case; p is lower case already.
func containsFold(s, p []byte) bool {
	if len(p) == 0 {
		return true
	}
	for i := 0; i+len(p) <= len(s); i++ {
		if lower(s[i]) != p[0] {
			continue
		}
		j := 1
		for j < len(p) && lower(s[i+j]) == p[j] {
			j++
		}
		if j == len(p) {
			return true
		}
	}
	return false
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

func lowerASCII(dst, s []byte) []byte {
	for _, c := range s {
		dst = append(dst, lower(c))
	}
	return dst
}
