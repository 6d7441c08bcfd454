package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"tocsin/bench/generate"
	"tocsin/bench/report"
	"tocsin/bench/run"
	"tocsin/bench/throughput"
)

// options are the command line.
type options struct {
	brokers, kafka, bin, profile, only string
	peer, other, report                string
	records, rounds, warm, workers     int
	jobWorkers, partitions, principals int
	loops                              []string // bare loops beside the one that verifies
	seed                               uint64
	check                              bool
	set, peerSet                       []string
	stall, calm, rest                  time.Duration

	began  time.Time
	commit string // of the checkout; empty: unknown
	dirty  bool   // the checkout differs from it
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := start(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		stop()
		os.Exit(1) //nolint:forbidigo // this is main
	}
}

func start(ctx context.Context) error {
	if is, err := throughput.Child(ctx); is {
		return err
	}
	var o options
	flag.StringVar(&o.brokers, "brokers", "", "a running cluster, host:port; empty: one of its own, see -kafka")
	flag.StringVar(&o.kafka, "kafka", "real", "broker to start: real (Apache Kafka) or kfake (in this process)")
	flag.StringVar(&o.bin, "bin", "", "the tocsin program to measure; empty: the processor in a process of this program")
	flag.StringVar(&o.other, "other", "", "another tocsin program, measured beside the first: a build of before a change")
	flag.StringVar(&o.profile, "cpuprofile", "", "write a CPU profile of the last round of the job (not with -bin)")
	flag.StringVar(&o.only, "only", "", "job, bare or, with -peer, streams: measure that alone")
	flag.StringVar(&o.peer, "peer", "", "streams: measure the Kafka Streams program too (see bench/README.md)")
	flag.IntVar(&o.records, "records", 2_000_000, "events in the topic")
	flag.IntVar(&o.principals, "principals", 100_000, "principals")
	flag.IntVar(&o.rounds, "rounds", 2, "runs of each kind, in turn")
	flag.IntVar(&o.warm, "warm", 4, "runs of the job that are not measured, before the rounds: a broker of its own runs\n"+
		"compiled through only after some 20 million events of the job")
	flag.IntVar(&o.workers, "workers", 4, "sessions of the bare loop")
	flag.IntVar(&o.jobWorkers, "job-workers", 0, "workers of the job; 0: its own choice")
	flag.IntVar(&o.partitions, "partitions", 8, "partitions of the topic")
	flag.Uint64Var(&o.seed, "seed", 1, "seed of the events")
	flag.BoolVar(&o.check, "check", false, "compare alerts and dead letters of the job with the oracle")
	flag.DurationVar(&o.stall, "stall", 2*time.Minute, "give up when nothing is committed for this long")
	flag.DurationVar(&o.rest, "rest", 0, "wait this long before each run: some hosts lend their processors for a\n"+
		"burst only and then take them back, which hits the longer runs")
	flag.DurationVar(&o.calm, "calm", 20*time.Second, "wait at most this long before each run for a machine that is idle")
	flag.StringVar(&o.report, "report", "", "write the result into this folder, as JSON and as a page to look at")
	flag.Func("set", "a setting of the job, KEY=VALUE; can be repeated", func(s string) error {
		o.set = append(o.set, s)
		return nil
	})
	flag.Func("peer-set", "a setting of Kafka Streams, KEY=VALUE; can be repeated", func(s string) error {
		o.peerSet = append(o.peerSet, s)
		return nil
	})
	flag.Func("loop", "another bare loop in each round: consume (looks at no record) or write (verifies, and writes 300\n"+
		"bytes for each key of a transaction); can be repeated", func(s string) error {
		if s != throughput.Consume && s != throughput.Write {
			return errors.New("consume or write")
		}
		o.loops = append(o.loops, s)
		return nil
	})
	flag.Parse()
	if o.peer != "" && o.peer != throughput.Streams || o.only == throughput.Streams && o.peer == "" {
		return fmt.Errorf("-peer %q: only streams is known, and -only streams needs it", o.peer)
	}
	if o.other != "" && (o.peer != "" || o.only != "") {
		return errors.New("-other goes neither with -peer nor with -only")
	}
	if o.profile != "" && o.bin != "" {
		return errors.New("-cpuprofile needs the job in a process of this program: leave out -bin")
	}
	o.began = time.Now()
	o.commit, o.dirty = run.Checkout(ctx)
	cluster, err := run.StartCluster(ctx, o.brokers, o.kafka)
	if err != nil {
		return err
	}
	defer cluster.Close()
	return o.measure(ctx, cluster.Brokers, cluster.PID)
}

