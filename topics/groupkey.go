package topics

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"unicode/utf8"
)

// Space is the name space of a group key: principal "x" and IP "x" never share state. The numbers are stored; never
// renumber one.
type Space uint8

// The name spaces. 0 is not one: a changelog key that begins with 0x00 is no group key (see [SealKey]).
const (
	SpacePrincipal Space = 1
	SpaceIP        Space = 2
	SpaceUnknown   Space = 3  // neither principal nor address
	SpaceIntegrity Space = 16 // integrity episodes: the value is kind, 0x00, source
	SpaceSigning   Space = 17 // count of signed events per source, for signing_downgrade
)

// String gives the name shown in alerts and tables.
func (s Space) String() string {
	switch s {
	case SpacePrincipal:
		return "principal"
	case SpaceIP:
		return "ip"
	case SpaceUnknown:
		return "unknown"
	case SpaceIntegrity:
		return "integrity"
	case SpaceSigning:
		return "signing"
	}
	return "invalid"
}

// Known says whether s is one of the name spaces above.
func (s Space) Known() bool { return s.String() != "invalid" }

const (
	// MaxText is the number of bytes up to which a string is kept whole in group keys and alerts.
	MaxText = 256

	cutPrefix = 200 // bytes kept of a longer one; with mark and digest always more than MaxText, even cut 3 bytes short
	cutMark   = "…sha256:"
	maxCut    = cutPrefix + len(cutMark) + 2*sha256.Size
	minCut    = maxCut - utf8.UTFMax + 1
)

// AppendText appends s, or where s is longer than [MaxText] its first 200 bytes (cut at a rune boundary) followed by
// "…sha256:" and the hex digest of the whole. The short form of a long string is itself longer than MaxText, so no
// literal string can be mistaken for it.
func AppendText(dst, s []byte) []byte {
	if len(s) <= MaxText {
		return append(dst, s...)
	}
	sum := sha256.Sum256(s)
	dst = append(dst, s[:cutAt(s)]...)
	dst = append(dst, cutMark...)
	return hex.AppendEncode(dst, sum[:])
}

func textLen(s []byte) int {
	if len(s) <= MaxText {
		return len(s)
	}
	return cutAt(s) + len(cutMark) + 2*sha256.Size
}

// cutAt is the rune boundary at or just before cutPrefix. Bytes that are not UTF-8 are cut anywhere.
func cutAt(s []byte) int {
	for n := cutPrefix; n > cutPrefix-utf8.UTFMax; n-- {
		if utf8.RuneStart(s[n]) {
			return n
		}
	}
	return cutPrefix
}

// AppendGroupKey appends the stored form of a group key:
//
//	space (1 byte) | uvarint length | organisation | uvarint length | value
//
// It is prefix-free: no group key is the beginning of another, so parts can follow without a separator and the parts of
// one key lie side by side in key order. An absent organisation and an empty one are the same. Both strings take the
// form of [AppendText].
func AppendGroupKey(dst []byte, s Space, org, value []byte) []byte {
	dst = append(dst, byte(s))
	dst = binary.AppendUvarint(dst, uint64(textLen(org)))
	dst = AppendText(dst, org)
	dst = binary.AppendUvarint(dst, uint64(textLen(value)))
	return AppendText(dst, value)
}

// ParseGroupKey is the inverse of [AppendGroupKey]; rest is what follows the key in b (the part). The results alias b.
// It accepts exactly what AppendGroupKey can have written.
func ParseGroupKey(b []byte) (s Space, org, value, rest []byte, err error) {
	if len(b) == 0 {
		return 0, nil, nil, nil, errors.New("group key: empty")
	}
	s = Space(b[0])
	if !s.Known() {
		return 0, nil, nil, nil, fmt.Errorf("group key: unknown name space %d (written by a newer version?)", b[0])
	}
	if org, rest, err = parseText(b[1:]); err != nil {
		return 0, nil, nil, nil, fmt.Errorf("group key: organisation: %w", err)
	}
	if value, rest, err = parseText(rest); err != nil {
		return 0, nil, nil, nil, fmt.Errorf("group key: value: %w", err)
	}
	return s, org, value, rest, nil
}

func parseText(b []byte) (text, rest []byte, err error) {
	n, b, err := uvarint(b)
	if err != nil {
		return nil, nil, err
	}
	if n > uint64(len(b)) {
		return nil, nil, fmt.Errorf("length %d, but %d bytes are left", n, len(b))
	}
	text, rest = b[:n], b[n:]
	if n > MaxText && !isCut(text) {
		return nil, nil, fmt.Errorf("%d bytes, over %d and not in the short form", n, MaxText)
	}
	return text, rest, nil
}

// isCut says whether text, longer than MaxText, is the short form that AppendText writes.
func isCut(text []byte) bool {
	if len(text) < minCut || len(text) > maxCut {
		return false
	}
	tail := text[len(text)-2*sha256.Size-len(cutMark):]
	if string(tail[:len(cutMark)]) != cutMark {
		return false
	}
	for _, c := range tail[len(cutMark):] {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

var errUvarint = errors.New("truncated or overlong length")

// uvarint reads a length in its shortest form only, so that one value has one encoding.
func uvarint(b []byte) (v uint64, rest []byte, err error) {
	v, n := binary.Uvarint(b)
	if n <= 0 || n > 1 && b[n-1] == 0 {
		return 0, nil, errUvarint
	}
	return v, b[n:], nil
}
