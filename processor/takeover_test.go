package processor

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
)

// One of two processes dies: what the other takes over is read in full without standby, and only its tail with it. How
// long that takes is measured by `go run ./bench/recover takeover`.
func TestTakeOver(t *testing.T) {
	for _, standby := range []bool{false, true} {
		t.Run(fmt.Sprintf("standby=%t", standby), func(t *testing.T) { testTakeOver(t, standby) })
	}
}

func testTakeOver(t *testing.T, standby bool) {
	t.Helper()
	const partitions, keys, session = 8, 4000, 3 * time.Second
	e := newEnv(t, partitions)
	e.always = func(c *Config) {
		c.Workers, c.Standby, c.Session, c.Heartbeat = 2, standby, session, session/6
		c.CloseAfter, c.Transaction, c.EndTimeout = DefaultCloseAfter, session*5/6, 60*time.Second
		c.StallAfter = time.Minute
	}
	eventually := func(condition func() bool) {
		t.Helper()
		require.Eventually(t, condition, testTimeout, 5*time.Millisecond)
	}
	one := e.start(t.TempDir(), nil)
	for i := range keys {
		r := &kgo.Record{Topic: e.names.Input, Partition: int32(i % partitions), Timestamp: epoch,
			Value: []byte(login(fmt.Sprintf("key-%07d", i), 0, strconv.Itoa(i)))}
		e.client.Produce(t.Context(), r, func(_ *kgo.Record, err error) {
			if err != nil {
				t.Error(err)
			}
		})
	}
	require.NoError(t, e.client.Flush(t.Context()))
	judgedBeyond := func(offset func(int32) int64) func() bool {
		return func() bool {
			at := e.committed()
			for id := range int32(partitions) {
				if at[id] <= offset(id) {
					return false
				}
			}
			return true
		}
	}
	eventually(judgedBeyond(func(int32) int64 { return keys/partitions - 1 }))
	two := e.start(t.TempDir(), func(c *Config) { c.Instance = "two" })
	eventually(func() bool { return two.running() == partitions/2 && one.running() == partitions/2 })
	if standby {
		eventually(func() bool {
			h := two.p.Health().Standby
			for _, s := range h {
				if s.State != StandbyFollowing || s.Lag > 0 {
					return false
				}
			}
			return len(h) == partitions/2
		})
	}
	end := e.committed()
	before := len(two.log.find("restored"))
	one.crash()
	for id := range int32(partitions) {
		e.send(id, 1, login("after", 1, fmt.Sprint("after", id)))
	}
	eventually(judgedBeyond(func(id int32) int64 { return end[id] }))

	modes, records := map[string]int{}, 0
	for _, line := range two.log.restored(before) {
		modes[line["mode"]]++
		records += two.log.number(line, "records")
	}
	if standby {
		require.Equal(t, map[string]int{"tail": partitions / 2}, modes)
		require.Less(t, records, keys/10, "what was followed is not read again")
	} else {
		require.Equal(t, map[string]int{"full": partitions / 2}, modes)
		require.GreaterOrEqual(t, records, keys/2, "half of the keys at least")
	}
	require.NoError(t, two.stop())
}
