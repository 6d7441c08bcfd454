package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	"tocsin/bench/run"
	"tocsin/bench/steady"
)

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
	if is, err := steady.Child(ctx); is {
		return err
	}
	var c steady.Config
	brokers := flag.String("brokers", "", "a running cluster, host:port; empty: one of its own, see -kafka")
	kafka := flag.String("kafka", "real", "broker to start: real (Apache Kafka) or kfake (in this process)")
	peer := flag.String("peer", "", "streams: measure the Kafka Streams program instead (see bench/README.md)")
	flag.StringVar(&c.Bin, "bin", "", "the tocsin program to measure; empty: the processor in a process of this program")
	flag.IntVar(&c.Rate, "rate", 20_000, "events a second")
	flag.IntVar(&c.Probes, "probes", 100, "events a second that make an alert and are measured")
	flag.DurationVar(&c.Duration, "duration", time.Minute, "how long is measured")
	flag.DurationVar(&c.Warm, "warm", time.Minute, "how long the same goes on before that: a broker of its own has\n"+
		"to compile what it runs")
	flag.IntVar(&c.Partitions, "partitions", 8, "partitions of the topic")
	flag.IntVar(&c.Principals, "principals", 100_000, "principals of ordinary events")
	flag.IntVar(&c.Workers, "workers", 0, "workers of the processor; 0: its own choice")
	flag.DurationVar(&c.CloseAfter, "transaction", 100*time.Millisecond, "how long a transaction is open")
	flag.Uint64Var(&c.Seed, "seed", 1, "seed of the events")
	flag.DurationVar(&c.Stall, "stall", 30*time.Second, "give up when no alert comes for this long after the last event")
	flag.DurationVar(&c.Calm, "calm", 20*time.Second, "wait at most this long before the run for a machine that is idle")
	flag.Func("set", "a setting of the processor, KEY=VALUE; can be repeated", func(s string) error {
		c.Set = append(c.Set, s)
		return nil
	})
	flag.Func("peer-set", "a setting of Kafka Streams, KEY=VALUE; can be repeated", func(s string) error {
		c.PeerSet = append(c.PeerSet, s)
		return nil
	})
	flag.Parse()
	if c.Streams = *peer == "streams"; !c.Streams && *peer != "" {
		return fmt.Errorf("-peer %q: only streams is known", *peer)
	}
	if err := c.Check(); err != nil {
		return err
	}
	// What this process uses is taken from what is measured on the same machine.
	debug.SetGCPercent(400)
	cluster, err := run.StartCluster(ctx, *brokers, *kafka)
	if err != nil {
		return err
	}
	defer cluster.Close()
	r, err := steady.Measure(ctx, cluster, c)
	if r.Complete {
		if _, err := os.Stdout.WriteString(r.Text()); err != nil {
			return err
		}
	}
	return err
}
