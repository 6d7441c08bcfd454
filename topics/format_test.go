package topics

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

var spaces = []Space{SpacePrincipal, SpaceIP, SpaceUnknown, SpaceIntegrity, SpaceSigning}

func TestGroupKeyRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.SampledFrom(spaces).Draw(t, "space")
		org, value := text().Draw(t, "org"), text().Draw(t, "value")
		tail := rapid.SliceOfN(rapid.Byte(), 0, 5).Draw(t, "tail")
		key := AppendGroupKey([]byte{}, s, []byte(org), []byte(value))
		gotSpace, gotOrg, gotValue, rest, err := ParseGroupKey(append(key[:len(key):len(key)], tail...))
		require.NoError(t, err)
		require.Equal(t, s, gotSpace)
		require.Equal(t, string(AppendText(nil, []byte(org))), string(gotOrg))
		require.Equal(t, string(AppendText(nil, []byte(value))), string(gotValue))
		require.True(t, bytes.Equal(tail, rest))
	})
}

// text draws strings around the length at which they are cut, of runes of every width.
func text() *rapid.Generator[string] {
	return rapid.OneOf(rapid.StringN(0, 12, -1), rapid.StringN(50, 300, -1), rapid.Custom(func(t *rapid.T) string {
		r := rapid.SampledFrom([]string{"a", "é", "€", "😀"}).Draw(t, "rune")
		return strings.Repeat("x", rapid.IntRange(0, 6).Draw(t, "shift")) + strings.Repeat(r, 90)
	}))
}

func TestGroupKeysArePrefixFree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		draw := func(label string) []byte {
			s := rapid.SampledFrom(spaces[:2]).Draw(t, label)
			short := rapid.StringOfN(rapid.RuneFrom([]rune("ab")), 0, 3, -1)
			return AppendGroupKey(nil, s, []byte(short.Draw(t, label)), []byte(short.Draw(t, label)))
		}
		a, b := draw("a"), draw("b")
		require.Equal(t, bytes.Equal(a, b), bytes.HasPrefix(a, b))
	})
}

func TestAppendText(t *testing.T) {
	for _, c := range []struct{ name, in string }{
		{"ascii", strings.Repeat("a", 257)},
		{"two bytes, odd cut", "x" + strings.Repeat("é", 200)},
		{"three bytes", strings.Repeat("€", 100)},
		{"four bytes, worst cut", "xyz" + strings.Repeat("😀", 100)},
		{"not UTF-8", strings.Repeat("\x80", 300)},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := string(AppendText(nil, []byte(c.in)))
			require.Greater(t, len(got), MaxText, "no literal string may look like a short form")
			require.LessOrEqual(t, len(got), maxCut)
			require.Equal(t, utf8.ValidString(c.in), utf8.ValidString(got))
			sum := sha256.Sum256([]byte(c.in))
			require.True(t, strings.HasSuffix(got, "…sha256:"+hex.EncodeToString(sum[:])))
			kept, _, _ := strings.Cut(got, "…")
			require.True(t, strings.HasPrefix(c.in, kept))
			require.Len(t, got, textLen([]byte(c.in)))
		})
	}
	whole := strings.Repeat("a", MaxText)
	require.Equal(t, whole, string(AppendText(nil, []byte(whole))))
}

func TestParseGroupKeyRefuses(t *testing.T) {
	for name, in := range map[string]string{
		"empty":                 "",
		"seal key":              SealKey,
		"unknown space":         "\x07\x00\x00",
		"no lengths":            "\x01",
		"organisation cut off":  "\x01\x05ab",
		"value cut off":         "\x01\x01a\x02b",
		"overlong length":       "\x01\x81\x00a\x00",
		"huge length":           "\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
		"long and not cut form": "\x01\x00\x81\x02" + strings.Repeat("a", 257),
	} {
		t.Run(name, func(t *testing.T) {
			_, _, _, _, err := ParseGroupKey([]byte(in))
			require.Error(t, err)
		})
	}
}

func TestSplitChangeKey(t *testing.T) {
	key := AppendGroupKey(nil, SpaceIP, nil, []byte("10.0.0.1"))
	id := [16]byte{1, 2, 3}
	for _, suffix := range [][]byte{AppendHead(nil), AppendChunk(nil, 1<<31), AppendEvidence(nil, id)} {
		g, s, err := SplitChangeKey(append(key[:len(key):len(key)], suffix...))
		require.NoError(t, err)
		require.Equal(t, key, g)
		require.Equal(t, suffix, s)
	}
	for _, suffix := range []string{"", "0000", "01", "01000000", "02616263", "03", "010000000000"} {
		b, err := hex.DecodeString(suffix)
		require.NoError(t, err)
		_, _, err = SplitChangeKey(append(key[:len(key):len(key)], b...))
		require.Error(t, err, suffix)
	}
	p, err := ParsePart(AppendChunk(nil, 1<<31))
	require.NoError(t, err)
	require.Equal(t, Part{Kind: PartChunk, Chunk: 1 << 31}, p)
}

