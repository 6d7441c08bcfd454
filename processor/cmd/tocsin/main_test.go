package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"tocsin/processor/processortest/kafkatest"
	"tocsin/processor/processortest/pgtest"
	"tocsin/processor/processortest/ports"
)

// asProgram makes the test binary the program itself, for tests of what shells make of it.
const asProgram = "TOCSIN_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
		return
	}
	goleak.VerifyTestMain(discreet{kafkatest.Wrap(pgtest.Wrap(m))})
}

// secrets are the passwords and tokens of all tests, and where the program showed one.
var secrets struct {
	sync.Mutex

	all   []string
	shown []string
}

// secret makes text known as a secret: no command may show it from now on.
func secret(text string) string {
	secrets.Lock()
	defer secrets.Unlock()
	secrets.all = append(secrets.all, text)
	return text
}

// search notes which secrets are in a text.
func search(where, text string) {
	secrets.Lock()
	defer secrets.Unlock()
	for _, s := range secrets.all {
		if strings.Contains(text, s) {
			secrets.shown = append(secrets.shown, fmt.Sprintf("%s shows %q", where, s))
		}
	}
}

// discreet fails when any output of any test showed a secret.
type discreet struct{ kafkatest.TestingM }

func (d discreet) Run() int {
	code := d.TestingM.Run()
	for _, s := range secrets.shown {
		fmt.Fprintln(os.Stderr, s)
		code = max(code, 1)
	}
	return code
}

// call runs one command line as a user would and returns what it wrote.
type call struct {
	args     []string
	stdin    string
	env      []string
	terminal bool
	width    int
	now      func() time.Time
}

func (c call) run(ctx context.Context) (stdout, stderr string, code int) {
	var out, errs written
	if c.now == nil {
		c.now = time.Now
	}
	code = execute(ctx, c.args, environment{
		stdin: strings.NewReader(c.stdin), stdout: &out, stderr: &errs, environ: c.env, now: c.now,
		stdoutTerminal: c.terminal, stderrTerminal: c.terminal, columns: c.width,
	})
	search(fmt.Sprint(c.args), out.String()+errs.String())
	return out.String(), errs.String(), code
}

// written collects output. The log and the command write to standard error at the same time.
type written struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (w *written) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.b.Write(b)
}

func (w *written) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.b.String()
}

// script runs the commands of a testdata file. A command is
//
//	tocsin [terminal] [width=80] [env=(NAME=value, …)]
//	arguments, one per line (stdin:text gives standard input, with \n for line feeds)
//
// and the output is what the program wrote and its exit code, with what differs from run to run masked.
func script(t *testing.T, file string, replace func(string) string, mask func(string) string) {
	t.Helper()
	datadriven.RunTest(t, file, func(t *testing.T, d *datadriven.TestData) string {
		t.Helper()
		c := call{terminal: d.HasArg("terminal"), env: []string{"NO_COLOR=1"}}
		d.MaybeScanArgs(t, "width", &c.width)
		for _, a := range d.CmdArgs {
			if a.Key == "env" {
				c.env = append(c.env, a.Vals...)
			}
		}
		for line := range strings.Lines(d.Input) {
			line = replace(strings.TrimSuffix(line, "\n"))
			if text, ok := strings.CutPrefix(line, "stdin:"); ok {
				c.stdin = strings.ReplaceAll(strings.ReplaceAll(text, `\n`, "\n"), `\e`, "\x1b")
				continue
			}
			c.args = append(c.args, line)
		}
		stdout, stderr, code := c.run(t.Context())
		var b strings.Builder
		for _, part := range []struct{ name, text string }{{"out", stdout}, {"err", stderr}} {
			for line := range strings.Lines(part.text) {
				fmt.Fprintf(&b, "%s: %s\n", part.name, strings.TrimRight(line, " \n"))
			}
		}
		fmt.Fprintf(&b, "exit %d\n", code)
		return mask(b.String())
	})
}

func asItIs(s string) string { return s }

// TestCommandLine holds what needs no services: help, mistakes, the configuration.
func TestCommandLine(t *testing.T) {
	file, err := filepath.Abs(filepath.Join("testdata", "commandline.txt"))
	require.NoError(t, err)
	t.Chdir(t.TempDir()) // no tocsin.yaml here
	require.NoError(t, os.WriteFile("good.yaml", []byte("log: {level: debug}\nverify: {hmac_key_id: k}\n"), 0o600))
	require.NoError(t, os.WriteFile("bad.yaml", []byte("log: {level: loud}\nkafka: {brokrs: [a:1]}\n"), 0o600))
	script(t, file, asItIs, asItIs)
}

