package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"time"

	"tocsin/processor/app/settings"
	"tocsin/processor/sink"
)

// DemoOptions of [Demo].
type DemoOptions struct {
	Dir string // keeps what the demo makes; empty: a temporary folder, removed at the end
	Log *slog.Logger
	Now func() time.Time
	// Say is told each step.
	Say func(format string, args ...any)
}

// DemoAlert is an alert as it stands in the database, and whether it was to be expected.
type DemoAlert struct {
	sink.Stored
	Group    string // its group values in one text
	Expected bool
}

// DemoReport is what came of it.
type DemoReport struct {
	Alerts  []DemoAlert
	Missing []string // planted attacks without alert
	Ingest  *IngestReport
	Took    time.Duration
}

// OK says whether every planted attack raised its alert and nothing else raised one.
func (r *DemoReport) OK() bool {
	return len(r.Missing) == 0 && !slices.ContainsFunc(r.Alerts, func(a DemoAlert) bool { return !a.Expected })
}

// demoSecret signs the demo's events. It protects nothing.
const demoSecret = "the demo's secret is no secret at all" //nolint:gosec // it says so itself

// demoPatience bounds each wait of the demo.
const demoPatience = 40 * time.Second

// Demo starts everything in one process, plays a day of events with planted attacks, and reads the alerts from the
// database.
func Demo(ctx context.Context, o DemoOptions) (report *DemoReport, err error) {
	began := o.Now()
	dir := o.Dir
	if dir == "" {
		if dir, err = os.MkdirTemp("", "tocsin-demo-"); err != nil {
			return nil, fmt.Errorf("demo: %w", err)
		}
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
		// The database server may run as another user, who must get through.
		if err := os.Chmod(dir, 0o711); err != nil { //nolint:gosec // passing through shows nothing
			return nil, fmt.Errorf("demo: %w", err)
		}
	}
	cfg, err := demoConfig(dir)
	if err != nil {
		return nil, err
	}
	running, stop := context.WithCancel(ctx)
	defer stop()
	started, ended := make(chan struct{}), make(chan error, 1)
	o.Say("starting broker, database, processor and sink in %s", dir)
	go func() {
		ended <- Run(running, Options{
			Config: cfg, Roles: Roles{Processor: true, Sink: true}, Embedded: true, Log: o.Log, Now: o.Now,
			Started: func(Started) { close(started) },
		})
	}()
	select {
	case <-started:
	case err := <-ended:
		return nil, err
	}
	report, err = playDemo(ctx, cfg, o)
	stop()
	if endErr := <-ended; err == nil {
		err = endErr
	}
	if report != nil {
		report.Took = o.Now().Sub(began)
	}
	return report, err
}

// demoConfig is the default configuration, whatever the user's is, but for what the demo needs.
func demoConfig(dir string) (*Loaded, error) {
	set := func(path, value string) settings.Flag { return settings.Flag{Name: "demo", Path: path, Value: value} }
	cfg, err := Load(LoadInput{NoFile: true, Flags: []settings.Flag{
		set("app.data_dir", dir), set("app.instance", "demo"), set("http.listen", ""), set("embedded.kafka_port", "0"),
		set("rules.bulk-operation.except", "svc-*"),
	}})
	if err != nil {
		return nil, err
	}
	cfg.Verify.HMACSecret = settings.NewSecret(demoSecret)
	cfg.Notes = nil
	return cfg, nil
}

func playDemo(ctx context.Context, cfg *Loaded, o DemoOptions) (*DemoReport, error) {
	if err := waitForGroup(ctx, cfg, o); err != nil {
		return nil, err
	}
	events := demoEvents()
	o.Say("playing a day of %d events with %d planted attacks", strings.Count(events, "\n"), len(demoExpected()))
	r := &DemoReport{}
	var err error
	r.Ingest, err = Ingest(ctx, cfg, IngestOptions{
		Paths: []string{"-"}, Stdin: strings.NewReader(events), Format: "jsonl", FileOrder: true, Historic: true, Sign: true,
		Wait: demoPatience, Now: o.Now,
	})
	if err != nil {
		return r, err
	}
	if r.Ingest.Verdicts == nil {
		return r, fmt.Errorf("the verdicts are not known: %s", r.Ingest.Unknown)
	}
	o.Say("waiting for the alerts in the database")
	return r, r.collect(ctx, cfg)
}

// waitForGroup returns when the processor has joined its group.
func waitForGroup(ctx context.Context, cfg *Loaded, o DemoOptions) error {
	ctx, cancel := context.WithTimeoutCause(ctx, demoPatience,
		fmt.Errorf("the processor did not start within %s", demoPatience))
	defer cancel()
	for {
		if w, _ := watchVerdicts(ctx, cfg, IngestOptions{Wait: demoPatience, Now: o.Now}); w != nil {
			return nil
		}
		if err := pause(ctx, 100*time.Millisecond); err != nil {
			return err
		}
	}
}

// collect reads the alerts until they are the expected ones and closed, or time is up.
func (r *DemoReport) collect(ctx context.Context, cfg *Loaded) error {
	waiting, cancel := context.WithTimeout(ctx, demoPatience)
	defer cancel()
	for {
		r.Alerts, r.Missing = nil, nil
		open := false
		err := Alerts(ctx, &cfg.Config, AlertFilter{}, func(a sink.Stored) error {
			open = open || a.State == "open"
			r.Alerts = append(r.Alerts, DemoAlert{Stored: a, Group: groupText(a.Alert.Group)})
			return nil
		})
		if err != nil {
			return err
		}
		r.compare()
		if len(r.Missing) == 0 && !open {
			return nil
		}
		if pause(waiting, 200*time.Millisecond) != nil {
			return ctx.Err() // what is missing stays missing: the report says so
		}
	}
}

func (r *DemoReport) compare() {
	expected := demoExpected()
	for i := range r.Alerts {
		a := &r.Alerts[i]
		at := slices.IndexFunc(expected, func(e demoAlert) bool {
			return e.Rule == a.Rule.ID && e.Organization == a.Organization && a.Group == e.Group
		})
		if at >= 0 {
			a.Expected = true
			expected = slices.Delete(expected, at, at+1)
		}
	}
	for _, e := range expected {
		r.Missing = append(r.Missing, fmt.Sprintf("%s of %s in %s", e.Rule, e.Group, e.Organization))
	}
}

// groupText puts group values in one text: what the alert is about. The partition of an integrity alert is left out.
func groupText(group map[string]string) string {
	var parts []string
	for _, field := range []string{"principal", "ip", "unknown", "kind", "source"} {
		if v, ok := group[field]; ok && v != "" {
			parts = append(parts, v)
		}
	}
	return strings.Join(parts, " ")
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
		return nil
	}
}
