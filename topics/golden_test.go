package topics

import (
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var rewrite = flag.Bool("rewrite-golden", false, "write golden files that do not exist yet")

// golden compares lines with testdata/name. A golden file is never changed: it holds what versions in the field have
// written. A new form gets a new file.
func golden(t *testing.T, name string, lines []string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	text := strings.Join(lines, "\n") + "\n"
	want, err := os.ReadFile(path)
	if os.IsNotExist(err) && *rewrite {
		require.NoError(t, os.MkdirAll("testdata", 0o755))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
		return
	}
	require.NoError(t, err, "write it once with -rewrite-golden")
	require.Equal(t, string(want), text)
}

func goldenSeal() Seal {
	return Seal{
		InputTopicID: [16]byte{0x10, 0x11, 0x12, 15: 0x1f},
		Partition:    7,
		Partitions:   12,
		Next:         1_234_567,
		Sequence:     42,
		RecordTime:   1_700_000_000_123_000_000,
		RuleSet:      [32]byte{0x20, 31: 0x2f},
		Rolling:      [32]byte{0x30, 31: 0x3f},
		Sum:          Sum{0x40, 31: 0x4f},
		Coverage: OpenInterval{
			From: 1_234_000, FromTime: 1_699_999_950_000_000_000,
			Counts:    Counts{Judged: 500, Duplicates: 40, Ticks: 3, Exempted: 2, IDConflicts: 1, DeadLetters: letters()},
			ChainHead: [32]byte{0x50, 31: 0x5f},
		},
	}
}

func letters() (n [NumReasons]int64) {
	n[ReasonNotJSON], n[ReasonLate], n[ReasonInternal] = 11, 12, 1
	return n
}

func goldenCoverage() Coverage {
	c := Coverage{
		Partition: 7, TopicID: [16]byte{0x10, 0x11, 0x12, 15: 0x1f}, From: 1_234_000, To: 1_234_567,
		FromTime: 1_699_999_950_000_000_000, ToTime: 1_700_000_000_123_000_000,
		Counts:  Counts{Judged: 500, Duplicates: 40, Ticks: 3, Exempted: 2, IDConflicts: 1, DeadLetters: letters()},
		RuleSet: [32]byte{0x20, 31: 0x2f},
	}
	c.Link([32]byte{0x50, 31: 0x5f})
	return c
}

func TestGoldenGroupKeys(t *testing.T) {
	long := strings.Repeat("é", 200)
	var lines []string
	for _, k := range []struct {
		space      Space
		org, value string
	}{
		{SpacePrincipal, "", ""},
		{SpacePrincipal, "org-1", "alice"},
		{SpaceIP, "org-1", "2001:db8::1"},
		{SpaceUnknown, "", ""},
		{SpaceIntegrity, "org-1", "tampered\x00api"},
		{SpaceSigning, "org-1", "api"},
		{SpacePrincipal, "org-1", long},
		{SpacePrincipal, long, "x" + long},
	} {
		b := AppendGroupKey(nil, k.space, []byte(k.org), []byte(k.value))
		lines = append(lines, fmt.Sprintf("%s %.20q %.20q %s", k.space, k.org, k.value, hex.EncodeToString(b)))
	}
	golden(t, "groupkey.txt", lines)
}

func TestGoldenChange(t *testing.T) {
	key := AppendGroupKey(nil, SpacePrincipal, []byte("org-1"), []byte("alice"))
	id := [16]byte{0xa0, 15: 0xaf}
	key = key[:len(key):len(key)] // so that each part is appended to a copy
	head, chunk, evidence := AppendHead(key), AppendChunk(key, 258), AppendEvidence(key, id)
	h1, h2 := ChangeHash(head, []byte("value")), ChangeHash(chunk, make([]byte, 5000))
	var sum Sum
	sum.Add(h1)
	sum.Add(h2)
	var r Rolling
	r.Reset([32]byte{})
	empty := r.Sum()
	r.Reset(empty)
	r.Add(head, []byte("value"))
	r.Add(chunk, nil)
	r.Add(evidence, []byte{})
	golden(t, "change.txt", []string{
		fmt.Sprintf("head %x", head), fmt.Sprintf("chunk %x", chunk), fmt.Sprintf("evidence %x", evidence),
		fmt.Sprintf("seal-key %x", SealKey), fmt.Sprintf("hash-of-head %x", h1), fmt.Sprintf("hash-of-chunk %x", h2),
		fmt.Sprintf("sum %s", sum), fmt.Sprintf("rolling-empty %x", empty), fmt.Sprintf("rolling %x", r.Sum()),
	})
}

func TestGoldenSeal(t *testing.T) {
	s := goldenSeal()
	b := s.Append(nil)
	golden(t, "seal-v1.txt", []string{hex.EncodeToString(b)})
	got, err := DecodeSeal(b)
	require.NoError(t, err)
	require.Equal(t, s, got)
}

func TestGoldenCoverage(t *testing.T) {
	c := goldenCoverage()
	b := c.Append(nil)
	golden(t, "coverage-v1.json", []string{string(b)})
	got, err := DecodeCoverage(b)
	require.NoError(t, err)
	require.Equal(t, c, got)
}

func TestGoldenSpecs(t *testing.T) {
	specs, err := Specs(testSpecConfig())
	require.NoError(t, err)
	var lines []string
	for _, s := range specs {
		lines = append(lines, fmt.Sprintf("%s %s partitions=%d same=%t replicas=%d external=%t",
			s.Role, s.Name, s.Partitions, s.SamePartitions, s.Replicas, s.External))
		for _, c := range s.Configs {
			lines = append(lines, fmt.Sprintf("  %s %s advice=%t", c.Key, c.want(), c.Advice))
		}
	}
	golden(t, "specs.txt", lines)
}
