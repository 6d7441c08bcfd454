package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/stretchr/testify/require"

	"tocsin/processor/app"
	"tocsin/processor/app/hospital"
	"tocsin/processor/ingest"
	"tocsin/processor/processortest/pgtest"
	"tocsin/processor/processortest/program"
	"tocsin/topics"
)

// TestDemo plays the demo as its users do: the built program, in a shell, and then every command it says, while it is up
// and again when it has ended.
func TestDemo(t *testing.T) {
	dir := filepath.Join(pgtest.TempDir(t), "a folder")
	require.NoError(t, os.Mkdir(dir, 0o755))
	bin, err := program.Build(t.Context(), dir)
	require.NoError(t, err)

	var out written
	demo := exec.CommandContext(t.Context(), bin, "demo", "--output", "table", "--pace", "0s", "--keep")
	demo.Dir, demo.Stdout, demo.Stderr = dir, &out, &out
	demo.Cancel = func() error { return demo.Process.Signal(syscall.SIGINT) }
	demo.WaitDelay = time.Minute
	require.NoError(t, demo.Start())
	ended := make(chan error, 1)
	go func() { ended <- demo.Wait() }()
	require.Eventually(t, func() bool {
		select {
		case err := <-ended:
			t.Fatalf("the demo ended: %v\n%s", err, out.String())
		default:
		}
		return strings.Contains(out.String(), "alerts ls --since 1h\n")
	}, 5*time.Minute, 100*time.Millisecond)
	require.Contains(t, out.String(), "Every planted attack raised its alert, and nothing else did.")

	commands := pasted(out.String())
	require.Len(t, commands, 6, out.String())
	var said []string
	for _, c := range commands {
		said = append(said, shell(t, dir, c))
	}
	isExport := func(out string) bool { return strings.Contains(out, `"rule":{"id":"bulk-operation"`) }
	require.True(t, isExport(said[0]), said[0])
	require.True(t, isExport(said[1]))
	require.Equal(t, 3, strings.Count(said[2], `"reason":"tampered"`), said[2])
	require.Contains(t, said[3], "zone: Europe/Berlin")
	require.Contains(t, said[4], `"accepted":5`)
	require.Eventually(t, func() bool { return strings.Contains(shell(t, dir, commands[5]), `{"principal":"me"}`) },
		time.Minute, 200*time.Millisecond)

	require.NoError(t, demo.Process.Signal(syscall.SIGINT))
	require.NoError(t, <-ended, out.String())
	require.Equal(t, strings.Count(said[0], "\n")+1, strings.Count(shell(t, dir, commands[0]), "\n"), "one of our own more")
	require.True(t, isExport(shell(t, dir, commands[1])))
	require.Equal(t, said[2], shell(t, dir, commands[2]))
	require.Equal(t, said[3], shell(t, dir, commands[3]))
	_, err = os.Stat(filepath.Join(dir, "data", "demo", "embedded", "postgres", "data", "postmaster.pid"))
	require.ErrorIs(t, err, os.ErrNotExist, "no database is left running")
}

// pasted gives the commands that stand in the output: lines indented by four.
func pasted(out string) (commands []string) {
	for line := range strings.Lines(out) {
		if c, ok := strings.CutPrefix(line, "    "); ok {
			commands = append(commands, strings.TrimSpace(c))
		}
	}
	return commands
}

func shell(t *testing.T, dir, command string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-c", command)
	var errs bytes.Buffer
	cmd.Dir, cmd.Stderr = dir, &errs
	out, err := cmd.Output()
	require.NoError(t, err, "%s\n%s", command, errs.String())
	return string(out)
}