// result is how a call has ended.
type result struct {
	stderr string
	code   int
}

// runEmbedded starts everything in this process and returns when it is ready.
func runEmbedded(t *testing.T, env []string, admin, dir string) (stop func(), ended <-chan result) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	t.Cleanup(stop)
	end := make(chan result, 1)
	go func() {
		_, stderr, code := call{env: env, args: []string{"run", "--embedded", "--set", "embedded.kafka_port=0", "--set",
			"http.listen=" + admin, "--set", "app.data_dir=" + dir, "--set", "app.instance=test"}}.run(ctx)
		end <- result{stderr, code}
	}()
	waitReady(t, admin, func() bool {
		select {
		case r := <-end:
			t.Fatalf("run ended: %s", r.stderr)
		default:
		}
		return true
	})
	return stop, end
}

// TestSession starts everything with run --embedded and works with it as a user would.
func TestSession(t *testing.T) {
	file, err := filepath.Abs(filepath.Join("testdata", "session.txt"))
	require.NoError(t, err)
	dir := pgtest.TempDir(t)
	t.Chdir(dir)
	admin := freeAddress(t)
	stop, ended := runEmbedded(t, nil, admin, dir)
	client := filepath.Join(dir, "embedded", "client.yaml")
	discretion(t, client)
	searchArguments(t)
	masks := []*regexp.Regexp{
		regexp.MustCompile(`\b[0-9a-f]{32}\b`),
		regexp.MustCompile(time.Now().UTC().Format("2006-01-02") + `T[0-9:.]+Z`),
		regexp.MustCompile(time.Now().Add(time.Hour).UTC().Format("2006-01-02") + `T[0-9:.]+Z`),
		regexp.MustCompile(`\b[0-9]{13}\b`),
	}
	var alert string
	script(t, file,
		func(line string) string {
			if strings.Contains(line, "$ALERT") && alert == "" {
				alert = firstAlert(t, client)
			}
			return strings.NewReplacer("$CLIENT", client, "$ALERT", alert, "$ADMIN", admin).Replace(line)
		},
		func(out string) string {
			out = strings.NewReplacer(dir, "$DIR", admin, "$ADMIN").Replace(out)
			for _, m := range masks {
				out = m.ReplaceAllStringFunc(out, func(s string) string { return strings.Repeat("*", len(s)) })
			}
			// One for each core.
			out = regexp.MustCompile(`with [0-9]+ workers|"workers":[0-9]+`).ReplaceAllStringFunc(out, func(s string) string {
				return regexp.MustCompile(`[0-9]+`).ReplaceAllString(s, "*")
			})
			// Widths of columns differ with those of times.
			out = regexp.MustCompile(`[0-9-]{10} [0-9:.]{8,12} UTC|(?m:^out: )[0-9:]{8}  (new|grown|closed) `).ReplaceAllStringFunc(out,
				func(s string) string {
					if strings.HasPrefix(s, "2026-03-02 ") {
						return s // of the events, and not of the clock on the wall
					}
					return strings.Repeat("*", len(s))
				})
			return regexp.MustCompile(`  +`).ReplaceAllString(regexp.MustCompile(`\*+`).ReplaceAllString(out, "*"), "  ")
		})
	alertsFitTheSchema(t, client)
	body := get(t, "http://"+admin+"/metrics")
	require.Contains(t, body, `tocsin_processor_records_total{reason="not_json",verdict="dead_letter"} 1`)
	require.Contains(t, body, "tocsin_sink_applied_total")
	require.Contains(t, get(t, "http://"+admin+"/healthz"), `"ok": true`)

	out, errs, code := call{args: []string{"--config", client, "replay"}}.run(t.Context())
	require.Zero(t, code, errs)
	replayed := digests(t, out)
	require.Len(t, replayed, 4)

	stop()
	select {
	case r := <-ended:
		require.Zero(t, r.code, r.stderr)
		require.Contains(t, r.stderr, "stopping")
	case <-time.After(time.Minute):
		t.Fatal("run did not end")
	}
	out, errs, code = call{args: []string{"--config", client, "state", "inspect", "--digest"}}.run(t.Context())
	require.Zero(t, code, errs)
	require.Equal(t, 4, strings.Count(out, `"complete":true`), out)
	require.Equal(t, replayed, digests(t, out), "the state is what a replay of the input gives")
}

// discretion makes the passwords known that the program has made for its own database.
func discretion(t *testing.T, client string) {
	t.Helper()
	text, err := os.ReadFile(client)
	require.NoError(t, err)
	found := regexp.MustCompile(`postgres://[^:]*:([^@]*)@`).FindAllStringSubmatch(string(text), -1)
	require.NotEmpty(t, found)
	for _, f := range found {
		secret(f[1])
	}
}

