package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
)

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
	g := startGuarded(t)
	config := g.config(t, service, "http: {listen: \"\"}\n")
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
		{name: "offsets-apply", args: []string{"offsets", "apply", "--partition", "0", "--action", "replay", "--yes"},
			ready: func(right) { // what it reads there is written once a minute
				cl := g.client(t)
				defer cl.Close()
				record := &kgo.Record{Topic: "guarded-seals", Key: []byte("foreign"), Value: []byte("-")}
				require.NoError(t, cl.ProduceSync(t.Context(), record).FirstErr())
			}},
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
	g.grant(t, all...)
	for _, left := range all {
		g.revoke(t, left)
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
		}
		g.grant(t, left)
	}
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
	p := g.start(t)
	g.verdicts(t)
	p.end()
	for _, r := range all {
		g.revoke(t, r)
	}
}

// verdicts is least for whoever waits for the verdicts: events are written all the same, and what became of them is not
// known.
func (g *guarded) verdicts(t *testing.T) {
	t.Helper()
	config := g.config(t, writer, "")
	write := rights(t, config, "ingest")
	wait := rights(t, config, "verdicts")
	g.grant(t, append(write, wait...)...)
	for i, r := range wait {
		if r.Operation == "Describe" && r.Type == "Topic" {
			continue // whoever may write may describe
		}
		g.revoke(t, r)
		out, errs, code := call{
			args: []string{"ingest", "-", "--config", config}, stdin: strings.ReplaceAll(failures(), "mallory", fmt.Sprint(i)),
		}.run(t.Context())
		require.Zero(t, code, out+errs)
		var report struct{ Verdicts string }
		require.NoError(t, json.Unmarshal([]byte(out), &report), out)
		for _, want := range append(r.says(), "not known: ") {
			require.Contains(t, report.Verdicts, want, "without %v", r)
		}
		g.grant(t, r)
	}
	out, errs, code := call{args: []string{"ingest", "-", "--config", config}, stdin: failures() +
		`{"timestamp":"late","action":"a","status":"success"}` + "\n"}.run(t.Context())
	require.Less(t, code, 2, out+errs)
	require.Contains(t, out, `"accepted":`, errs)
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
