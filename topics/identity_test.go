package topics_test

import (
	"crypto/sha256"
	"encoding/hex"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestIdentityGolden fixes the identities: they are stored.
func TestIdentityGolden(t *testing.T) {
	id := good(t, minimal+`,"id":"7"}`).Identity()
	sum := sha256.Sum256([]byte("tocsin identity 1: id\x00" +
		"\x00\x00\x00\x00\x00\x00\x00\x00" + "\x00\x00\x00\x00\x00\x00\x00\x017"))
	require.Equal(t, hex.EncodeToString(sum[:16]), hex.EncodeToString(id[:]))

	none := good(t, minimal+`}`).Identity()
	content := sha256.Sum256([]byte(minimal + `}`))
	sum = sha256.Sum256([]byte("tocsin identity 1: content\x00" + string(content[:])))
	require.Equal(t, hex.EncodeToString(sum[:16]), hex.EncodeToString(none[:]))
}

func TestIdentity(t *testing.T) {
	cloud := func(source, id string) [16]byte {
		return good(t, minimal+"}", header("ce_specversion", "1.0", "ce_id", id, "ce_source", source)...).Identity()
	}
	seen := map[[16]byte]string{}
	for name, id := range map[string][16]byte{
		"a b":           cloud("a", "b"),
		"ab ''":         cloud("ab", "c"),
		"a bc":          cloud("a", "bc"),
		"plain b":       good(t, minimal+`,"id":"b"}`).Identity(),
		"content":       good(t, minimal+`}`).Identity(),
		"other content": good(t, minimal+` }`).Identity(),
	} {
		require.Empty(t, seen[id], name)
		seen[id] = name
	}
	plain := good(t, minimal+`,"id":"b"}`).Identity()
	require.Equal(t, plain, good(t, `{"eventId":"\u0062",`+minimal[1:]+`,"x":1}`).Identity())
	require.Equal(t, cloud("a", "b"), good(t, minimal+`,"id":"b"}`,
		header("ce_specversion", "1.0", "ce_id", "delivery 2", "ce_source", "a")...).Identity())
}
