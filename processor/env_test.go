package processor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"

	"tocsin/processor/detect"
	"tocsin/processor/engine"
	"tocsin/processor/verify"
	"tocsin/state"
	"tocsin/state/window"
	"tocsin/topics"
	"tocsin/topics/provision"
	"tocsin/topics/readlog"
)

const testTimeout = 60 * time.Second

// env is a fake cluster with the topics of one application.
type env struct {
	t          *testing.T
	cluster    *kfake.Cluster // nil on a real broker
	addrs      []string
	partitions int32
	names      Topics
	client     *kgo.Client // of the test
	adm        *kadm.Client
	engine     *engine.Engine
	sent       map[int32]int
	always     func(*Config)       // applied to every process; may be nil
	stores     func(*state.Config) // applied to every store; may be nil
	extra      int
}

func newEnv(t *testing.T, partitions int32, opts ...kfake.Opt) *env {
	t.Helper()
	// Registered first, so it runs last: when everything else has been closed.
	leaks := goleak.IgnoreCurrent()
	t.Cleanup(func() {
		if !t.Failed() {
			goleak.VerifyNone(t, leaks)
		}
	})
	c, err := kfake.NewCluster(append([]kfake.Opt{
		kfake.NumBrokers(1),
		kfake.BrokerConfigs(map[string]string{"group.min.session.timeout.ms": "100", "group.initial.rebalance.delay.ms": "0"}),
	}, opts...)...)
	require.NoError(t, err)
	t.Cleanup(c.Close)
	e := newEnvOn(t, partitions, c.ListenAddrs())
	e.cluster = c
	return e
}

// newEnvOn makes the topics on a cluster that is there.
func newEnvOn(t *testing.T, partitions int32, addrs []string) *env {
	t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(addrs...), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	require.NoError(t, err)
	t.Cleanup(cl.Close)
	e := &env{t: t, addrs: addrs, partitions: partitions, client: cl, adm: kadm.NewClient(cl), sent: make(map[int32]int)}
	specs, err := topics.Specs(topics.SpecConfig{
		App: "test", Names: topics.DefaultNames(), InputPartitions: partitions, ReplicationFactor: 1, MinISR: 1,
		InputMaxMessageBytes: 1 << 20, TrustCreateTime: true,
	})
	require.NoError(t, err)
	// Record times are in the past: they must not be the end of the records.
	specs[0].Configs = append(specs[0].Configs, topics.ConfigSpec{Key: "retention.ms", Value: "-1"})
	_, err = provision.Create(t.Context(), e.adm, specs, false)
	require.NoError(t, err)
	e.names = Topics{
		Input: "audit.events", Alerts: "audit.alerts", DeadLetter: "audit.deadletter",
		Changelog: "test-window-changelog", Seals: "test-seals",
	}
	e.engine = testEngine(t, e.names.Input, topics.ModeLive)
	return e
}

func testEngine(t *testing.T, topic, mode string) *engine.Engine {
	t.Helper()
	rules, err := detect.Compile(detect.Default())
	require.NoError(t, err)
	v, err := verify.New(verify.Config{})
	require.NoError(t, err)
	eng, err := engine.New(engine.Config{
		Topic: topic, Rules: rules, Verifier: v, Mode: mode, Ticks: true,
	})
	require.NoError(t, err)
	return eng
}

// process is one running Processor with its state folder, as a process of its own would be.
type process struct {
	e      *env
	p      *Processor
	store  *state.Store
	dir    string
	log    *logBook
	reg    *prometheus.Registry
	cancel context.CancelFunc
	done   chan struct{}
	err    error // of Run, once done is closed
	net    *network
}

// start runs a processor on a state folder.
func (e *env) start(dir string, change func(*Config)) *process {
	e.t.Helper()
	x := e.prepare(dir, change)
	x.run()
	return x
}

func (e *env) prepare(dir string, change func(*Config)) *process {
	e.t.Helper()
	x := &process{e: e, dir: dir, log: &logBook{t: e.t}, reg: prometheus.NewRegistry(), net: &network{}}
	var err error
	stored := state.Config{Dir: dir, HeadIndex: window.HeadIndex, Now: time.Now, Log: slog.New(x.log)}
	if e.stores != nil {
		e.stores(&stored)
	}
	x.store, err = state.Open(stored)
	require.NoError(e.t, err)
	config := Config{
		App: "test", Instance: "one", Topics: e.names, Engine: e.engine, Store: x.store,
		Kafka: []kgo.Opt{kgo.SeedBrokers(e.addrs...), kgo.Dialer(x.net.dial)},
		Log:   slog.New(x.log), Registerer: x.reg, Workers: 2, CloseAfter: 10 * time.Millisecond,
		TrustCreateTime: true, Session: 6 * time.Second, Heartbeat: 100 * time.Millisecond, Transaction: 3 * time.Second,
		EndTimeout: 8 * time.Second, StallAfter: 2 * time.Second, WatchEvery: 100 * time.Millisecond,
	}
	for _, change := range []func(*Config){e.always, change} {
		if change != nil {
			change(&config)
		}
	}
	x.p, err = New(config)
	require.NoError(e.t, err)
	return x
}