// TestSum holds Sum against arbitrary-precision arithmetic.
func TestSum(t *testing.T) {
	mod := new(big.Int).Lsh(big.NewInt(1), 256)
	rapid.Check(t, func(t *rapid.T) {
		var s Sum
		want := new(big.Int)
		for range rapid.IntRange(1, 20).Draw(t, "n") {
			var h [32]byte
			copy(h[:], rapid.SliceOfN(rapid.OneOf(rapid.Byte(), rapid.Just(byte(0xff))), 32, 32).Draw(t, "h"))
			v := new(big.Int).SetBytes(h[:])
			if rapid.Bool().Draw(t, "sub") {
				s.Sub(h)
				want.Sub(want, v)
			} else {
				s.Add(h)
				want.Add(want, v)
			}
			want.Mod(want, mod)
			require.Equal(t, want.FillBytes(make([]byte, 32)), s[:])
		}
	})
}

// TestHashesSeparate: what moves a byte between key and value, or makes a value a tombstone, changes the hashes.
func TestHashesSeparate(t *testing.T) {
	roll := func(pairs ...[]byte) [32]byte {
		var r Rolling
		r.Reset([32]byte{})
		for i := 0; i < len(pairs); i += 2 {
			r.Add(pairs[i], pairs[i+1])
		}
		return r.Sum()
	}
	b := func(s string) []byte { return []byte(s) }
	require.NotEqual(t, ChangeHash(b("ab"), b("c")), ChangeHash(b("a"), b("bc")))
	require.Equal(t, ChangeHash(b("a"), nil), ChangeHash(b("a"), []byte{}), "tombstones have no hash in the sum")
	all := map[[32]byte]bool{}
	for _, h := range [][32]byte{
		roll(), roll(b("ab"), b("c")), roll(b("a"), b("bc")), roll(b("a"), nil), roll(b("a"), []byte{}),
		roll(b("a"), nil, b("b"), nil), roll(b("b"), nil, b("a"), nil), roll(b("a"), b("\x00\x01")),
	} {
		require.False(t, all[h])
		all[h] = true
	}
	key, value := b(strings.Repeat("k", 300)), bytes.Repeat([]byte("v"), 3000)
	want := sha256.Sum256(append(append([]byte{0xac, 0x02}, key...), value...))
	require.Equal(t, want, ChangeHash(key, value), "the way of long records")
	require.Zero(t, testing.AllocsPerRun(100, func() { ChangeHash(key, value[:500]) }))
}

func TestDecodeSealRefuses(t *testing.T) {
	s := goldenSeal()
	good := s.Append(nil)
	for name, change := range map[string]func(b []byte) []byte{
		"empty":               func([]byte) []byte { return nil },
		"newer version":       func(b []byte) []byte { b[0] = 2; return b },
		"cut off":             func(b []byte) []byte { return b[:len(b)-1] },
		"very short":          func(b []byte) []byte { return b[:10] },
		"longer":              func(b []byte) []byte { return append(b, 0) },
		"more reasons":        func(b []byte) []byte { b[sealFixed-1]++; return append(b, make([]byte, 8)...) },
		"negative partition":  func(b []byte) []byte { b[17] = 0xff; return b },
		"partition too large": func(b []byte) []byte { b[20] = 12; return b },
		"negative offset":     func(b []byte) []byte { b[25] = 0x80; return b },
		"no sequence":         func(b []byte) []byte { copy(b[33:41], make([]byte, 8)); return b },
		"coverage ahead":      func(b []byte) []byte { b[sealFixed-2-40-32-16] = 0x01; return b },
		"negative count":      func(b []byte) []byte { b[sealFixed-2-40] = 0x80; return b },
		"negative reason":     func(b []byte) []byte { b[len(b)-8] = 0x80; return b },
	} {
		t.Run(name, func(t *testing.T) {
			_, err := DecodeSeal(change(bytes.Clone(good)))
			require.Error(t, err)
		})
	}
	newer := bytes.Clone(good)
	newer[0] = 2
	_, err := DecodeSeal(newer)
	var format *FormatError
	require.ErrorAs(t, err, &format)
	require.Equal(t, &FormatError{What: "seal", Format: 2, Oldest: 1, Newest: 1}, format)
	_, err = DecodeSeal(newer[:100])
	require.NotErrorAs(t, err, &format, "too short for a seal of any format")

	older := bytes.Clone(good)[:len(good)-8]
	older[sealFixed-1]--
	got, err := DecodeSeal(older)
	require.NoError(t, err, "a seal of a version with fewer reasons")
	s.Coverage.Counts.DeadLetters[ReasonInternal] = 0
	require.Equal(t, s, got)
}

