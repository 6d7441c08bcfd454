package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"

	"tocsin/bench/run"
	"tocsin/bench/steady"
	"tocsin/bench/throughput"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := start(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "sweep:", err)
		stop()
		os.Exit(1) //nolint:forbidigo // this is main
	}
}

func start(ctx context.Context, args []string) error {
	for _, child := range []func(context.Context) (bool, error){throughput.Child, steady.Child} {
		if is, err := child(ctx); is {
			return err
		}
	}
	o, s, err := parse(args)
	if errors.Is(err, flag.ErrHelp) {
		return nil // it has been shown
	}
	if err != nil {
		return err
	}
	// What this process uses is taken from what is measured on the same machine.
	debug.SetGCPercent(400)
	o.commit, o.dirty = run.Checkout(ctx)
	cluster, err := run.StartCluster(ctx, o.brokers, o.kafka)
	if err != nil {
		return err
	}
	defer cluster.Close()
	return s.measure(ctx, o, cluster)
}

// parse reads the command line: a scenario's name and its flags.
func parse(args []string) (*options, *scenario, error) {
	if len(args) == 0 {
		return nil, nil, errors.New(usage())
	}
	s := find(args[0])
	if s == nil {
		return nil, nil, fmt.Errorf("%q is no scenario\n%s", args[0], usage())
	}
	o := newOptions(s)
	set := flag.NewFlagSet("sweep "+s.name, flag.ContinueOnError)
	o.flags(set, s)
	if err := set.Parse(args[1:]); err != nil {
		return nil, nil, err
	}
	if set.NArg() > 0 {
		return nil, nil, fmt.Errorf("%s: %q: flags come after the scenario, and nothing else", s.name, set.Arg(0))
	}
	return o, s, o.check(s)
}

func usage() string {
	var b strings.Builder
	b.WriteString("usage: sweep SCENARIO [flags]")
	for _, s := range scenarios() {
		fmt.Fprintf(&b, "\n  %-13s %s", s.name, s.about)
	}
	return b.String()
}
