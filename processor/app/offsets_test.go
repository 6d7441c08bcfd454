package app

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"tocsin/processor"
	"tocsin/processor/app/settings"
	"tocsin/processor/embedded"
	"tocsin/topics/readlog"
)

// system is a broker with topics, and a configuration for processors on it.
func system(t *testing.T, more ...settings.Flag) *Loaded {
	t.Helper()
	broker, err := embedded.StartBroker(t.Context(), embedded.BrokerConfig{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, broker.Stop()) })
	dir := t.TempDir()
	set := func(path, value string) settings.Flag { return settings.Flag{Name: "test", Path: path, Value: value} }
	cfg, err := Load(LoadInput{NoFile: true, Flags: append([]settings.Flag{
		set("kafka.brokers", strings.Join(broker.Addrs(), ",")), set("kafka.replication_factor", "1"),
		set("kafka.min_insync_replicas", "1"), set("topics.partitions", "2"), set("input.trust_create_time", "true"),
		set("app.data_dir", dir), set("app.instance", "test"), set("http.listen", ""), set("processor.workers", "1"),
		set("kafka.session_timeout", "6s"), set("kafka.heartbeat_interval", "500ms"),
		set("kafka.transaction_timeout", "3s"), set("kafka.transaction_watchdog", "10s"),
	}, more...)})
	require.NoError(t, err)
	_, err = InitTopics(t.Context(), &cfg.Config, true, false)
	require.NoError(t, err)
	differences, err := CheckTopics(t.Context(), &cfg.Config)
	require.NoError(t, err)
	require.Empty(t, differences)
	return cfg
}

// start runs a processor and returns how to stop it.
func start(t *testing.T, cfg *Loaded) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- Run(ctx, Options{
			Config: cfg, Roles: Roles{Processor: true}, Log: slog.New(slog.DiscardHandler), Now: time.Now,
		})
	}()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		require.NoError(t, <-ended)
	}
	t.Cleanup(stop) // before the folder of its state goes
	return stop
}

func eventLines(from, to int) string {
	var b strings.Builder
	for i := from; i < to; i++ {
		fmt.Fprintf(&b, `{"id":"%d","timestamp":%q,"action":"auth.login.failure","status":"failure","principalId":"p%d"}`+"\n",
			i, time.Now().UTC().Format(time.RFC3339Nano), i%7)
	}
	return b.String()
}

func ingestText(t *testing.T, cfg *Loaded, text string, wait time.Duration) *IngestReport {
	t.Helper()
	r, err := Ingest(t.Context(), cfg, IngestOptions{
		Paths: []string{"-"}, Stdin: strings.NewReader(text), Wait: wait, Now: time.Now,
	})
	require.NoError(t, err)
	return r
}

// TestOffsetsAreMended moves the committed offsets behind the back of a processor: it stops those partitions, plan says
// why, apply mends them, and the processor goes on without judging anything twice.
func TestOffsetsAreMended(t *testing.T) {
	cfg := system(t)
	require.Contains(t, ingestText(t, cfg, eventLines(0, 10), time.Minute).Unknown, "no processor runs")
	stop := start(t, cfg)
	waitForMembers(t, cfg, true)
	waitForLag(t, cfg)
	r := ingestText(t, cfg, eventLines(10, 100), time.Minute)
	require.NotNil(t, r.Verdicts, r.Unknown)
	require.Empty(t, r.Verdicts.Unknown)
	require.Equal(t, int64(90), r.Verdicts.Judged)
	stop()

	o := OffsetsOptions{Now: time.Now, Who: "tester"}
	plans, note, err := PlanOffsets(t.Context(), cfg, o)
	require.NoError(t, err)
	require.Empty(t, note)
	require.Len(t, plans, 2)
	for _, p := range plans {
		require.Empty(t, p.Cause)
		require.Equal(t, p.Committed, p.Sealed)
	}
	waitForMembers(t, cfg, false)
	moveBack(t, cfg, plans[0].Committed-5)

	plans, _, err = PlanOffsets(t.Context(), cfg, o)
	require.NoError(t, err)
	require.Equal(t, processor.CauseAhead, plans[0].Cause)
	require.Equal(t, processor.ActionSetOffset, plans[0].Actions[0])

	_, err = ApplyOffsets(t.Context(), cfg, OffsetsOptions{Now: time.Now, Partitions: []int32{7}}, true)
	require.ErrorContains(t, err, "partitions 0 to 1")
	steps, err := ApplyOffsets(t.Context(), cfg, o, true)
	require.NoError(t, err)
	require.Len(t, steps, 1)
	plans, _, err = PlanOffsets(t.Context(), cfg, o)
	require.NoError(t, err)
	require.NotEmpty(t, plans[0].Cause, "a dry run changes nothing")

	steps, err = ApplyOffsets(t.Context(), cfg, o, false)
	require.NoError(t, err)
	require.Equal(t, processor.ActionSetOffset, steps[0].Action)
	steps, err = ApplyOffsets(t.Context(), cfg, OffsetsOptions{Now: time.Now, Partitions: []int32{1}, Action: "rebuild"}, false)
	require.NoError(t, err)
	require.Equal(t, processor.ActionRebuild, steps[0].Action)

	before := digestsOf(t, cfg)
	require.Len(t, before, 1, "the state of partition 1 is gone")
	stop = start(t, cfg)
	waitForMembers(t, cfg, true)
	r = ingestText(t, cfg, eventLines(100, 120), time.Minute)
	stop()
	require.Equal(t, int64(20), r.Verdicts.Judged, "%+v %s", r.Verdicts, r.Unknown)
	replayed, err := Replay(t.Context(), cfg, ReplayOptions{Now: time.Now})
	require.NoError(t, err)
	after := digestsOf(t, cfg)
	require.Len(t, after, 2)
	for _, p := range replayed.Partitions {
		require.Equal(t, p.Digest.Hash, after[fmt.Sprint(p.Partition)], "partition %d", p.Partition)
	}
}