func (x *process) run() {
	ctx, cancel := context.WithCancel(context.Background())
	x.cancel, x.done = cancel, make(chan struct{})
	go func() {
		defer close(x.done)
		x.err = x.p.Run(ctx)
	}()
	x.e.t.Cleanup(func() { _ = x.stop() })
}

// stop ends the process in order.
func (x *process) stop() error {
	x.cancel()
	select {
	case <-x.done:
	case <-time.After(testTimeout):
		x.e.t.Error("the processor does not end")
	}
	if x.store != nil {
		require.NoError(x.e.t, x.store.Close())
		x.store = nil
	}
	return x.err
}

// crash ends the process as kill -9 would: from one moment to the next it can neither be heard nor write to its
// folder any more. It returns a folder that holds what was written.
func (x *process) crash() string {
	x.net.cut()
	image := filepath.Join(x.e.t.TempDir(), "image")
	copyDir(x.e.t, x.dir, image)
	_ = x.stop() // it may well complain: it can reach nothing
	return image
}

// copyDir copies a folder as it is at one moment: again when it has changed meanwhile, as by a compaction.
func copyDir(t *testing.T, from, to string) {
	t.Helper()
	for range 100 {
		before := listing(t, from)
		require.NoError(t, os.RemoveAll(to))
		copyFiles(t, from, to)
		if slices.Equal(before, listing(t, from)) {
			return
		}
	}
	t.Fatalf("%s changes all the time", from)
}

// listing gives the names and sizes of the files in a folder.
func listing(t *testing.T, dir string) (files []string) {
	t.Helper()
	walkFiles(t, dir, func(path string, d fs.DirEntry) error {
		info, err := d.Info()
		if err == nil {
			files = append(files, fmt.Sprint(path, " ", info.Size()))
		}
		return err
	})
	return files
}

func copyFiles(t *testing.T, from, to string) {
	t.Helper()
	walkFiles(t, from, func(path string, d fs.DirEntry) error {
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		if d.IsDir() {
			return os.MkdirAll(filepath.Join(to, rel), 0o755)
		}
		b, err := os.ReadFile(path)
		if err != nil || d.Name() == "LOCK" {
			return err
		}
		return os.WriteFile(filepath.Join(to, rel), b, 0o644)
	})
}

// walkFiles visits what is in a folder, but for what is removed meanwhile.
func walkFiles(t *testing.T, dir string, visit func(path string, d fs.DirEntry) error) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil {
			err = visit(path, d)
		}
		if os.IsNotExist(err) {
			return nil
		}
		return err
	}))
}

// network is the way from a process to the cluster; it can be cut.
type network struct {
	mu    sync.Mutex
	down  bool
	conns []net.Conn
}

func (n *network) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.down {
		return nil, fmt.Errorf("no route to %s", addr)
	}
	var d net.Dialer
	conn, err := d.DialContext(ctx, network, addr)
	if err == nil {
		n.conns = append(n.conns, conn)
	}
	return conn, err
}

func (n *network) cut() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.down = true
	for _, c := range n.conns {
		_ = c.Close() // that is the point
	}
}

// logBook keeps what is logged.
type logBook struct {
	t  *testing.T
	mu sync.Mutex

	lines []map[string]string // message under "msg"
}

func (l *logBook) Enabled(_ context.Context, level slog.Level) bool {
	return level >= slog.LevelInfo || os.Getenv("TOCSIN_TEST_DEBUG") != ""
}
func (l *logBook) WithAttrs([]slog.Attr) slog.Handler { return l }
func (l *logBook) WithGroup(string) slog.Handler      { return l }
func (l *logBook) Handle(_ context.Context, r slog.Record) error {
	line := map[string]string{"msg": r.Message, "level": r.Level.String()}
	text := r.Level.String() + " " + r.Message
	r.Attrs(func(a slog.Attr) bool {
		line[a.Key] = a.Value.String()
		text += " " + a.Key + "=" + a.Value.String()
		return true
	})
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, line)
	if testing.Verbose() {
		fmt.Println(time.Now().Format("05.000"), text)
	}
	return nil
}

// find gives the lines with this message.
func (l *logBook) find(msg string) (found []map[string]string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, line := range l.lines {
		if line["msg"] == msg {
			found = append(found, line)
		}
	}
	return found
}

