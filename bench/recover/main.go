package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"tocsin/bench/report"
	"tocsin/bench/run"
)

// scenario is one line of the table of what can be measured.
type scenario struct {
	name, about string
	flags       func(*flag.FlagSet, *options)
	measure     func(context.Context, *world) ([]*table, error)
}

func scenarios() []scenario {
	return []scenario{
		{"restore", "a state is lost, its process is killed, stopped: until all partitions process again",
			restoreFlags, measureRestore},
		{"takeover", "one of two processes is killed: until the other processes its partitions",
			takeOverFlags, measureTakeOver},
		{"cold", "a first start without state: until the first event is judged, the first alert readable",
			coldFlags, measureCold},
		{"sink", "alerts a second into PostgreSQL, with evidence and without", sinkFlags, measureSink},
		{"idle", "what a process with all roles takes when there is nothing to do", idleFlags, measureIdle},
	}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	err := start(ctx, os.Args[1:])
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
	case errors.Is(err, errUsage):
		fmt.Fprintln(os.Stderr, "recover:", err)
		os.Exit(2) //nolint:forbidigo // this is main
	case err != nil:
		fmt.Fprintln(os.Stderr, "recover:", err)
		os.Exit(1) //nolint:forbidigo // this is main
	}
}

var errUsage = errors.New("usage: go run ./bench/recover SCENARIO [flags]")

func start(ctx context.Context, args []string) error {
	o, err := parse(args)
	if err != nil {
		return err
	}
	o.began = time.Now()
	o.commit, o.dirty = run.Checkout(ctx)
	cluster, err := run.StartCluster(ctx, o.brokers, "real")
	if err != nil {
		return err
	}
	defer cluster.Close()
	tables, err := o.measure(ctx, cluster)
	// What was measured is shown although something does not hold.
	return errors.Join(err, o.show(tables))
}

// parse reads the command line.
func parse(args []string) (*options, error) {
	var list strings.Builder
	for _, s := range scenarios() {
		fmt.Fprintf(&list, "\n  %-10s %s", s.name, s.about)
	}
	if len(args) == 0 {
		return nil, fmt.Errorf("%w%s", errUsage, &list)
	}
	for _, s := range scenarios() {
		if s.name != args[0] {
			continue
		}
		o := &options{scenario: s}
		f := flag.NewFlagSet("recover "+s.name, flag.ContinueOnError)
		f.SetOutput(io.Discard) // what is wrong is in the error
		o.define(f)
		s.flags(f, o)
		if err := f.Parse(args[1:]); err != nil {
			if errors.Is(err, flag.ErrHelp) {
				fmt.Fprintf(os.Stderr, "recover %s: %s\n\n", s.name, s.about)
				f.SetOutput(os.Stderr)
				f.PrintDefaults()
				return nil, err
			}
			return nil, fmt.Errorf("%w: %w", errUsage, err)
		}
		if f.NArg() > 0 {
			return nil, fmt.Errorf("%w: %q is no flag", errUsage, f.Arg(0))
		}
		return o, o.check()
	}
	return nil, fmt.Errorf("%w%s", errUsage, &list)
}

// measure makes a world on the cluster, measures in it and takes it down.
func (o *options) measure(ctx context.Context, cluster *run.Cluster) ([]*table, error) {
	w, err := newWorld(ctx, o, cluster)
	if err != nil {
		return nil, err
	}
	tables, err := o.scenario.measure(ctx, w)
	return tables, errors.Join(err, w.close())
}

// table is a result in the making.
type table struct {
	name      string
	parameter *report.Axis
	metrics   []report.Metric
	notes     []string
	samples   []report.Sample
}

// result is what is reported of a table.
func (o *options) result(t *table) *report.Result {
	return &report.Result{Version: report.Version, Scenario: t.name, Date: o.began, Commit: o.commit, Dirty: o.dirty,
		Machine: report.ReadMachine(os.DirFS("/proc")), Settings: o.recorded(), Notes: t.notes, Parameter: t.parameter,
		Metrics: t.metrics, Samples: t.samples}
}

// show prints what was measured and, where asked for, writes it.
func (o *options) show(tables []*table) error {
	for _, t := range tables {
		if len(t.samples) == 0 {
			continue
		}
		r := o.result(t)
		if _, err := fmt.Println(report.Text(r)); err != nil {
			return err
		}
		if o.report == "" {
			continue
		}
		paths, err := report.Save(o.report, r)
		for _, path := range paths {
			fmt.Fprintln(os.Stderr, "wrote", path)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
