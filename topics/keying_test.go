package topics

import (
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
	"pgregory.net/rapid"
)

func TestKeyTemplate(t *testing.T) {
	const full = `{"timestamp":"2026-03-02T12:00:00Z","action":"a","status":"success","principalId":"p","organizationId":"o"}`
	for _, c := range []struct{ template, event, want, err string }{
		{template: DefaultKeyTemplate, event: full, want: "o/p"},
		{template: "{principalId}", event: `{"sessionContext":{"ipAddress":"AWS Internal"}}`, want: "AWS Internal"},
		{template: DefaultKeyTemplate, event: `{}`, want: "/unknown"},
		{template: DefaultKeyTemplate, event: `nonsense`, want: "/unknown"},
		{template: "a{principalId}b{organizationId}c", event: full, want: "apboc"},
		{template: "{organizationId}", err: "{principalId} is missing"},
		{template: "{principalId", err: "not closed"},
		{template: "{ip}", err: "neither"},
	} {
		k, err := ParseKeyTemplate(c.template)
		if c.err != "" {
			require.ErrorContains(t, err, c.err)
			require.True(t, k.IsZero())
			continue
		}
		require.NoError(t, err)
		require.False(t, k.IsZero())
		var e Event
		_, _ = e.Decode([]byte(c.event), nil, DefaultLimits())
		require.Equal(t, c.want, string(k.Append(nil, &e)))
	}
}

// The vectors are those of Kafka's own test (UtilsTest.testMurmur2).
func TestKeyHash(t *testing.T) {
	for key, want := range map[string]int32{
		"21": -973932308, "foobar": -790332482, "a-little-bit-long-string": -985981536,
		"a-little-bit-longer-string":                       -1486304829,
		"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
		"abc": 479470107,
	} {
		require.Equal(t, want, int32(KeyHash([]byte(key))), key)
	}
}

// Records lie where the client that ingest uses puts them.
func TestPartitionOfIsTheClients(t *testing.T) {
	theirs := kgo.StickyKeyPartitioner(nil).ForTopic("t")
	rapid.Check(t, func(t *rapid.T) {
		key := rapid.SliceOf(rapid.Byte()).Draw(t, "key")
		if key == nil {
			key = []byte{} // null has no hash
		}
		n := rapid.Int32Range(1, 10_000).Draw(t, "partitions")
		require.Equal(t, theirs.Partition(&kgo.Record{Key: key}, int(n)), int(PartitionOf(KeyHash(key), n)))
	})
}
