package ingest

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// fuzzLimit is the longest line or record read.
const fuzzLimit = 64

// FuzzRead reads any file, in the format that its first bytes say: never a panic, nothing longer than allowed in
// memory, places that rise, and for JSON lines exactly the lines that the text has.
func FuzzRead(f *testing.F) {
	f.Add([]byte("{\"a\":1}\n\n  \n{\"b\":2}"))
	f.Add([]byte(`{"Records":[{"eventName":"ConsoleLogin"},{}]}`))
	f.Add([]byte("\xEF\xBB\xBF[{\"eventID\":\"1\"},7,null]"))
	f.Add([]byte(` { "Records" : [`))
	f.Add([]byte(`{"x":[{}],"Records":[]}` + strings.Repeat("y", 3*fuzzLimit) + "\r\n\x00"))
	f.Add([]byte("\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"))
	f.Fuzz(func(t *testing.T, file []byte) {
		if bytes.HasPrefix(file, []byte("\x1f\x8b")) {
			return // gzip is another's, and can inflate to more than a test should read
		}
		var lines []Line
		err := Read(context.Background(), []string{Stdin}, bytes.NewReader(file), Options{MaxLineBytes: fuzzLimit}, func(l Line) error {
			if !l.Place.Record {
				require.LessOrEqual(t, len(l.Value), fuzzLimit)
			}
			require.LessOrEqual(t, int64(len(l.Value)), l.Length)
			if n := len(lines); n > 0 {
				require.Greater(t, l.Place.Number, lines[n-1].Place.Number)
			}
			lines = append(lines, l)
			return nil
		})
		if len(lines) > 0 && lines[0].Place.Record {
			for _, l := range lines {
				require.True(t, json.Valid(l.Value), "%q", l.Value)
			}
			return
		}
		if err != nil {
			return
		}
		var want []string
		for _, l := range strings.Split(string(file), "\n") {
			if strings.TrimSpace(l[:min(len(l), fuzzLimit)]) != "" {
				want = append(want, l)
			}
		}
		if len(lines) == 0 {
			return // nothing but blank lines, or an empty CloudTrail file
		}
		require.Len(t, lines, len(want))
		for i, l := range lines {
			require.EqualValues(t, len(want[i]), l.Length)
			require.Equal(t, want[i][:len(l.Value)], string(l.Value))
		}
	})
}
