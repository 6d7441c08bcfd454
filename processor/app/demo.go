package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"tocsin/processor/app/hospital"
	"tocsin/processor/app/settings"
	"tocsin/processor/sink"
)

// DemoOptions of [Demo].
type DemoOptions struct {
	Dir  string        // keeps what the demo makes; empty: see [Demo]
	Seed uint64        // of the day
	Pace time.Duration // how long the day takes; 0: as fast as it goes
	Keep bool          // stay up when the day is over, until the context ends
	Log  *slog.Logger
	Now  func() time.Time
	View DemoView
}

// DemoView is told what happens, by one goroutine.
type DemoView interface {
	// Starting: broker, database, processor and sink are being started.
	Starting(dir string)
	// Playing: the day begins.
	Playing(d *hospital.Day)
	// Clock says how far the day has come.
	Clock(at time.Time, records, of int)
	// Found: an alert has come into the database.
	Found(a StoredAlert)
	// Over: the day is over, and the alerts have been compared.
	Over(r *DemoReport) error
	// Up: the services stay until the context ends.
	Up(r *DemoReport, s Started)
}

// demoPatience bounds each wait of the demo.
const demoPatience = 3 * time.Minute

// Demo starts everything in one process, plays a day of a hospital network (see package hospital), and compares the
// alerts in the database with what was planted. It returns [ErrFindings] when they differ.
//
// Everything it makes stays in its folder, so that other commands can look at it. Without one named that is data/demo,
// or a new temporary folder where the database server's user cannot reach that. A folder of a former demo is emptied
// first; one that holds anything else is refused.
func Demo(ctx context.Context, o DemoOptions) (err error) {
	dir, err := openDemoFolder(o.Dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, dir.close()) }()
	secret, err := dir.secret()
	if err != nil {
		return err
	}
	o.View.Starting(dir.path)
	d, err := hospital.New(o.Seed, secret)
	if err != nil {
		return err
	}
	if err := dir.settings(d); err != nil {
		return err
	}
	cfg, err := demoConfig(dir)
	if err != nil {
		return err
	}
	running, stop := context.WithCancel(ctx)
	defer stop()
	started, ended := make(chan Started, 1), make(chan error, 1)
	go func() {
		ended <- Run(running, Options{
			Config: cfg, Roles: Roles{Processor: true, Sink: true}, Embedded: true, Log: o.Log, Now: o.Now,
			Started: func(s Started) { started <- s },
		})
	}()
	var s Started
	select {
	case s = <-started:
	case err := <-ended:
		if err == nil { // it was interrupted while it started
			err = ctx.Err()
		}
		return err
	}
	// The day ends early when the services do.
	playing, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	served := make(chan error, 1)
	go func() {
		err := <-ended
		cancel(errors.New("the services have ended by themselves"))
		served <- err
	}()
	err = o.play(playing, cfg, d, s)
	stop()
	return errors.Join(err, <-served)
}

// play is the demo once everything runs.
func (o *DemoOptions) play(ctx context.Context, cfg *Loaded, d *hospital.Day, s Started) error {
	if err := waitForGroup(ctx, cfg, o.Now); err != nil {
		return err
	}
	pool, err := cfg.openPool(ctx, 2)
	if err != nil {
		return err
	}
	defer pool.Close()
	r := &DemoReport{
		Day: d, Dir: cfg.App.DataDir, Client: s.Client, queries: sink.NewQueries(pool), seen: map[string]bool{},
	}
	o.View.Playing(d)
	if err := r.run(ctx, cfg, o); err != nil {
		if cause := context.Cause(ctx); cause != nil {
			return cause
		}
		return err
	}
	if err := o.View.Over(r); err != nil {
		return err
	}
	if o.Keep {
		o.View.Up(r, s)
		<-ctx.Done()
		if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
			return cause
		}
	}
	if !r.OK() {
		return ErrFindings
	}
	return nil
}

// demoConfig is what the demo's file says, whatever the user's own configuration is.
func demoConfig(dir *demoFolder) (*Loaded, error) {
	cfg, err := Load(LoadInput{File: dir.file(demoSettings), Flags: []settings.Flag{
		{Name: "demo", Path: "app.instance", Value: "demo"}, {Name: "demo", Path: "embedded.kafka_port", Value: "0"},
		{Name: "demo", Path: "http.listen", Value: "127.0.0.1:0"},
	}})
	if err != nil {
		return nil, err
	}
	cfg.Notes = nil
	return cfg, nil
}

// waitForGroup returns when the processor has joined its group.
func waitForGroup(ctx context.Context, cfg *Loaded, now func() time.Time) error {
	ctx, cancel := context.WithTimeoutCause(ctx, demoPatience,
		fmt.Errorf("the processor did not start within %s", demoPatience))
	defer cancel()
	for {
		if w, _ := watchVerdicts(ctx, cfg, IngestOptions{Wait: demoPatience, Now: now}); w != nil {
			return nil
		}
		if err := pause(ctx, 100*time.Millisecond); err != nil {
			return err
		}
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