func (o *options) measure(ctx context.Context, brokers []string, pid int) error {
	cfg := generate.Default(o.records)
	cfg.Seed, cfg.Principals = o.seed, int64(o.principals)
	g, err := generate.New(cfg)
	if err != nil {
		return err
	}
	name := fmt.Sprintf("load-%d", time.Now().Unix())
	in := &throughput.Input{Brokers: brokers, Topic: name + "-events", Stream: g, Partitions: o.partitions,
		Ticks: o.check, Progress: os.Stderr}
	defer in.Delete(ctx)
	if err := in.Fill(ctx, g.Records()); err != nil {
		return err
	}

	// A new cluster makes its coordinators' topics at first use, and a Java machine compiles what it runs often: what is
	// measured comes after runs of each kind.
	warm := throughput.Settings{Kind: throughput.Bare, Brokers: brokers, App: name + "-warm", Input: in.Topic,
		Key: string(cfg.Secret), Workers: o.workers, CloseAfter: 100 * time.Millisecond, BrokerPID: pid}
	if _, err := throughput.Measure(ctx, warm, "", o.stall); err != nil {
		return fmt.Errorf("warm up: %w", err)
	}
	warm.JobWorkers, warm.Set, warm.PeerSet = o.jobWorkers, o.set, o.peerSet
	if o.peer != "" && o.check {
		s := warm
		s.App = name + "-equal"
		if err := o.equal(ctx, s); err != nil {
			return fmt.Errorf("compare with the peer: %w", err)
		}
	}
	if err := o.warmUp(ctx, g, warm, name); err != nil {
		return fmt.Errorf("warm up: %w", err)
	}
	var samples []throughput.Sample
	for round := range o.rounds {
		for _, kind := range o.kinds() {
			s := warm
			s.Kind, s.App = kind, fmt.Sprintf("%s-%s-%d", name, kind, round)
			if round == o.rounds-1 {
				s.Profile = o.profile
			}
			run.Pause(ctx, o.rest)
			run.Calm(ctx, o.calm)
			result, err := o.one(ctx, g, s)
			if err != nil {
				return fmt.Errorf("%s %d: %w", kind, round, err)
			}
			result.Round = round
			samples = append(samples, result)
		}
	}
	return o.show(samples)
}

// show prints the result and, where asked for, writes it.
func (o *options) show(samples []throughput.Sample) error {
	r := o.result(samples)
	if _, err := os.Stdout.WriteString(report.Text(r)); err != nil || o.report == "" {
		return err
	}
	paths, err := report.Save(o.report, r)
	for _, path := range paths {
		fmt.Fprintln(os.Stderr, "wrote", path)
	}
	return err
}

// warmUp runs the job as often as was asked for and the peer once; the bare loop has run.
func (o *options) warmUp(ctx context.Context, g *generate.Generator, s throughput.Settings, name string) error {
	for _, kind := range o.kinds() {
		times := 1
		switch kind {
		case throughput.Bare, throughput.Consume, throughput.Write:
			continue
		case throughput.Job, kindOther:
			times = o.warm
		}
		for i := range times {
			s.Kind, s.App = kind, fmt.Sprintf("%s-warm-%s-%d", name, kind, i)
			if _, err := o.one(ctx, g, s); err != nil {
				return err
			}
		}
	}
	return nil
}

// kinds are those that are measured, in the order of a round.
func (o *options) kinds() []string {
	switch {
	case o.only != "":
		return []string{o.only}
	case o.peer != "":
		return append([]string{throughput.Job, throughput.Bare, o.peer}, o.loops...)
	case o.other != "":
		return append([]string{throughput.Job, kindOther, throughput.Bare}, o.loops...)
	}
	return append([]string{throughput.Job, throughput.Bare}, o.loops...)
}

// kindOther is the job as another program does it.
const kindOther = "other"

// one measures a run and, where asked for, checks what it wrote.
func (o *options) one(ctx context.Context, g *generate.Generator, s throughput.Settings) (throughput.Sample, error) {
	dir, err := os.MkdirTemp("", "tocsin-load-")
	if err != nil {
		return throughput.Sample{}, err
	}
	defer func() { _ = os.RemoveAll(dir) }() // a temporary folder
	s.Dir = dir
	kind, bin := s.Kind, o.bin
	if kind == kindOther {
		s.Kind, bin = throughput.Job, o.other
	}
	result, err := throughput.Measure(ctx, s, bin, o.stall)
	result.Kind = kind
	if err != nil {
		return result, err
	}
	fmt.Fprintf(os.Stderr, "%s: %.0f events/s, %.3f CPU s/million, %.0f MB\n", s.App, result.Rate(),
		result.CPUPerMillion(), result.Megabytes())
	if s.Kind == throughput.Job && o.check {
		return result, check(ctx, g, s, int32(o.partitions))
	}
	return result, nil
}