// TestStateIsJudgedAgain destroys the changelog of both partitions and the local state. The state is built again from
// the input: it is the one of before, no alert and no dead letter is written a second time, and judging goes on.
func TestStateIsJudgedAgain(t *testing.T) {
	cfg := system(t, settings.Flag{Name: "test", Path: "input.ticks", Value: "true"})
	stop := start(t, cfg)
	waitForMembers(t, cfg, true)
	var b strings.Builder
	at := time.Now().Add(-time.Hour).Truncate(time.Second)
	for i := range 600 {
		fmt.Fprintf(&b, `{"id":"%d","timestamp":%q,"action":"auth.login.failure","status":"failure","principalId":"p%d"}`+"\n",
			i, at.Add(time.Duration(i)*time.Second).UTC().Format(time.RFC3339Nano), i%31)
		if i%50 == 0 {
			b.WriteString("{broken\n")
		}
	}
	r, err := Ingest(t.Context(), cfg, IngestOptions{
		Paths: []string{"-"}, Stdin: strings.NewReader(b.String()), Wait: time.Minute, Now: time.Now, Historic: true,
	})
	require.NoError(t, err)
	require.NotNil(t, r.Verdicts, r.Unknown)
	require.Equal(t, int64(600), r.Verdicts.Judged, r.Verdicts.Unknown)
	stop()
	before := digestsOf(t, cfg)
	require.Len(t, before, 2)
	alerts, dead := recordsOf(t, cfg, cfg.Topics.Alerts), recordsOf(t, cfg, cfg.Topics.DeadLetter)
	require.NotEmpty(t, alerts)
	require.Len(t, dead, 12)

	waitForMembers(t, cfg, false)
	require.NoError(t, os.RemoveAll(cfg.stateDir()))
	cl, err := cfg.kafkaClient(kgo.RecordPartitioner(kgo.ManualPartitioner()))
	require.NoError(t, err)
	defer cl.Close()
	require.NoError(t, cl.ProduceSync(t.Context(), &kgo.Record{
		Topic: cfg.changelogTopic(), Partition: 0, Key: []byte("whatever"), Value: []byte("x")}).FirstErr())
	end, err := readlog.Bounds(t.Context(), kadm.NewClient(cl), cfg.changelogTopic(), 1)
	require.NoError(t, err)
	lost := kadm.Offsets{}
	lost.AddOffset(cfg.changelogTopic(), 1, end[1].To, -1)
	_, err = kadm.NewClient(cl).DeleteRecords(t.Context(), lost)
	require.NoError(t, err)

	o := OffsetsOptions{Now: time.Now, Who: "tester"}
	plans, _, err := PlanOffsets(t.Context(), cfg, o)
	require.NoError(t, err)
	require.Equal(t, processor.CauseNone, plans[0].Cause, "what is broken has not been read")
	require.Equal(t, processor.CauseNoSeal, plans[1].Cause)
	require.Equal(t, []processor.OffsetAction{processor.ActionReplay}, plans[1].Actions)
	steps, err := ApplyOffsets(t.Context(), cfg, o, true)
	require.NoError(t, err)
	require.Len(t, steps, 1)
	require.Equal(t, fmt.Sprintf("would be done, up to offset %d", plans[1].Committed), steps[0].Result(false))
	again, _, err := PlanOffsets(t.Context(), cfg, o)
	require.NoError(t, err)
	require.Equal(t, plans, again, "a dry run changes nothing")

	o.Partitions, o.Action = []int32{0, 1}, "replay"
	progress := false
	o.Progress = func(int64, int64) { progress = true }
	steps, err = ApplyOffsets(t.Context(), cfg, o, false)
	require.NoError(t, err)
	require.Len(t, steps, 2)
	for _, s := range steps {
		require.Contains(t, s.Result(true), "proven to be the one of before")
		require.Equal(t, plans[s.Partition].Committed, s.Replaced.Stretch.To)
	}
	require.True(t, progress)
	left, err := filepath.Glob(filepath.Join(cfg.App.DataDir, "replay-*"))
	require.NoError(t, err)
	require.Empty(t, left)

	stop = start(t, cfg)
	waitForMembers(t, cfg, true)
	r = ingestText(t, cfg, eventLines(1000, 1020), time.Minute)
	stop()
	require.NotNil(t, r.Verdicts, r.Unknown)
	require.Equal(t, int64(20), r.Verdicts.Judged)
	require.Equal(t, dead, recordsOf(t, cfg, cfg.Topics.DeadLetter))
	replayed, err := Replay(t.Context(), cfg, ReplayOptions{Now: time.Now})
	require.NoError(t, err)
	require.Len(t, recordsOf(t, cfg, cfg.Topics.Alerts), int(replayed.Alerts))
	after := digestsOf(t, cfg)
	for _, p := range replayed.Partitions {
		require.Equal(t, p.Digest.Hash, after[fmt.Sprint(p.Partition)], "partition %d", p.Partition)
	}
}

