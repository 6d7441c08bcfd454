package endtoend

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"tocsin/bench/collect"
	"tocsin/processor/embedded"
	"tocsin/processor/processortest/kafkatest"
	"tocsin/processor/processortest/ports"
	"tocsin/processor/processortest/program"
	"tocsin/topics"
)

// env is one application: topics, database, state folder and configuration of its own.
type env struct {
	program.Application
	program.Member

	t      *testing.T
	config string
}

// brokers are the clusters a test runs on.
func eachBroker(t *testing.T, test func(t *testing.T, brokers []string)) {
	t.Helper()
	t.Run("kfake", func(t *testing.T) {
		b, err := embedded.StartBroker(t.Context(), embedded.BrokerConfig{})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, b.Stop()) })
		test(t, b.Addrs())
	})
	t.Run("kafka", func(t *testing.T) { test(t, kafkatest.Shared(t).Addrs()) })
}

// newEnv makes an application with a new input topic of that many partitions; extra is more YAML.
func newEnv(t *testing.T, app string, brokers []string, dsn string, partitions int, extra string) *env {
	t.Helper()
	e := &env{t: t,
		Application: program.Application{ID: app, Brokers: brokers, DSN: dsn, Partitions: partitions, Extra: extra}}
	e.Instance, e.Dir, e.HTTP = "one", t.TempDir(), freeAddr(t)
	e.config = filepath.Join(e.Dir, "tocsin.yaml")
	require.NoError(t, os.WriteFile(e.config, e.Configuration(&e.Member), 0o600))
	return e
}

func freeAddr(t *testing.T) string {
	t.Helper()
	addr, err := ports.FreeAddr(t.Context())
	require.NoError(t, err)
	return addr
}

// cli runs the program to its end and returns what it printed.
func (e *env) cli(args ...string) string {
	out, err := e.try(args...)
	require.NoError(e.t, err, "tocsin %s", strings.Join(args, " "))
	return out
}

func (e *env) try(args ...string) (string, error) {
	cmd := exec.CommandContext(e.t.Context(), built, append(args, "--config", e.config)...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return stdout.String(), fmt.Errorf("%w\n%s%s", err, &stdout, &stderr)
	}
	return stdout.String(), nil
}

// setUp creates topics and tables as an operator would.
func (e *env) setUp() {
	e.cli("topics", "init", "--input")
	e.cli("migrate", "up")
	// Record times will be those of the past: the broker must not delete what is older than its retention.
	adm, done := e.admin()
	defer done()
	forever := "-1"
	_, err := adm.AlterTopicConfigs(e.t.Context(), []kadm.AlterConfig{{Op: kadm.SetConfig, Name: "retention.ms", Value: &forever}}, e.Input())
	require.NoError(e.t, err)
}

// process is a running `tocsin run`.
type process struct {
	e    *env
	cmd  *exec.Cmd
	log  string // file
	done chan struct{}
	err  error
}

// start runs the program with all roles; its log goes to a file that is shown when the test fails.
func (e *env) start(args ...string) *process {
	p := &process{e: e, done: make(chan struct{})}
	f, err := os.CreateTemp(e.Dir, "run-*.log")
	require.NoError(e.t, err)
	p.log = f.Name()
	p.cmd = exec.Command(built, append([]string{"run", "--config", e.config}, args...)...)
	p.cmd.Stdout, p.cmd.Stderr = f, f
	require.NoError(e.t, p.cmd.Start())
	go func() {
		p.err = p.cmd.Wait()
		_ = f.Close()
		close(p.done)
	}()
	e.t.Cleanup(func() {
		p.kill()
		if e.t.Failed() {
			b, _ := os.ReadFile(p.log)
			e.t.Logf("log of process %d:\n%s", p.cmd.Process.Pid, b[max(0, len(b)-6000):])
		}
	})
	return p
}

// kill is kill -9.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // it may have ended
	<-p.done
}

// stop is SIGTERM: the process drains and must end well.
func (p *process) stop() {
	require.NoError(p.e.t, p.cmd.Process.Signal(syscall.SIGTERM))
	select {
	case <-p.done:
		require.NoError(p.e.t, p.err, "a process that was asked to stop")
	case <-time.After(time.Minute):
		p.e.t.Fatal("the process does not stop")
	}
}

func (p *process) lines() []map[string]any {
	lines, err := program.Lines(p.log)
	require.NoError(p.e.t, err)
	return lines
}

// client asks the program how it is.
var client = http.Client{Timeout: 5 * time.Second}

