package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"

	"tocsin/bench/report"
	"tocsin/bench/run"
	"tocsin/processor/processortest/kafkatest"
	"tocsin/processor/processortest/program"
	"tocsin/topics"
)

// built is the path of the built program. It is global because the test program is what it belongs to.
var built string

func TestMain(m *testing.M) { goleak.VerifyTestMain(kafkatest.Wrap(building{m})) }

// building builds the program before the tests.
type building struct{ kafkatest.TestingM }

func (b building) Run() int {
	dir, err := os.MkdirTemp("", "tocsin-recover-test-")
	if err == nil {
		defer func() { _ = os.RemoveAll(dir) }() // only the program is left behind
		built, err = program.Build(context.Background(), dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return b.TestingM.Run()
}

// measured runs a scenario in small form, on the shared broker, and gives what it reports.
func measured(t *testing.T, args ...string) []*report.Result {
	t.Helper()
	o, err := parse(append(args, "-rounds", "1", "-calm", "0", "-patience", "8m"))
	require.NoError(t, err)
	o.began, o.report = time.Now(), t.TempDir()
	o.bin = built
	b := kafkatest.Shared(t)
	tables, err := o.measure(t.Context(), &run.Cluster{Brokers: b.Addrs(), PID: b.PID()})
	require.NoError(t, err)
	require.NoError(t, o.show(tables))
	var results []*report.Result
	for _, table := range tables {
		found, err := filepath.Glob(filepath.Join(o.report, table.name+"-2*.json"))
		require.NoError(t, err)
		require.Len(t, found, 1)
		r, err := report.Load(found[0])
		require.NoError(t, err)
		results = append(results, r)
	}
	return results
}

// A state that is gone is read again in full, that of a killed process to its last transactions, that of one that was
// stopped not at all.
func TestRestore(t *testing.T) {
	r := measured(t, "restore", "-keys", "3000", "-partitions", "4", "-rate", "400", "-under", "1s")
	require.Len(t, r, 3)
	full, kill, clean := r[0].Samples[0].Values, r[1].Samples[0].Values, r[2].Samples[0].Values
	require.GreaterOrEqual(t, full["records"], 3000.0, "one of each key at least")
	require.Positive(t, full["restore rate"])
	require.Positive(t, full["CPU"])
	require.LessOrEqual(t, full["restored"], full["all process"])
	require.LessOrEqual(t, full["first processes"], full["all process"])
	require.LessOrEqual(t, kill["transactions"], 2.0)
	require.Less(t, kill["records"], full["records"]/2, "the tail alone")
	require.LessOrEqual(t, kill["from start"], kill["all process"])
	require.LessOrEqual(t, clean["transactions"], 2.0)
	require.Positive(t, clean["stop"])
}

// A process that follows the changelogs of its neighbour takes over by reading less than its keys have. The session is
// long enough for a machine that gives its processes no core for some seconds: the living must stay members.
func TestTakeOver(t *testing.T) {
	const keys = 3000
	r := measured(t, "takeover", "-keys", fmt.Sprint(keys), "-partitions", "4", "-rate", "200", "-session", "20s")
	byKind := map[string]report.Sample{}
	for _, s := range r[0].Samples {
		require.EqualValues(t, 20, *s.At)
		require.EqualValues(t, 2, s.Values["partitions"])
		require.Greater(t, s.Values["detected"], 10.0, "the group waits for the dead one's session")
		require.GreaterOrEqual(t, s.Values["all process"], s.Values["detected"])
		byKind[s.Kind] = s
	}
	require.Greater(t, byKind[withoutStandby].Values["records"], keys/4.0)
	require.Less(t, byKind[withStandby].Values["records"], keys/4.0)
}

func TestCold(t *testing.T) {
	v := measured(t, "cold", "-records", "6000", "-partitions", "3")[0].Samples[0].Values
	for _, name := range []string{"first event", "first alert", "ready", "CPU", "peak RSS"} {
		require.Positive(t, v[name], name)
	}
}

// Whether all that was written is stored is asserted by the scenario.
func TestSink(t *testing.T) {
	r := measured(t, "sink", "-alerts", "600", "-partitions", "2")[0]
	require.Len(t, r.Samples, 2)
	for _, s := range r.Samples {
		require.Positive(t, s.Values["stored"])
		require.Positive(t, s.Values["sink CPU"])
		require.Positive(t, s.Values["Postgres CPU"])
		require.Equal(t, *s.At > 0, s.Values["copied"] > 0)
	}
}

// An idle process does next to nothing, on a busy machine too: what it may take is far below what it takes when a loop
// does not wait.
func TestIdle(t *testing.T) {
	v := measured(t, "idle", "-duration", "4s", "-settle", "2s", "-partitions", "2")[0].Samples[0].Values
	require.Less(t, v["share of a core"], 20.0)
	require.Positive(t, v["RSS"])
	require.Less(t, v["RSS"], 200.0)
	require.Positive(t, v["switches"])
}

// What a restore says of itself is compared with the log.
func TestTailsAreHeldAgainstTheChangelog(t *testing.T) {
	b := kafkatest.Shared(t)
	o, err := parse([]string{"restore", "-bin", built, "-partitions", "1"})
	require.NoError(t, err)
	w, err := newWorld(t.Context(), o, &run.Cluster{Brokers: b.Addrs()})
	require.NoError(t, err)
	defer func() { require.NoError(t, w.close()) }()
	_, err = w.adm.CreateTopic(t.Context(), 1, 1, nil, w.name)
	require.NoError(t, err)
	cl, err := kgo.NewClient(append(w.reach(), kgo.TransactionalID(w.name), kgo.DefaultProduceTopic(w.name))...)
	require.NoError(t, err)
	defer cl.Close()
	for range 3 { // each takes four offsets, with its marker
		require.NoError(t, cl.BeginTransaction())
		seal := &kgo.Record{Key: []byte(topics.SealKey), Value: []byte("-")}
		require.NoError(t, cl.ProduceSync(t.Context(), kgo.StringRecord("a"), kgo.StringRecord("b"), seal).FirstErr())
		require.NoError(t, cl.EndTransaction(t.Context(), kgo.TryCommit))
	}
	check := func(from, records int64, transactions int) error {
		return w.checkTails(t.Context(), w.name, []restored{{From: from, Until: 12, Records: records,
			Transactions: transactions}})
	}
	require.NoError(t, check(4, 6, 2))
	require.NoError(t, check(12, 0, 0))
	require.ErrorContains(t, check(4, 5, 2), "the changelog has 6 of 2")
	require.ErrorContains(t, check(0, 9, 3), "3 transactions were read again")
}