// recordsOf reads a topic as committed.
func recordsOf(t *testing.T, cfg *Loaded, topic string) (values []string) {
	t.Helper()
	kafka, err := cfg.KafkaOptions()
	require.NoError(t, err)
	cl, err := cfg.kafkaClient()
	require.NoError(t, err)
	defer cl.Close()
	bounds, err := readlog.Bounds(t.Context(), kadm.NewClient(cl), topic)
	require.NoError(t, err)
	r := readlog.Reader{Kafka: kafka, Topic: topic}
	require.NoError(t, r.Read(t.Context(), bounds, func(rec *kgo.Record) error {
		values = append(values, string(rec.Value))
		return nil
	}))
	slices.Sort(values)
	return values
}

// digestsOf reads the digests of the state on disk, by partition.
func digestsOf(t *testing.T, cfg *Loaded) map[string][32]byte {
	t.Helper()
	out := map[string][32]byte{}
	require.NoError(t, InspectState(&cfg.Config, true, time.Now, func(p PartitionState) error {
		out[p.Partition[strings.LastIndexAny(p.Partition, "/- ")+1:]] = p.Digest.Hash
		return nil
	}))
	return out
}

func waitForMembers(t *testing.T, cfg *Loaded, want bool) {
	t.Helper()
	cl, err := cfg.kafkaClient()
	require.NoError(t, err)
	defer cl.Close()
	require.Eventually(t, func() bool {
		groups, err := kadm.NewClient(cl).DescribeGroups(t.Context(), cfg.App.ID)
		return err == nil && len(groups[cfg.App.ID].Members) > 0 == want
	}, 30*time.Second, 50*time.Millisecond)
}

// waitForLag returns when everything is judged.
func waitForLag(t *testing.T, cfg *Loaded) {
	t.Helper()
	cl, err := cfg.kafkaClient()
	require.NoError(t, err)
	defer cl.Close()
	require.Eventually(t, func() bool {
		lags, err := groupLag(t.Context(), cl, &cfg.Config)
		return err == nil && lags[0]+lags[1] == 0
	}, 30*time.Second, 50*time.Millisecond)
}

func moveBack(t *testing.T, cfg *Loaded, to int64) {
	t.Helper()
	cl, err := cfg.kafkaClient()
	require.NoError(t, err)
	defer cl.Close()
	set := kadm.Offsets{}
	set.AddOffset(cfg.Topics.Input, 0, to, -1)
	require.NoError(t, kadm.NewClient(cl).CommitAllOffsets(t.Context(), cfg.App.ID, set))
}

func TestStateThatIsNotThere(t *testing.T) {
	cfg := Default()
	cfg.App.DataDir = filepath.Join(t.TempDir(), "none")
	err := InspectState(&cfg, false, time.Now, func(PartitionState) error { return nil })
	require.ErrorContains(t, err, "there is no state in")
	var usage *UsageError
	require.ErrorAs(t, err, &usage)
}
