package simulate

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
)

// A commit takes effect, and the answer says that it did not. Where its transaction had only fired timers, the group's
// offset is the one of before, and tells nothing.
func TestCommitThatLeftTheOffset(t *testing.T) {
	for nth := 1; nth <= 12; nth++ {
		t.Run(strconv.Itoa(nth), func(t *testing.T) {
			t.Parallel()
			again := cellAgain(fmt.Sprintf("%s/%d", leftTheOffset, nth), 100)
			report(t, run(t, commitThatLeftTheOffset(nth), again), again)
		})
	}
}

const leftTheOffset = "commit_that_left_the_offset"

func commitThatLeftTheOffset(nth int) *Plan {
	p := &Plan{
		Seed: 472, Partitions: 2, Instances: 1, Workers: 1, Events: 200, Length: 20 * time.Second, CloseRecords: 17,
		CloseTimers: 1, RestoreChunk: 2048,
	}
	p.Wires = []Wire{{
		Trigger: Trigger{Point: "Commit", After: 5 * time.Second, Nth: nth}, What: Failed, Err: kerr.TransactionAbortable,
	}}
	return p
}
