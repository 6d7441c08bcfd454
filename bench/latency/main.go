package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	"tocsin/bench/run"
)

// options are the command line.
type options struct {
	brokers, kafka, bin             string
	rate, probes                    int // a second
	partitions, principals, workers int
	seed                            uint64
	duration, warm, closeAfter      time.Duration
	stall, calm                     time.Duration
	set                             []string
}

// childEnv tells this program that it is the process to be measured, and what it has to do.
const childEnv = "TOCSIN_LATENCY_CHILD"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := start(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "latency:", err)
		stop()
		os.Exit(1) //nolint:forbidigo // this is main
	}
}

func start(ctx context.Context) error {
	if text := os.Getenv(childEnv); text != "" {
		return child(ctx, text)
	}
	var o options
	flag.StringVar(&o.brokers, "brokers", "", "a running cluster, host:port; empty: one of its own, see -kafka")
	flag.StringVar(&o.kafka, "kafka", "real", "broker to start: real (Apache Kafka) or kfake (in this process)")
	flag.StringVar(&o.bin, "bin", "", "the tocsin program to measure; empty: the processor in a process of this program")
	flag.IntVar(&o.rate, "rate", 20_000, "events a second")
	flag.IntVar(&o.probes, "probes", 100, "events a second that make an alert and are measured")
	flag.DurationVar(&o.duration, "duration", time.Minute, "how long is measured")
	flag.DurationVar(&o.warm, "warm", time.Minute, "how long the same goes on before that: a broker of its own has\n"+
		"to compile what it runs")
	flag.IntVar(&o.partitions, "partitions", 8, "partitions of the topic")
	flag.IntVar(&o.principals, "principals", 100_000, "principals of ordinary events")
	flag.IntVar(&o.workers, "workers", 0, "workers of the processor; 0: its own choice")
	flag.DurationVar(&o.closeAfter, "transaction", 100*time.Millisecond, "how long a transaction is open")
	flag.Uint64Var(&o.seed, "seed", 1, "seed of the events")
	flag.DurationVar(&o.stall, "stall", 30*time.Second, "give up when no alert comes for this long after the last event")
	flag.DurationVar(&o.calm, "calm", 20*time.Second, "wait at most this long before the run for a machine that is idle")
	flag.Func("set", "a setting of the processor, KEY=VALUE; can be repeated", func(s string) error {
		o.set = append(o.set, s)
		return nil
	})
	flag.Parse()
	if err := o.check(); err != nil {
		return err
	}
	// What this process uses is taken from what is measured on the same machine.
	debug.SetGCPercent(400)
	cluster, err := run.StartCluster(ctx, o.brokers, o.kafka)
	if err != nil {
		return err
	}
	defer cluster.Close()
	r, err := o.measure(ctx, cluster)
	if r.complete {
		if _, err := os.Stdout.WriteString(r.text()); err != nil {
			return err
		}
	}
	return err
}

// child is the measured process.
func child(ctx context.Context, text string) error {
	var p run.Processor
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		return fmt.Errorf("settings: %w", err)
	}
	// What tells this program what it is, is no setting of the processor.
	if err := os.Unsetenv(childEnv); err != nil {
		return err
	}
	return p.Run(ctx)
}

// limit is the longest run: the times of its events must fit into a day (see [day]).
const limit = 4 * time.Hour

func (o *options) check() error {
	switch {
	case o.rate <= 0 || o.partitions <= 0 || o.principals <= 0:
		return errors.New("-rate, -partitions and -principals must be positive")
	case o.probes <= 0 || o.rate/o.probes < 3:
		return fmt.Errorf("-probes %d: at least 1, and at most a third of the rate, for each takes three events", o.probes)
	case o.warm < 3*time.Second:
		return errors.New("-warm: at least 3s, for a probe is led in over two")
	case o.duration < time.Second || o.warm+o.duration > limit:
		return fmt.Errorf("-duration: at least 1s, and with -warm at most %s", limit)
	}
	return nil
}
