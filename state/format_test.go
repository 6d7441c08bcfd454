package state

import (
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tocsin/topics"
)

var rewriteGolden = flag.Bool("rewrite-golden", false, "write golden files that do not exist yet")

func goldenPosition() Position {
	return Position{
		ChangelogTopicID: topicID, ChangelogNext: 987_654, AppliedAt: 1_700_000_000_000_000_000,
		Seal: topics.Seal{InputTopicID: inputID, Partition: 3, Partitions: 4, Next: 55, Sequence: 9, RecordTime: 77},
	}
}

func goldenProgress() progress {
	return progress{
		topicID: topicID, startedAt: 1_700_000_000_000_000_000, next: 1234, records: 1200, bytes: 400_000, seals: 12,
		unsealed: 1230, runs: []run{{"restore-0-3-0-1-1", 600, 0xdeadbeef}, {"restore-0-3-1-1-2", 500, 1}},
		seal: goldenPosition().Seal,
	}
}

// TestGolden holds keys and values as version 1 writes them. The file is never changed.
func TestGolden(t *testing.T) {
	pos, prog := goldenPosition(), goldenProgress()
	empty := Position{ChangelogTopicID: topicID}
	p := Partition{1, 258}
	lines := []string{
		fmt.Sprintf("meta-format %x", metaFormat),
		fmt.Sprintf("key-position %x", prefix(p, storePosition)),
		fmt.Sprintf("key-progress %x", prefix(p, storeProgress)),
		fmt.Sprintf("key-data %x", append(prefix(p, storeData), append(group("a"), topics.PartHead)...)),
		fmt.Sprintf("key-timer %x", appendTimerKey(nil, p, 1_700_000_000_000_000_000, group("a"))),
		fmt.Sprintf("key-expiry %x", appendExpiryKey(nil, p, 1_700_000_000_000_000_000, group("a"))),
		fmt.Sprintf("key-expiry-1969 %x", appendExpiryKey(nil, p, -1, group("a"))),
		fmt.Sprintf("position %x", pos.encode()),
		fmt.Sprintf("position-empty %x", empty.encode()),
		fmt.Sprintf("progress %x", prog.encode()),
	}
	path, text := filepath.Join("testdata", "format-v1.txt"), strings.Join(lines, "\n")+"\n"
	want, err := os.ReadFile(path)
	if os.IsNotExist(err) && *rewriteGolden {
		require.NoError(t, os.MkdirAll("testdata", 0o755))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
		return
	}
	require.NoError(t, err, "write it once with -rewrite-golden")
	require.Equal(t, string(want), text)

	gotPos, err := decodePosition(pos.encode())
	require.NoError(t, err)
	require.Equal(t, pos, gotPos)
	gotPos, err = decodePosition(empty.encode())
	require.NoError(t, err)
	require.Equal(t, empty, gotPos)
	gotProg, err := decodeProgress(prog.encode())
	require.NoError(t, err)
	require.Equal(t, prog, gotProg)
}

func FuzzDecodePosition(f *testing.F) {
	p := goldenPosition()
	f.Add(p.encode())
	f.Add((&Position{}).encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		if p, err := decodePosition(b); err == nil {
			again, err := decodePosition(p.encode())
			require.NoError(t, err)
			require.Equal(t, p, again)
		}
	})
}

func FuzzDecodeProgress(f *testing.F) {
	p := goldenProgress()
	f.Add(p.encode())
	b, _ := hex.DecodeString("01")
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		if p, err := decodeProgress(b); err == nil {
			again, err := decodeProgress(p.encode())
			require.NoError(t, err)
			require.Equal(t, p, again)
			for _, r := range p.runs {
				require.Equal(t, r.name, filepath.Base(r.name), "a run lies in the store's folder")
			}
		}
	})
}