// TestDemoScreen holds what people see, at different widths, with and without colours and box-drawing characters.
func TestDemoScreen(t *testing.T) {
	file, err := filepath.Abs(filepath.Join("testdata", "demo.txt"))
	require.NoError(t, err)
	t.Chdir("/")
	datadriven.RunTest(t, file, func(t *testing.T, d *datadriven.TestData) string {
		t.Helper()
		e := environment{program: "bin/tocsin", stdoutTerminal: true, environ: []string{"LC_ALL=C"}}
		d.ScanArgs(t, "width", &e.columns)
		var out bytes.Buffer
		e.stdout, e.stderr = &out, &out
		if d.HasArg("boxes") {
			e.environ = []string{"LANG=C.UTF-8"}
		}
		if !d.HasArg("colour") {
			e.environ = append(e.environ, "NO_COLOR=1")
		}
		s := &demoScreen{env: &e, look: e.look(), pace: 15 * time.Second}
		r := demoSample(t, d.HasArg("failed"))
		s.Starting(r.Dir)
		s.Playing(r.Day)
		e.stderrTerminal = d.HasArg("colour")
		s.Clock(r.Day.Start.Add(3*time.Hour+44*time.Minute), 4031, 31204)
		for _, p := range r.Planted {
			if p.Found != nil {
				s.Found(*p.Found)
			}
		}
		require.NoError(t, s.Over(r))
		s.Up(r, app.Started{HTTP: "127.0.0.1:9464"})
		for i, line := range strings.Split(out.String(), "\n") {
			if !d.HasArg("colour") && !strings.HasPrefix(line, "    ") {
				require.LessOrEqual(t, len([]rune(line)), e.columns, "line %d", i)
			}
		}
		return strings.NewReplacer("\x1b", `\e`, "\r", `\r`).Replace(out.String())
	})
}

// demoSample is a report made up.
func demoSample(t *testing.T, failed bool) *app.DemoReport {
	t.Helper()
	berlin, err := time.LoadLocation("Europe/Berlin")
	require.NoError(t, err)
	d := &hospital.Day{
		Start: time.Date(2026, 3, 3, 0, 0, 0, 0, time.UTC), People: 327, Services: 24, Records: make([]hospital.Record, 31204),
		Sites: []*hospital.Site{{ID: "klinik-ellerbek", Zone: berlin}, {}, {}},
		Planted: []hospital.Planted{
			{What: "a physician's password is guessed at", Rule: "failed-auth-burst", Organization: "klinik-ellerbek",
				Who: "p.joshi", Severity: "HIGH", Count: 26},
			{What: "events are altered on their way: another patient's number", Rule: "integrity-violation",
				Organization: "klinik-ellerbek", Who: "tampered records-archive", Severity: "CRITICAL", Count: 3},
			{What: "claims of 35,000 patients are downloaded", Rule: "bulk-operation", Organization: "klinik-ellerbek",
				Who: "o.reyes2", Severity: "CRITICAL", Count: 140},
			{What: "3 people work all night", Why: "on the night roster", Rule: "off-hours-access",
				Organization: "klinik-ellerbek", Who: "a.b c.d e.f"},
		},
	}
	r := &app.DemoReport{
		Day: d, Dir: "/data/demo", Client: "/data/demo/embedded/client.yaml", Took: 15200 * time.Millisecond,
		Again: app.DemoReplay{Records: 31208, Took: 700 * time.Millisecond, Same: !failed},
		Verdicts: &ingest.Verdicts{Judged: 30852, Duplicates: 326, Exempted: 9120,
			DeadLetters: map[string]int64{"late": 6, "tampered": 3, "not_json": 4, "bad_timestamp": 13}},
	}
	for i, p := range d.Planted {
		found := app.DemoPlanted{Planted: p}
		if p.Alert() {
			a := &app.StoredAlert{}
			at := topics.Timestamp(d.Start.Add(time.Duration(i+1) * 4 * time.Hour).UnixNano())
			a.ID, a.Rule.ID, a.Organization, a.Severity = fmt.Sprintf("%032x", i+1), p.Rule, p.Organization, p.Severity
			a.Count, a.State, a.FirstSeen, a.Crossing = p.Count, topics.StateClosed, at, at
			a.LastSeen = at + topics.Timestamp(38*time.Second)
			a.Group = map[string]string{"principal": p.Who}
			if kind, source, ok := strings.Cut(p.Who, " "); ok {
				a.Group = map[string]string{"kind": kind, "source": source}
			}
			found.Found = a
		}
		r.Planted = append(r.Planted, found)
	}
	if failed {
		r.Unexpected, r.Planted[0].Found = []app.StoredAlert{*r.Planted[0].Found}, nil
		r.Faults = []string{"set aside as late: 5, it should be 6"}
	}
	return r
}
