package window_test

import (
	"encoding/hex"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tocsin/state/window"
	"tocsin/topics"
)

// TestGoldenFormat holds the bytes of format 1: state written by a released program must be read by every later one. The
// file is never rewritten; a new format gets a file of its own.
func TestGoldenFormat(t *testing.T) {
	k, key := goldenKey(t)
	s := &store{parts: map[string]string{}}
	s.save(t, k, key, 900*sec)
	want, err := os.ReadFile(goldenPath(1))
	require.NoError(t, err)
	require.Equal(t, string(want), s.text())

	read := readGolden(t, 1, key)
	loaded := new(window.Key)
	require.NoError(t, loaded.Load(key, read))
	require.EqualValues(t, 7, loaded.Counter())
	require.Equal(t, 21, loaded.Len())
}

func goldenPath(format int) string { return fmt.Sprintf("testdata/golden/format-%d.hex", format) }

// goldenKey makes the key that the golden files hold.
func goldenKey(t *testing.T) (k *window.Key, key []byte) {
	t.Helper()
	key = topics.AppendGroupKey(nil, topics.SpacePrincipal, []byte("org"), []byte("ann"))
	rules := []*window.Rule{
		{ID: "few", Version: [8]byte{1, 2, 3}, Kind: "count", Matcher: 0x1122334455667788, Threshold: 3, Window: 60 * sec, Cooldown: 90 * sec, MaxEpisode: 3600 * sec},
		{ID: "any", Version: [8]byte{4}, Kind: "off_hours", Matcher: 42, Threshold: 1, Window: 1, Cooldown: 10 * sec, MaxEpisode: 3600 * sec},
	}
	k = new(window.Key)
	k.SetCounter(7, 5)
	for i := range 21 {
		at := int64(1_700_000_000)*sec + int64(i*7%20)*sec
		e := window.Entry{Time: at, Offset: int64(1000 + i), ID: [16]byte{byte(i), 1}, Hash: [32]byte{byte(i), 2}, Outcome: topics.Outcome(i % 3)}
		e.SetID([]byte(strings.Repeat("x", i*3)))
		_, err := k.Accept(&e, rules[:1+i%2], at+int64(i)*sec, 900*sec, [16]byte{9}, newID)
		require.NoError(t, err)
	}
	return k, key
}

// text is the form of the golden files.
func (s *store) text() string {
	var b strings.Builder
	for _, suffix := range sortedKeys(s.parts) {
		fmt.Fprintf(&b, "%x %s\n", suffix, hex.EncodeToString([]byte(s.parts[suffix])))
	}
	return b.String()
}

func readGolden(t *testing.T, format int, key []byte) *store {
	t.Helper()
	want, err := os.ReadFile(goldenPath(format))
	require.NoError(t, err)
	read := &store{key: key, parts: map[string]string{}}
	for line := range strings.Lines(string(want)) {
		suffix, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		sb, err := hex.DecodeString(suffix)
		require.NoError(t, err)
		vb, err := hex.DecodeString(value)
		require.NoError(t, err)
		read.parts[string(sb)] = string(vb)
	}
	return read
}