func TestCounts(t *testing.T) {
	c := goldenSeal().Coverage.Counts
	require.EqualValues(t, 500+40+3+11+12+1, c.Total())
	other := c
	c.Add(&other)
	require.EqualValues(t, 2*(500+40+3+11+12+1), c.Total())
	require.EqualValues(t, 4, c.Exempted)
}

func TestCoverageChain(t *testing.T) {
	a := goldenCoverage()
	require.True(t, a.Follows([32]byte{0x50, 31: 0x5f}))
	require.False(t, a.Follows([32]byte{}))
	b := a
	b.From, b.To = a.To, a.To+10
	b.Link(a.Chain)
	require.True(t, b.Follows(a.Chain))
	b.Counts.Judged++
	require.False(t, b.Follows(a.Chain), "a count was altered")
}

func TestDecodeCoverageRefuses(t *testing.T) {
	c := goldenCoverage()
	good := string(c.Append(nil))
	for name, in := range map[string]string{
		"empty":          "",
		"newer":          strings.Replace(good, `"schema":1`, `"schema":2`, 1),
		"space":          strings.Replace(good, `,"from"`, `, "from"`, 1),
		"unknown field":  strings.Replace(good, `,"from"`, `,"x":1,"from"`, 1),
		"missing field":  strings.Replace(good, `"ticks":3,`, ``, 1),
		"unknown reason": strings.Replace(good, `"late"`, `"later"`, 1),
		"short hash":     strings.Replace(good, `"rule_set":"20`, `"rule_set":"`, 1),
		"upper-case hex": strings.Replace(good, `2f"`, `2F"`, 1),
		"ends first":     strings.Replace(good, `"to":1234567`, `"to":1233999`, 1),
		"topic id":       strings.Replace(good, `"topic_id":"E`, `"topic_id":"`, 1),
		"two documents":  good + good,
	} {
		t.Run(name, func(t *testing.T) {
			require.NotEqual(t, good, in)
			_, err := DecodeCoverage([]byte(in))
			require.Error(t, err)
		})
	}
	require.Equal(t, "12", string(CoverageKey(12)))
}

func FuzzParseGroupKey(f *testing.F) {
	f.Add(AppendGroupKey(nil, SpacePrincipal, []byte("org"), []byte("alice")))
	f.Add(AppendGroupKey(nil, SpaceIP, nil, bytes.Repeat([]byte("é"), 200)))
	f.Add([]byte(SealKey))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, org, value, rest, err := ParseGroupKey(b)
		if err != nil {
			return
		}
		// What is accepted is what is written, but for the digest of a short form, which cannot be known.
		if len(org) <= MaxText && len(value) <= MaxText {
			require.Equal(t, b[:len(b)-len(rest)], AppendGroupKey(nil, s, org, value))
		}
		if g, suffix, err := SplitChangeKey(b); err == nil {
			require.Equal(t, b, append(append([]byte{}, g...), suffix...))
		}
	})
}

func FuzzDecodeSeal(f *testing.F) {
	s := goldenSeal()
	f.Add(s.Append(nil))
	f.Add([]byte{1})
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := DecodeSeal(b)
		if err != nil {
			return
		}
		again, err := DecodeSeal(s.Append(nil))
		require.NoError(t, err)
		require.Equal(t, s, again)
		if len(b) == sealFixed+8*int(NumReasons) {
			require.Equal(t, b, s.Append(nil))
		}
	})
}

func FuzzDecodeCoverage(f *testing.F) {
	c := goldenCoverage()
	f.Add(c.Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		if c, err := DecodeCoverage(b); err == nil {
			require.Equal(t, string(b), string(c.Append(nil)))
		}
	})
}

func BenchmarkChangeHash(b *testing.B) {
	key, value := make([]byte, 40), make([]byte, 310)
	b.SetBytes(350)
	for b.Loop() {
		ChangeHash(key, value)
	}
}

// TestWriteFormat: nothing is written that this build does not read.
func TestWriteFormat(t *testing.T) {
	for configured := -1; configured <= NewestValueFormat+1; configured++ {
		format, err := WriteFormat(configured)
		if configured < 0 || configured > NewestValueFormat {
			require.ErrorContains(t, err, fmt.Sprintf("not %d; 0 is the default, 1", configured))
			continue
		}
		require.NoError(t, err)
		require.Equal(t, byte(max(configured, 1)), format)
		require.NoError(t, CheckValueFormat(format))
	}
	require.ErrorContains(t, CheckValueFormat(0), "a value of format 0: this build reads format")
	require.ErrorContains(t, CheckValueFormat(NewestValueFormat+1), "use the build that wrote it, or a newer one")
}
