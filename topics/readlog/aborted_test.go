package readlog

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
)

// What was aborted is not passed on however much there is to read: answers of the in-process broker that are cut off at
// their size as a whole, and not at a partition's, do not say which transactions were aborted.
func TestAbortedInALongLog(t *testing.T) {
	const partitions, parts = 3, 12
	e := newEnv(t, partitions)
	cl := e.client(kgo.TransactionalID("t"), kgo.ProducerBatchCompression(kgo.NoCompression()))
	noise := make([]byte, 900_000)
	r := rand.NewChaCha8([32]byte{1})
	transact := func(end kgo.TransactionEndTry, value string) {
		require.NoError(t, cl.BeginTransaction())
		for p := range int32(partitions) {
			e.send(cl, p, value)
		}
		require.NoError(t, cl.EndTransaction(t.Context(), end))
	}
	for range parts {
		transact(kgo.TryAbort, "aborted")
		_, _ = r.Read(noise) // never fails
		transact(kgo.TryCommit, string(noise))
	}
	ranges, err := Bounds(t.Context(), e.adm, "log")
	require.NoError(t, err)
	read := map[int32]int{}
	reader := Reader{Kafka: e.kafka, Topic: "log"}
	require.NoError(t, reader.Read(t.Context(), ranges, func(rec *kgo.Record) error {
		if !rec.Attrs.IsControl() {
			require.NotEqual(t, "aborted", string(rec.Value), "partition %d offset %d", rec.Partition, rec.Offset)
			read[rec.Partition]++
		}
		return nil
	}))
	require.Equal(t, map[int32]int{0: parts, 1: parts, 2: parts}, read)
}