// waitReady waits until /readyz says 200.
func (e *env) waitReady(p *process) {
	e.until(time.Minute, p, func() error {
		resp, err := client.Get("http://" + e.HTTP + "/readyz")
		if err != nil {
			return err
		}
		defer func() { _ = resp.Body.Close() }()
		body, _ := io.ReadAll(resp.Body)
		if resp.StatusCode != http.StatusOK {
			return errors.New(string(body))
		}
		return nil
	})
}

// until polls a condition. p, if not nil, must not end meanwhile.
func (e *env) until(limit time.Duration, p *process, condition func() error) {
	e.t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(limit)
	var ended chan struct{}
	if p != nil {
		ended = p.done
	}
	for {
		err := condition()
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-ended:
			e.t.Fatalf("the process ended: %v", p.err)
		case <-deadline:
			e.t.Fatalf("waited for %s: %v", limit, err)
		}
	}
}

func (e *env) admin() (*kadm.Client, func()) {
	cl, err := kgo.NewClient(e.Kafka()...)
	require.NoError(e.t, err)
	return kadm.NewClient(cl), cl.Close
}

// waitJudged waits until the whole input is committed.
func (e *env) waitJudged(limit time.Duration, p *process) {
	adm, done := e.admin()
	defer done()
	e.until(limit, p, func() error {
		n, err := e.Unread(e.t.Context(), adm)
		if err == nil && n > 0 {
			err = fmt.Errorf("%d records are unread", n)
		}
		return err
	})
}

// alerts reads all revisions from the alerts topic.
func (e *env) alerts() []topics.Alert {
	as, err := collect.Alerts(e.t.Context(), e.Kafka(), e.Alerts())
	require.NoError(e.t, err)
	return as
}

// waitStored waits until Postgres holds the highest revision of every alert of the topic, and nothing else.
func (e *env) waitStored(limit time.Duration, p *process, alerts []topics.Alert) {
	e.until(limit, p, func() error {
		ctx, cancel := context.WithTimeout(e.t.Context(), 10*time.Second)
		defer cancel()
		return e.Stored(ctx, alerts)
	})
}

// notReady is nil when /readyz says that something is missing and names this part of the program.
func (e *env) notReady(part string) error {
	resp, err := client.Get("http://" + e.HTTP + "/readyz")
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	var body struct{ Missing []string }
	if err := json.NewDecoder(resp.Body).Decode(&body); err != nil {
		return err
	}
	if resp.StatusCode == http.StatusOK || !strings.Contains(strings.Join(body.Missing, " "), part) {
		return fmt.Errorf("%d %v", resp.StatusCode, body.Missing)
	}
	return nil
}

// digests takes from the output of `state inspect` what must be the same after a rebuild.
func digests(output string) map[string][]any {
	m := map[string][]any{}
	for line := range strings.Lines(output) {
		var row map[string]any
		if json.Unmarshal([]byte(line), &row) == nil {
			m[fmt.Sprint(row["partition"])] = []any{row["next_input_offset"], row["keys"], row["records"], row["digest"]}
		}
	}
	return m
}

// hashes takes the digest of each partition from the output of `state inspect` or `replay`.
func hashes(output string) map[string]any {
	m := map[string]any{}
	for line := range strings.Lines(output) {
		var row map[string]any
		if json.Unmarshal([]byte(line), &row) == nil && row["digest"] != nil {
			stage := fmt.Sprint(row["partition"]) // "0/3" on disk, "3" in the input
			m[stage[strings.IndexByte(stage, '/')+1:]] = row["digest"]
		}
	}
	return m
}

// liveAlerts gives the revisions in the alerts topic, byte for byte but for mode, sorted.
func (e *env) liveAlerts() []string {
	var lines []string
	err := collect.Records(e.t.Context(), e.Kafka(), e.Alerts(), func(r *kgo.Record) error {
		lines = append(lines, withoutMode(r.Value))
		return nil
	})
	require.NoError(e.t, err)
	slices.Sort(lines)
	return lines
}

// readAlerts reads what replay wrote, in the same form.
func readAlerts(t *testing.T, path string) []string {
	t.Helper()
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	var lines []string
	for line := range bytes.Lines(b) {
		lines = append(lines, withoutMode(bytes.TrimSpace(line)))
	}
	slices.Sort(lines)
	return lines
}

func withoutMode(alert []byte) string {
	return strings.NewReplacer(`"mode":"live"`, `"mode":""`, `"mode":"replay"`, `"mode":""`).Replace(string(alert))
}
