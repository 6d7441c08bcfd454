package processor

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"tocsin/processor/processortest/kafkatest"
)

// takeOverEnv names the variable with the number of keys for TestTakeOver.
const takeOverEnv = "TOCSIN_TAKEOVER_KEYS"

const takeOverPartitions = 8

// takeOver is one measurement.
type takeOver struct {
	standby bool
	keys    int
	session time.Duration
	took    time.Duration // from the death to the commit of what came after it, in all partitions
	cut     time.Duration // of it, to copy the folder of the dead
	restored
}

// restored sums up the restores of those partitions that the survivor took over.
type restored struct {
	modes          map[string]int
	records, bytes int
}

// TestTakeOver measures the time from the death of one of two processes to the moment at which the other has judged
// what came after it, on Apache Kafka, with and without standby. It includes the group's session timeout, which is the
// broker's smallest here. With TOCSIN_REPORT the figures go to takeover.md in that folder.
//
//	TOCSIN_TAKEOVER_KEYS=1000000 TOCSIN_REPORT=bench/results go test ./processor -run 'TestTakeOver$' -v -timeout 30m
func TestTakeOver(t *testing.T) {
	keys, err := strconv.Atoi(os.Getenv(takeOverEnv))
	if err != nil {
		t.Skipf("a measurement: set %s to the number of keys", takeOverEnv)
	}
	var measured []*takeOver
	for _, standby := range []bool{false, true} {
		t.Run(fmt.Sprintf("standby=%t", standby), func(t *testing.T) {
			broker := kafkatest.Start(t, kafkatest.Config{Properties: map[string]string{"group.initial.rebalance.delay.ms": "0"}})
			m := &takeOver{standby: standby, keys: keys, session: 6 * time.Second}
			m.measure(t, newEnvOn(t, takeOverPartitions, broker.Addrs()), 10*time.Minute)
			measured = append(measured, m)
		})
	}
	if folder := os.Getenv("TOCSIN_REPORT"); folder != "" && !t.Failed() {
		if !filepath.IsAbs(folder) { // from where the command was given, not from this package
			folder = filepath.Join("..", folder)
		}
		require.NoError(t, os.WriteFile(filepath.Join(folder, "takeover.md"), []byte(takeOverTable(measured)), 0o644))
	}
}

// TestTakeOverReads is the same with few keys and on the in-process broker: what is taken over is read in full without
// standby, and only its tail with it.
func TestTakeOverReads(t *testing.T) {
	for _, standby := range []bool{false, true} {
		t.Run(fmt.Sprintf("standby=%t", standby), func(t *testing.T) {
			m := &takeOver{standby: standby, keys: 4000, session: 3 * time.Second}
			m.measure(t, newEnv(t, takeOverPartitions), testTimeout)
		})
	}
}

// measure lets one of two processes die.
func (m *takeOver) measure(t *testing.T, e *env, patience time.Duration) {
	t.Helper()
	const partitions = takeOverPartitions
	e.always = func(c *Config) {
		c.Workers, c.Standby, c.Session, c.Heartbeat = 2, m.standby, m.session, m.session/6
		c.CloseAfter, c.Transaction, c.EndTimeout = DefaultCloseAfter, m.session*5/6, 60*time.Second
		c.StallAfter = time.Minute
	}
	eventually := func(condition func() bool) {
		t.Helper()
		require.Eventually(t, condition, patience, 5*time.Millisecond)
	}
	one := e.start(t.TempDir(), nil)
	for i := range m.keys {
		r := &kgo.Record{Topic: e.names.Input, Partition: int32(i % partitions), Timestamp: epoch,
			Value: []byte(login(fmt.Sprintf("key-%07d", i), 0, strconv.Itoa(i)))}
		e.client.Produce(t.Context(), r, func(_ *kgo.Record, err error) {
			if err != nil {
				t.Error(err)
			}
		})
	}
	require.NoError(t, e.client.Flush(t.Context()))
	loaded := time.Now()
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
	eventually(judgedBeyond(func(int32) int64 { return int64(m.keys/partitions) - 1 }))
	t.Logf("%d keys judged %s after they were produced", m.keys, time.Since(loaded).Round(time.Second))
	two := e.start(t.TempDir(), func(c *Config) { c.Instance = "two" })
	eventually(func() bool { return two.running() == partitions/2 && one.running() == partitions/2 })
	if m.standby {
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
	began := time.Now()
	one.crash()
	m.cut = time.Since(began)
	for id := range int32(partitions) {
		e.send(id, 1, login("after", 1, fmt.Sprint("after", id)))
	}
	eventually(judgedBeyond(func(id int32) int64 { return end[id] }))
	m.took = time.Since(began)
	m.modes = map[string]int{}
	took := map[string]bool{}
	for _, line := range two.log.find("restored")[before:] {
		t.Logf("partition %s: %s restore of %s records, %s bytes, took %s", line["partition"], line["mode"],
			line["records"], line["bytes"], line["took"])
		if took[line["partition"]] {
			continue // the group moved it once more: what is there already is there
		}
		took[line["partition"]] = true
		m.modes[line["mode"]]++
		m.records += two.log.number(line, "records")
		m.bytes += two.log.number(line, "bytes")
	}
	t.Logf("standby=%t: %d keys, %d partitions: judging again in all partitions %s after the kill (to copy its folder "+
		"took %s of it, the session %s)", m.standby, m.keys, partitions, m.took.Round(time.Millisecond),
		m.cut.Round(time.Millisecond), m.session)
	mode, half := "full", partitions/2
	if m.standby {
		mode = "tail"
		require.Less(t, m.records, m.keys/10, "what was followed is not read again")
	} else {
		require.GreaterOrEqual(t, m.records, m.keys/2, "half of the keys at least")
	}
	require.Equal(t, map[string]int{mode: half}, m.modes)
	require.NoError(t, two.stop())
}

// takeOverTable is the report.
func takeOverTable(measured []*takeOver) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# From the death of a process to judging again\n\nOne of two processes dies, the other has judged what came "+
		"after it in all of %d partitions, half of which it takes over. Commit %s, %s, %d CPUs, %s.\n\n", takeOverPartitions,
		cmp.Or(os.Getenv("TOCSIN_COMMIT"), "not recorded"), time.Now().UTC().Format("2006-01-02 15:04 MST"), runtime.NumCPU(),
		runtime.Version())
	b.WriteString("| standby | keys | seconds | of these the session | and the test's own | restores | records read | MB read |\n" +
		"| --- | ---: | ---: | ---: | ---: | --- | ---: | ---: |\n")
	for _, m := range measured {
		var modes []string
		for mode, n := range m.modes {
			modes = append(modes, fmt.Sprintf("%d %s", n, mode))
		}
		fmt.Fprintf(&b, "| %t | %d | %.2f | %.2f | %.2f | %s | %d | %.1f |\n", m.standby, m.keys, m.took.Seconds(),
			m.session.Seconds(), m.cut.Seconds(), strings.Join(modes, ", "), m.records, float64(m.bytes)/1e6)
	}
	return b.String()
}
