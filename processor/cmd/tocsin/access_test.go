package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"tocsin/processor/processortest/kafkatest"
	"tocsin/processor/processortest/pgtest"
)

// The one user of these tests. None of the passwords may appear in any output, see search.
const (
	userName     = "tocsin"
	userPassword = "correct horse"
)

// guarded is a cluster with TLS, SCRAM and an authorizer, where nobody may do what no list allows.
type guarded struct {
	broker *kafkatest.Broker
	admin  *kadm.Client
	dsn    string
}

// patient keeps a broker that gets little of a busy machine from being shut out by itself.
var patient = map[string]string{"broker.session.timeout.ms": "60000"}

func startGuarded(t *testing.T) *guarded {
	t.Helper()
	g := &guarded{broker: kafkatest.Start(t, kafkatest.Config{Security: &kafkatest.Security{
		Users: map[string]string{userName: secret(userPassword)}, Authorizer: true,
	}, Properties: patient})}
	// What it is told of topics must not be of a moment ago.
	cl, err := kgo.NewClient(kgo.SeedBrokers(g.broker.AdminAddrs()...), kgo.MetadataMinAge(10*time.Millisecond))
	require.NoError(t, err)
	t.Cleanup(cl.Close)
	g.admin, g.dsn = kadm.NewClient(cl), pgtest.NewDatabase(t)
	return g
}

// config writes the configuration of the user.
func (g *guarded) config(t *testing.T, more string) string {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "tocsin.yaml")
	require.NoError(t, os.WriteFile(path, fmt.Appendf(nil, `
app: {id: guarded, instance: one, data_dir: %q}
kafka:
  brokers: [%q]
  replication_factor: 1
  min_insync_replicas: 1
  session_timeout: 15s
  heartbeat_interval: 1s
  transaction_timeout: 10s
  tls: {enabled: true, ca_file: %q}
  sasl: {mechanism: scram-sha-256, username: %s, password: %q}
topics: {partitions: 2}
input: {ticks: true}
postgres: {url: %q}
processor: {workers: 1}
sink: {retry_max: 1s}
%s`, dir, g.broker.Addrs()[0], g.broker.Files().CA, userName, userPassword, g.dsn, more), 0o600))
	return path
}

// right is a line of `topics acls --output json`.
type right struct {
	Principal, Permission, Operation, Why string
	Type                                  string   `json:"resource_type"`
	Name                                  string   `json:"resource_name"`
	Pattern                               string   `json:"pattern_type"`
	For                                   []string `json:"for"`
}

func (r right) String() string { return r.Operation + " on " + r.Type + " " + r.Name }

// rights asks the program what a duty needs.
func rights(t *testing.T, config, duty string) (all []right) {
	t.Helper()
	out, errs, code := call{
		args: []string{"topics", "acls", "--for", duty, "-o", "json", "--config", config},
	}.run(t.Context())
	require.Zero(t, code, errs)
	for line := range strings.Lines(out) {
		var r right
		require.NoError(t, json.Unmarshal([]byte(line), &r))
		all = append(all, r)
	}
	return all
}

func (g *guarded) builder(t *testing.T, r right) *kadm.ACLBuilder {
	t.Helper()
	require.Equal(t, "Allow", r.Permission)
	op, err := kmsg.ParseACLOperation(r.Operation)
	require.NoError(t, err)
	pattern, err := kmsg.ParseACLResourcePatternType(r.Pattern)
	require.NoError(t, err)
	b := kadm.NewACLs().ResourcePatternType(pattern).Operations(op).Allow(r.Principal).AllowHosts("*")
	switch r.Type {
	case "Topic":
		return b.Topics(r.Name)
	case "Group":
		return b.Groups(r.Name)
	case "TransactionalId":
		return b.TransactionalIDs(r.Name)
	}
	t.Fatalf("resource type %s", r.Type)
	return nil
}

// grant allows what is listed.
func (g *guarded) grant(t *testing.T, all ...right) {
	t.Helper()
	for _, r := range all {
		made, err := g.admin.CreateACLs(t.Context(), g.builder(t, r))
		require.NoError(t, err)
		for _, m := range made {
			require.NoError(t, m.Err)
		}
		g.settled(t, r, true)
	}
}

// revoke takes a right away.
func (g *guarded) revoke(t *testing.T, r right) {
	t.Helper()
	gone, err := g.admin.DeleteACLs(context.Background(), g.builder(t, r))
	require.NoError(t, err)
	for _, m := range gone {
		require.NoError(t, m.Err)
		require.Len(t, m.Deleted, 1, r)
	}
	g.settled(t, r, false)
}

// settled waits until the broker has heard of a change from its controller.
func (g *guarded) settled(t *testing.T, r right, there bool) {
	t.Helper()
	require.Eventually(t, func() bool {
		found, err := g.admin.DescribeACLs(context.Background(), g.builder(t, r))
		require.NoError(t, err)
		n := 0
		for _, f := range found {
			n += len(f.Described)
		}
		return n > 0 == there
	}, 10*time.Second, 5*time.Millisecond)
}