// restored gives the lines about restores, but for the first so many: one for each partition, its first. The group may
// move a partition once more, from a worker to another, which then finds all of it there.
func (l *logBook) restored(but int) (first []map[string]string) {
	seen := map[string]bool{}
	for _, line := range l.find("restored")[but:] {
		if !seen[line["partition"]] {
			seen[line["partition"]] = true
			first = append(first, line)
		}
	}
	return first
}

func (l *logBook) number(line map[string]string, key string) int {
	n, err := strconv.Atoi(line[key])
	require.NoError(l.t, err, "%s in %v", key, line)
	return n
}

var epoch = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

// login is a failed login of a principal, seconds after epoch.
func login(principal string, second int, id string) string {
	at := epoch.Add(time.Duration(second) * time.Second).Format(time.RFC3339)
	return fmt.Sprintf(`{"id":%q,"timestamp":%q,"action":"auth.login.failure","status":"failure","principalId":%q,`+
		`"organizationId":"acme"}`, id, at, principal)
}

// send appends events to a partition. Record time is epoch plus the second.
func (e *env) send(partition int32, second int, values ...string) {
	e.t.Helper()
	var rs []*kgo.Record
	for _, v := range values {
		rs = append(rs, &kgo.Record{
			Topic: e.names.Input, Partition: partition, Value: []byte(v),
			Timestamp: epoch.Add(time.Duration(second) * time.Second),
		})
	}
	require.NoError(e.t, e.client.ProduceSync(e.t.Context(), rs...).FirstErr())
	e.sent[partition] += len(values)
}

// sendMany sends n logins of a few principals to every partition, ten seconds apart, with duplicates and garbage
// among them.
func (e *env) sendMany(from, n int) {
	e.t.Helper()
	for p := range e.partitions {
		var values []string
		for i := from; i < from+n; i++ {
			principal := fmt.Sprintf("u%d-%d", p, i%7)
			id := fmt.Sprintf("e%d-%d", p, i)
			switch {
			case i%31 == 30:
				values = append(values, "{broken")
			case i%17 == 16:
				values = append(values, login(fmt.Sprintf("u%d-%d", p, (i-1)%7), i-1, fmt.Sprintf("e%d-%d", p, i-1)))
			default:
				values = append(values, login(principal, i, id))
			}
		}
		for i := 0; i < len(values); i += 50 {
			e.send(p, from+i, values[i:min(i+50, len(values))]...)
		}
	}
}

// consume reads a topic as committed, up to its present end.
func (e *env) consume(topic string) []*kgo.Record {
	e.t.Helper()
	bounds, err := readlog.Bounds(e.t.Context(), e.adm, topic)
	require.NoError(e.t, err)
	r := readlog.Reader{Kafka: []kgo.Opt{kgo.SeedBrokers(e.addrs...)}, Topic: topic, StallAfter: 10 * time.Second}
	var all []*kgo.Record
	require.NoError(e.t, r.Read(e.t.Context(), bounds, func(rec *kgo.Record) error {
		all = append(all, rec)
		return nil
	}))
	return all
}

// committed gives the group's offsets.
func (e *env) committed() map[int32]int64 {
	e.t.Helper()
	got := make(map[int32]int64)
	var at kadm.OffsetResponses
	var err error
	for deadline := time.Now().Add(testTimeout); ; { // a broker that was starved of time may have no coordinator for a moment
		at, err = e.adm.FetchOffsets(kadm.RequireStable(e.t.Context()), "test")
		if !kerr.IsRetriable(err) || time.Now().After(deadline) {
			break
		}
	}
	if errors.Is(err, kerr.GroupIDNotFound) {
		return got // nothing has joined yet
	}
	require.NoError(e.t, err)
	at.Each(func(o kadm.OffsetResponse) {
		if o.Topic == e.names.Input {
			got[o.Partition] = o.At
		}
	})
	return got
}

// drain waits until everything sent has been judged.
func (e *env) drain() {
	e.t.Helper()
	var ends kadm.ListedOffsets
	require.Eventually(e.t, func() (ok bool) { // a broker that has just come back may have no leaders yet
		var err error
		ends, err = e.adm.ListCommittedOffsets(e.t.Context(), e.names.Input)
		return err == nil && ends.Error() == nil
	}, testTimeout, 20*time.Millisecond)
	var at map[int32]int64
	ok := assert.Eventually(e.t, func() bool {
		at = e.committed()
		done := true
		ends.Each(func(o kadm.ListedOffset) {
			done = done && (o.Offset == 0 || at[o.Partition] >= o.Offset)
		})
		return done
	}, testTimeout, 20*time.Millisecond)
	require.True(e.t, ok, "not everything was judged: %v", at)
}