// alertsFitTheSchema validates what the processor wrote, and what the log gives again, against `alerts schema`.
func alertsFitTheSchema(t *testing.T, client string) {
	t.Helper()
	text, errs, code := call{args: []string{"alerts", "schema"}}.run(t.Context())
	require.Zero(t, code, errs)
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	require.NoError(t, err)
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	require.NoError(t, compiler.AddResource("alert.json", doc))
	schema, err := compiler.Compile("alert.json")
	require.NoError(t, err)
	shown, errs, code := call{args: []string{"--config", client, "alerts", "show", firstAlert(t, client)}}.run(t.Context())
	require.Zero(t, code, errs)
	replayed, errs, code := call{args: []string{"--config", client, "replay", "--out", "-"}}.run(t.Context())
	require.Zero(t, code, errs)
	n := 0
	for line := range strings.Lines(shown + replayed) {
		v, err := jsonschema.UnmarshalJSON(strings.NewReader(line))
		require.NoError(t, err)
		require.NoError(t, schema.Validate(v), line)
		n++
	}
	require.Greater(t, n, 2)
}

// digests picks the digests out of a listing, by line.
func digests(t *testing.T, out string) []string {
	t.Helper()
	var all []string
	for line := range strings.Lines(out) {
		var row struct {
			Digest string `json:"digest"`
		}
		require.NoError(t, json.Unmarshal([]byte(line), &row))
		all = append(all, row.Digest)
	}
	return all
}

func firstAlert(t *testing.T, client string) string {
	t.Helper()
	var a struct {
		ID string `json:"id"`
	}
	require.Eventually(t, func() bool {
		out, _, _ := call{args: []string{"--config", client, "alerts", "ls", "--state", "closed"}}.run(t.Context())
		return json.Unmarshal([]byte(out), &a) == nil && a.ID != ""
	}, 20*time.Second, 100*time.Millisecond, "no alert in the database")
	require.Eventually(t, func() bool {
		out, _, _ := call{args: []string{"--config", client, "alerts", "show", a.ID}}.run(t.Context())
		return strings.Contains(out, `"status":"copied"`) && !strings.Contains(out, `"status":"pending"`)
	}, 20*time.Second, 100*time.Millisecond, "the evidence is not copied")
	return a.ID
}

func freeAddress(t *testing.T) string {
	t.Helper()
	addr, err := ports.FreeAddr(t.Context())
	require.NoError(t, err)
	return addr
}

func get(t *testing.T, url string) string {
	t.Helper()
	c := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := c.Get(url)
	if err != nil {
		return ""
	}
	defer resp.Body.Close() //nolint:errcheck // the body is read to its end
	b, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return string(b)
}

func waitReady(t *testing.T, admin string, check func() bool) {
	t.Helper()
	require.Eventually(t, func() bool {
		return check() && strings.Contains(get(t, "http://"+admin+"/readyz"), `"ok": true`)
	}, time.Minute, 100*time.Millisecond, "not ready")
}

func TestEscape(t *testing.T) {
	for in, want := range map[string]string{
		"plain ü 漢":                   "plain ü 漢",
		"\x1b[2Jx\ty\nz":              `\x1b[2Jx\ty` + "\nz",
		"bad \xff\xfe utf":            `bad \xff\xfe utf`,
		"right\u202eto left\u200b":    `right\u202eto left\u200b`,
		"c1 \u009b0m, nul \x00, \x7f": `c1 \u009b0m, nul \x00, \x7f`,
		"replacement \ufffd":          "replacement \ufffd",
	} {
		require.Equal(t, want, escape(in, true))
		require.NotContains(t, escape(in, false), "\n")
	}
}

func TestProgress(t *testing.T) {
	var out bytes.Buffer
	now := time.Unix(0, 0)
	p := &progress{w: &out, now: func() time.Time { return now }}
	step := func(d time.Duration, done, total int64) {
		now = now.Add(d)
		p.at("sending", done, total, "events")
	}
	step(0, 0, 1000)
	step(time.Second, 100, 1000)
	require.Empty(t, out.String(), "nothing within two seconds")
	step(10*time.Second, 550, 1000)
	require.Equal(t, "sending: 550 of 1000 events (55 %), 50/s, 9s left\n", out.String())
	out.Reset()
	step(time.Second, 600, 1000)
	require.Empty(t, out.String(), "a line every ten seconds")
	p.terminal = true
	step(time.Second, 700, 0)
	p.end()
	require.Equal(t, "\r\x1b[Ksending: 700 events, 54/s\r\x1b[K", out.String())
}
