package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
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

// The users of these tests: the service, and somebody who only writes events. None of the passwords may appear in any
// output, see search.
var users = map[string]string{service: "correct horse", writer: "battery staple"}

const service, writer = "tocsin", "writer"

// guarded is a cluster with TLS, SCRAM and an authorizer, where nobody may do what no list allows.
type guarded struct {
	broker *kafkatest.Broker
	admin  *kadm.Client
	dsn    string
}

func startGuarded(t *testing.T) *guarded {
	t.Helper()
	for _, password := range users {
		secret(password)
	}
	g := guard(t, kafkatest.Security{Users: users})
	g.dsn = pgtest.NewDatabase(t)
	return g
}

// guard starts a broker with an authorizer.
func guard(t *testing.T, s kafkatest.Security) *guarded {
	t.Helper()
	s.Authorizer = true
	broker := kafkatest.Start(t, kafkatest.Config{Security: &s, Patient: true})
	// What it is told of topics must not be of a moment ago.
	cl, err := kgo.NewClient(kgo.SeedBrokers(broker.AdminAddrs()...), kgo.MetadataMinAge(10*time.Millisecond))
	require.NoError(t, err)
	t.Cleanup(cl.Close)
	return &guarded{broker: broker, admin: kadm.NewClient(cl)}
}

// config writes the configuration of a user.
func (g *guarded) config(t *testing.T, user, more string) string {
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
%s`, dir, g.broker.Addrs()[0], g.broker.Files().CA, user, users[user], g.dsn, more), 0o600))
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
		r.Operation + " on " + kind + r.Name, "do not allow " + r.Principal + ":", "--add --allow-principal " + r.Principal,
		"--operation " + r.Operation, flag + r.Name,
	}
}

// failure is a failed login.
func failure(id, who string) string {
	return fmt.Sprintf(`{"id":%q,"timestamp":%q,"action":"auth.login.failure","status":"failure","principalId":%q,`+
		`"organizationId":"acme"}`, id, time.Now().UTC().Format(time.RFC3339Nano), who)
}

func failures() string {
	var b strings.Builder
	for i := range 6 {
		b.WriteString(failure(strconv.Itoa(i), "mallory") + "\n")
	}
	return b.String()
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
	p.config = g.config(t, service, fmt.Sprintf("http: {listen: %q}\nlog: {level: debug}\n", p.admin))
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

// client is the administrator's, to be closed.
func (g *guarded) client(t *testing.T) *kgo.Client {
	t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(g.broker.AdminAddrs()...))
	require.NoError(t, err)
	return cl
}

// feed writes events that give an alert and a dead letter, as the administrator.
func (g *guarded) feed(t *testing.T, n int) {
	t.Helper()
	cl := g.client(t)
	defer cl.Close()
	who := fmt.Sprintf("mallory-%d", n)
	for i := range 7 {
		value := "no event"
		if i > 0 {
			value = failure(fmt.Sprintf("%s-%d", who, i), who)
		}
		record := &kgo.Record{Topic: "audit.events", Key: []byte("acme/" + who), Value: []byte(value)}
		require.NoError(t, cl.ProduceSync(t.Context(), record).FirstErr())
	}
}