// expected judges the input again, in one go, without store, transactions or restarts.
func (e *env) expected() (alerts []string, counts topics.Counts) {
	e.t.Helper()
	byPartition := make(map[int32][]*kgo.Record)
	for _, r := range e.input() {
		byPartition[r.Partition] = append(byPartition[r.Partition], r)
	}
	for p, records := range byPartition {
		part := e.engine.NewPartition(engine.PartitionConfig{
			Partition: p, Partitions: e.partitions, Loader: noLoader{}, CacheBytes: 1 << 30,
		})
		var fx engine.Effects
		var scratch engine.Scratch
		var prepared engine.Prepared
		for _, r := range records {
			rec := engine.Record{Offset: r.Offset, Timestamp: recordTime(r.Timestamp), Key: r.Key, Value: r.Value}
			for _, h := range r.Headers {
				rec.Headers = append(rec.Headers, topics.Header{Key: h.Key, Value: h.Value})
			}
			e.engine.Prepare(&rec, &scratch, &prepared)
			done, err := part.Advance(rec.Timestamp, 1<<30, &fx)
			require.NoError(e.t, err)
			require.True(e.t, done)
			require.NoError(e.t, part.Step(&prepared, &fx))
		}
		for _, a := range fx.Alerts {
			alerts = append(alerts, string(a.Value))
		}
		counts.Add(&fx.Counts)
	}
	slices.Sort(alerts)
	return alerts, counts
}

type noLoader struct{}

func (noLoader) Load([]byte, *window.Key) error { return nil }

// input reads the input topic with timestamps and headers.
func (e *env) input() []*kgo.Record {
	e.t.Helper()
	ends, err := e.adm.ListCommittedOffsets(e.t.Context(), e.names.Input)
	require.NoError(e.t, err)
	want := 0
	offsets := make(map[int32]kgo.Offset)
	ends.Each(func(o kadm.ListedOffset) {
		offsets[o.Partition] = kgo.NewOffset().AtStart()
		want += e.sent[o.Partition]
	})
	cl, err := kgo.NewClient(kgo.SeedBrokers(e.addrs...), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{e.names.Input: offsets}))
	require.NoError(e.t, err)
	defer cl.Close()
	var all []*kgo.Record
	for len(all) < want {
		ctx, cancel := context.WithTimeout(e.t.Context(), 10*time.Second)
		fetches := cl.PollFetches(ctx)
		cancel()
		require.NoError(e.t, fetches.Err())
		all = append(all, fetches.Records()...)
	}
	return all
}

// requireExact checks that the output is what the input says, once each.
func (e *env) requireExact() {
	e.t.Helper()
	want, counts := e.expected()
	var got []string
	for _, r := range e.consume(e.names.Alerts) {
		got = append(got, string(r.Value))
	}
	slices.Sort(got)
	require.NotEmpty(e.t, want)
	require.Equal(e.t, want, got)
	dead := int64(0)
	for _, n := range counts.DeadLetters {
		dead += n
	}
	require.Len(e.t, e.consume(e.names.DeadLetter), int(dead))
	last := make(map[int32]topics.Seal)
	for _, r := range e.consume(e.names.Changelog) {
		if topics.IsSealKey(r.Key) {
			s, err := topics.DecodeSeal(r.Value)
			require.NoError(e.t, err)
			require.Equal(e.t, last[r.Partition].Sequence+1, s.Sequence)
			last[r.Partition] = s
		}
	}
	for p, at := range e.committed() {
		require.Equal(e.t, at, last[p].Next, "seal of partition %d", p)
	}
}

// digest gives the digests of all partitions of a store that is open.
func (x *process) digest() string {
	x.e.t.Helper()
	committed := x.e.committed()
	require.Eventually(x.e.t, func() bool { // what is committed reaches the store a moment later
		infos, err := x.store.Partitions()
		require.NoError(x.e.t, err)
		applied := make(map[int32]int64)
		for _, i := range infos {
			applied[i.Partition.ID] = i.Position.Seal.Next
		}
		for id, at := range committed {
			if applied[id] < at {
				return false
			}
		}
		return true
	}, testTimeout, 5*time.Millisecond)
	var b strings.Builder
	for id := range x.e.partitions {
		d, err := x.store.Digest(statePartition(id), func(window.Index) bool { return true })
		require.NoError(x.e.t, err)
		fmt.Fprintf(&b, "%d: %+v\n", id, d)
	}
	return b.String()
}

// waitRunning waits until partitions run.
func (x *process) waitRunning(n int) {
	x.e.t.Helper()
	ok := assert.Eventually(x.e.t, func() bool { return x.running() == n }, testTimeout, 10*time.Millisecond)
	require.True(x.e.t, ok, "partitions do not run: %+v", x.p.Health())
}

// running is the number of partitions that run.
func (x *process) running() (n int) {
	for _, p := range x.p.Health().Partitions {
		if p.State == Running {
			n++
		}
	}
	return n
}
