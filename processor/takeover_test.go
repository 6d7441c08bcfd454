package processor

import (
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"tocsin/processor/processortest/kafkatest"
)

// takeOverEnv names the variable with the number of keys for TestTakeOver.
const takeOverEnv = "TOCSIN_TAKEOVER_KEYS"

// TestTakeOver measures the time from the death of one of two processes to the moment at which the other has judged
// what came after it, on Apache Kafka, with and without standby. It includes the group's session timeout, which is the
// broker's smallest here.
//
//	TOCSIN_TAKEOVER_KEYS=1000000 go test ./processor -run 'TestTakeOver$' -v -timeout 30m
func TestTakeOver(t *testing.T) {
	keys, err := strconv.Atoi(os.Getenv(takeOverEnv))
	if err != nil {
		t.Skipf("a measurement: set %s to the number of keys", takeOverEnv)
	}
	const partitions, session = 8, 6 * time.Second
	for _, standby := range []bool{false, true} {
		t.Run(fmt.Sprintf("standby=%t", standby), func(t *testing.T) {
			broker := kafkatest.Start(t, kafkatest.Config{Properties: map[string]string{"group.initial.rebalance.delay.ms": "0"}})
			e := newEnvOn(t, partitions, broker.Addrs())
			e.always = func(c *Config) {
				c.Workers, c.Standby, c.Session, c.Heartbeat = 2, standby, session, time.Second
				c.CloseAfter, c.Transaction, c.EndTimeout = DefaultCloseAfter, 5*time.Second, 60*time.Second
				c.StallAfter = time.Minute
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
			waitJudged := func(each int64) {
				t.Helper()
				require.Eventually(t, func() bool {
					at := e.committed()
					for id := range int32(partitions) {
						if at[id] < each {
							return false
						}
					}
					return true
				}, 10*time.Minute, 5*time.Millisecond)
			}
			loaded := time.Now()
			waitJudged(int64(keys / partitions))
			t.Logf("%d keys judged %s after they were produced", keys, time.Since(loaded).Round(time.Second))
			two := e.start(t.TempDir(), func(c *Config) { c.Instance = "two" })
			require.Eventually(t, func() bool { return two.running() == partitions/2 && one.running() == partitions/2 },
				10*time.Minute, 50*time.Millisecond)
			if standby {
				require.Eventually(t, func() bool {
					h := two.p.Health().Standby
					for _, s := range h {
						if s.State != StandbyFollowing || s.Lag > 0 {
							return false
						}
					}
					return len(h) == partitions/2
				}, 10*time.Minute, 50*time.Millisecond)
			}
			end := make(map[int32]int64)
			for id, at := range e.committed() {
				end[id] = at
			}
			before := len(two.log.find("restored"))
			began := time.Now()
			one.crash()
			cut := time.Since(began)
			for id := range int32(partitions) {
				e.send(id, 1, login("after", 1, fmt.Sprint("after", id)))
			}
			require.Eventually(t, func() bool {
				at := e.committed()
				for id := range int32(partitions) {
					if at[id] <= end[id] {
						return false
					}
				}
				return true
			}, 10*time.Minute, 5*time.Millisecond)
			took := time.Since(began)
			t.Logf("standby=%t: %d keys, %d partitions: judging again in all partitions %s after the kill (to copy its folder "+
				"took %s of it, the session %s)", standby, keys, partitions, took.Round(time.Millisecond), cut.Round(time.Millisecond),
				session)
			for _, line := range two.log.find("restored")[before:] {
				t.Logf("partition %s: %s restore of %s records, %s bytes, took %s", line["partition"], line["mode"],
					line["records"], line["bytes"], line["took"])
			}
			require.NoError(t, two.stop())
		})
	}
}