// says is what an error must name when a right is missing: operation, resource, principal, remedy.
func (r right) says() []string {
	kind, flag := "topic ", "--topic "
	switch r.Type {
	case "Group":
		kind, flag = "group ", "--group "
	case "TransactionalId":
		kind, flag = "transactional id ", "--transactional-id "
		if r.Pattern == "PREFIXED" {
			kind = "transactional ids beginning with "
		}
	}
	return []string{
		r.Operation + " on " + kind + r.Name, "do not allow User:tocsin:", "--add --allow-principal User:tocsin",
		"--operation " + r.Operation, flag + r.Name,
	}
}

const failure = `{"id":"%d","timestamp":%q,"action":"auth.login.failure","status":"failure",` +
	`"principalId":"mallory","organizationId":"acme"}` + "\n"

func failures() string {
	var b strings.Builder
	for i := range 6 {
		fmt.Fprintf(&b, failure, i, time.Now().UTC().Format(time.RFC3339Nano))
	}
	return b.String()
}

// job is a command that must work with the rights of its duties and no others.
type job struct {
	name  string
	args  []string
	stdin string
	find  string // in its output when it works
	ready func(left right)
}

// Every command that touches Kafka works with exactly the rights that `topics acls` prints for it, and with each of
// them taken away says which one it lacks, who lacks it, and how it is granted. The commands come in the order in which
// they find something to do.
func TestLeastRights(t *testing.T) {
	if os.Getenv("TOCSIN_LONG") == "" {
		t.Skip("takes a minute and more: TOCSIN_LONG=1 runs it")
	}
	g := startGuarded(t)
	config := g.config(t, "http: {listen: \"\"}\n")
	out, errs, code := call{args: []string{"migrate", "up", "--config", config}}.run(t.Context())
	require.Zero(t, code, out+errs)
	for _, j := range []job{
		{name: "topics-init", args: []string{"topics", "init", "--input"}, ready: func(left right) {
			g.removeTopics(t)
			if left.Operation == "DescribeConfigs" { // asked of a topic that is there
				_, err := g.admin.CreateTopic(t.Context(), 2, 1, nil, left.Name)
				require.NoError(t, err)
			}
		}},
		{name: "topics-check", args: []string{"topics", "check"}},
		{name: "ingest", args: []string{"ingest", "--no-wait", "-"}, stdin: failures()},
		{name: "replay", args: []string{"replay"}},
	} {
		require.True(t, t.Run(j.name, func(t *testing.T) { g.least(t, config, j) }), "the next ones build on it")
	}
	require.True(t, t.Run("run", func(t *testing.T) { g.leastRun(t, config) }), "the next ones build on it")
	require.Eventually(t, func() bool { // members are there until their sessions end
		groups, err := g.admin.DescribeGroups(t.Context(), "guarded")
		require.NoError(t, err)
		return len(groups["guarded"].Members) == 0
	}, time.Minute, 100*time.Millisecond)
	for _, j := range []job{
		{name: "deadletter", args: []string{"deadletter", "ls"}, find: "not_json"},
		{name: "offsets-plan", args: []string{"offsets", "plan"}},
		{name: "offsets-apply", args: []string{"offsets", "apply", "--partition", "0", "--action", "replay", "--yes"}},
	} {
		t.Run(j.name, func(t *testing.T) { g.least(t, config, j) })
	}
}

func (g *guarded) least(t *testing.T, config string, j job) {
	t.Helper()
	all := rights(t, config, j.name)
	run := func() (string, string, int) {
		return call{args: append(j.args, "--config", config), stdin: j.stdin}.run(t.Context())
	}
	for _, left := range all {
		g.grant(t, without(all, left)...)
		if j.ready != nil {
			j.ready(left)
		}
		out, errs, code := run()
		require.Equal(t, 1, code, "without %v: %s%s", left, out, errs)
		for _, want := range left.says() {
			require.Contains(t, errs, want, "without %v", left)
		}
		for _, r := range without(all, left) {
			require.NotContains(t, errs, r.says()[0], "without %v", left)
			g.revoke(t, r)
		}
	}
	g.grant(t, all...)
	out, errs, code := run()
	require.Zero(t, code, out+errs)
	require.Contains(t, out, j.find)
	for _, r := range all {
		g.revoke(t, r)
	}
}

func without(all []right, left right) (others []right) {
	for _, r := range all {
		if r.String() != left.String() {
			others = append(others, r)
		}
	}
	return others
}

