package simulate

import (
	"bytes"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
)

// A commit takes effect, and the answer says that it did not. Where its transaction had only fired timers, the group's
// offset is the one of before, and tells nothing.
func TestCommitThatLeftTheOffset(t *testing.T) {
	for nth := 1; nth <= 12; nth++ {
		t.Run(strconv.Itoa(nth), func(t *testing.T) {
			t.Parallel()
			p := &Plan{
				Seed: 472, Partitions: 2, Instances: 1, Workers: 1, Events: 200, Length: 20 * time.Second, CloseRecords: 17,
				CloseTimers: 1, RestoreChunk: 2048,
			}
			p.Wires = []Wire{{
				Trigger: Trigger{Point: "Commit", After: 5 * time.Second, Nth: nth}, What: Failed, Err: kerr.TransactionAbortable,
			}}
			report(t, run(t, p), "go test -count 100 -failfast -run TestCommitThatLeftTheOffset ./processor/processortest/simulate")
		})
	}
}

// The scenario is what its name says: a partition is assigned to the other worker of the process, and waits for its
// lease, before the batch is applied. Now and then the workers meet otherwise.
func TestReassigned(t *testing.T) {
	for seed := range uint64(10) {
		r := run(t, reassigned(seed, Kept))
		require.Empty(t, r.Violations)
		var history bytes.Buffer
		_, err := r.History.WriteTo(&history)
		require.NoError(t, err)
		_, after, held := strings.Cut(history.String(), "HELD UP at loop/committed")
		meanwhile, _, _ := strings.Cut(after, "CRASH at state/apply")
		for _, p := range []string{"0", "1"} {
			if held && strings.Contains(meanwhile, "loop/restoring "+p) && !strings.Contains(meanwhile, "loop/leased "+p) {
				return
			}
		}
	}
	t.Fatal("no partition was re-assigned while a worker had not applied its commit")
}