// leastRun is least for the process that stays: it refuses to start without one of its rights, and when one is taken
// away later it ends, or where only alerts wait says so in its health, with the same message.
func (g *guarded) leastRun(t *testing.T, config string) {
	t.Helper()
	all := rights(t, config, "run")
	g.grant(t, all...)
	for _, r := range all {
		g.revoke(t, r)
		_, errs, code := call{args: []string{"run", "--config", config}}.run(t.Context())
		require.Equal(t, 1, code, "without %v: %s", r, errs)
		for _, want := range r.says() {
			require.Contains(t, errs, want, "without %v", r)
		}
		g.grant(t, r)
	}
	for i, r := range all {
		if r.Operation == "DescribeConfigs" || r.String() == "Read on Topic guarded-window-changelog" ||
			r.String() == "Write on Topic guarded-seals" {
			continue // needed when it starts, when partitions move, and once a minute
		}
		t.Run(fmt.Sprintf("later without %v", r), func(t *testing.T) { g.takenAway(t, r, i) })
	}
	verdicts := rights(t, config, "verdicts")
	g.grant(t, append(verdicts, rights(t, config, "ingest")...)...)
	p := g.start(t)
	for _, r := range verdicts {
		if strings.Contains(fmt.Sprint(all), r.String()) {
			continue // the process needs it too
		}
		g.revoke(t, r)
		out, errs, code := call{args: []string{"ingest", "-", "--config", p.config}, stdin: failures()}.run(t.Context())
		require.Zero(t, code, out+errs)
		require.Contains(t, out, "not known")
		for _, want := range r.says() {
			require.Contains(t, out, want, "without %v", r)
		}
		g.grant(t, r)
	}
	out, errs, code := call{args: []string{"ingest", "-", "--config", p.config}, stdin: failures() + "no event\n" +
		failures()}.run(t.Context())
	require.Less(t, code, 2, out+errs)
	require.Contains(t, out, `"dead_letters":`, errs)
	p.end()
	for _, r := range all {
		g.revoke(t, r)
	}
}

// process is a `run` in this process, with its log at the finest level.
type process struct {
	t             *testing.T
	config, admin string
	stop          context.CancelFunc
	ended         chan struct{}
	stderr        string
	code          int
}

func (g *guarded) start(t *testing.T) *process {
	t.Helper()
	p := &process{t: t, admin: freeAddress(t), ended: make(chan struct{})}
	p.config = g.config(t, fmt.Sprintf("http: {listen: %q}\nlog: {level: debug}\n", p.admin))
	ctx, stop := context.WithCancel(context.Background())
	p.stop = stop
	go func() {
		defer close(p.ended)
		_, p.stderr, p.code = call{args: []string{"run", "--config", p.config}}.run(ctx)
	}()
	t.Cleanup(func() { stop(); <-p.ended })
	require.Eventually(t, func() bool {
		select {
		case <-p.ended:
			return true
		default:
			return strings.Contains(get(t, "http://"+p.admin+"/readyz"), `"ok": true`)
		}
	}, 3*time.Minute, 100*time.Millisecond, "not ready")
	select {
	case <-p.ended:
		t.Fatalf("run ended: %s", p.stderr)
	default:
	}
	for _, path := range []string{"metrics", "readyz", "healthz"} {
		search(path, get(t, "http://"+p.admin+"/"+path))
	}
	return p
}

func (p *process) end() {
	p.t.Helper()
	p.stop()
	<-p.ended
	require.Zero(p.t, p.code, p.stderr)
}

// takenAway runs with all rights, then without one.
func (g *guarded) takenAway(t *testing.T, r right, n int) {
	t.Helper()
	p := g.start(t)
	defer func() { p.stop(); <-p.ended }()
	g.revoke(t, r)
	defer g.grant(t, r)
	g.feed(t, n)
	var body string
	require.Eventually(t, func() bool {
		select {
		case <-p.ended:
			return true
		default:
		}
		body = get(t, "http://"+p.admin+"/readyz")
		return strings.Contains(body, "do not allow")
	}, 2*time.Minute, 200*time.Millisecond, "nothing was said of %v", r)
	select {
	case <-p.ended:
		require.Equal(t, 1, p.code, p.stderr)
		body = p.stderr
	default:
		var c struct{ Missing []string }
		require.NoError(t, json.Unmarshal([]byte(body), &c))
		body = strings.Join(c.Missing, "\n")
	}
	for _, want := range r.says() {
		require.Contains(t, body, want, "without %v", r)
	}
}

// removeTopics deletes all topics that the program makes.
func (g *guarded) removeTopics(t *testing.T) {
	t.Helper()
	listed, err := g.admin.ListTopics(t.Context())
	require.NoError(t, err)
	if len(listed) == 0 {
		return
	}
	_, err = g.admin.DeleteTopics(t.Context(), listed.Names()...)
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		left, err := g.admin.ListTopics(t.Context())
		require.NoError(t, err)
		return len(left) == 0
	}, 20*time.Second, 20*time.Millisecond)
}

// feed writes events that give an alert and a dead letter, as the administrator.
func (g *guarded) feed(t *testing.T, n int) {
	t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(g.broker.AdminAddrs()...), kgo.DefaultProduceTopic("audit.events"))
	require.NoError(t, err)
	defer cl.Close()
	who := fmt.Sprintf("mallory-%d", n)
	for i := range 7 {
		value := "no event"
		if i > 0 {
			value = fmt.Sprintf(`{"id":"%s-%d","timestamp":%q,"action":"auth.login.failure","status":"failure",`+
				`"principalId":%q,"organizationId":"acme"}`, who, i, time.Now().UTC().Format(time.RFC3339Nano), who)
		}
		record := &kgo.Record{Key: []byte("acme/" + who), Value: []byte(value)}
		require.NoError(t, cl.ProduceSync(t.Context(), record).FirstErr())
	}
}
