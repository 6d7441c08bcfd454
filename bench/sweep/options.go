package main

import (
	"errors"
	"flag"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"tocsin/bench/report"
	"tocsin/bench/run"
	"tocsin/bench/throughput"
)

// options are the command line.
type options struct {
	brokers, kafka, bin, report string
	rounds, workers, jobWorkers int
	partitions, principals      int
	seed                        uint64
	stall, calm, rest           time.Duration
	set, points                 []string // of points numbers: see point
	records, before, warm       int
	bare                        bool
	sizes                       []string
	rate, probes                int
	duration, lead              time.Duration
	latencyPoints               []string
	peer                        string
	peerSet                     []string
	rates                       []string
	max, peerMax, from          int
	limit, step                 time.Duration
	precision                   float64
	search                      bool

	began  time.Time
	commit string // of the checkout; empty: unknown
	dirty  bool   // the checkout differs from it
	given  map[string]string
}

func newOptions(s *scenario) *options {
	o := &options{began: time.Now(), given: map[string]string{}, rounds: 3, records: 2_000_000, warm: 4,
		duration: time.Minute, lead: 30 * time.Second, rate: 20_000}
	if s.defaults != nil {
		s.defaults(o)
	}
	return o
}

// flags are those that the scenario knows.
func (o *options) flags(set *flag.FlagSet, s *scenario) {
	list := func(to *[]string, name, about string) {
		set.Func(name, about, func(text string) error {
			*to = strings.Split(text, ",")
			return nil
		})
	}
	each := func(to *[]string, name, about string) {
		set.Func(name, about, func(text string) error {
			*to = append(*to, text)
			return nil
		})
	}
	set.StringVar(&o.brokers, "brokers", "", "a running cluster, host:port; empty: one of its own, see -kafka")
	set.StringVar(&o.kafka, "kafka", "real", "broker to start: real (Apache Kafka) or kfake (in this process)")
	set.StringVar(&o.bin, "bin", "", "the tocsin program to measure; empty: the processor in a process of this program")
	set.StringVar(&o.report, "report", "", "write the result into this folder, as JSON and as a page to look at")
	set.IntVar(&o.rounds, "rounds", o.rounds, "how often each point is measured, in turn")
	set.IntVar(&o.jobWorkers, "job-workers", 0, "workers of the job; 0: its own choice")
	set.IntVar(&o.partitions, "partitions", 8, "partitions of the topic")
	set.IntVar(&o.principals, "principals", 100_000, "principals")
	set.Uint64Var(&o.seed, "seed", 1, "seed of the events")
	set.DurationVar(&o.stall, "stall", 2*time.Minute, "give up when nothing moves for this long")
	set.DurationVar(&o.calm, "calm", 20*time.Second, "wait at most this long before each run for a machine that is idle")
	set.DurationVar(&o.rest, "rest", 0, "wait this long before each run")
	each(&o.set, "set", "a setting of the job, KEY=VALUE; can be repeated")
	if s.plan != nil {
		list(&o.points, "points", "values of what is varied, by commas; default: "+strings.Join(s.points, ","))
	}
	if s.plan != nil || s.name == latencyScenario {
		set.IntVar(&o.records, "records", o.records, "events that a run judges")
		set.IntVar(&o.warm, "warm", o.warm, "runs of the job before all, not measured: a broker of its own runs compiled\n"+
			"through only after some 20 million events")
	}
	if s.plan != nil {
		set.IntVar(&o.before, "before", o.before, "events that are judged before, by a process that ends: the measured one\n"+
			"begins with its state, on disk and out of the system's cache; 0: with no state")
		set.BoolVar(&o.bare, "bare", false, "measure the bare loop at each point, too")
		set.IntVar(&o.workers, "workers", 4, "sessions of the bare loop")
	}
	if s.name == transactionsScenario {
		list(&o.sizes, "sizes", "most records of a transaction, by commas; default: "+strings.Join(sizes, ","))
		list(&o.latencyPoints, "latency", "times of transactions, in ms, by commas, at which latency is measured, too,\n"+
			"at -rate and the largest size; none: nowhere; default: "+strings.Join(latencyPoints, ","))
	}
	if s.plan == nil || s.name == transactionsScenario {
		set.IntVar(&o.rate, "rate", o.rate, "events a second")
		set.IntVar(&o.probes, "probes", 100, "events a second that make an alert and are measured")
		set.DurationVar(&o.duration, "duration", o.duration, "how long is measured at a constant rate")
		set.DurationVar(&o.lead, "lead", o.lead, "how long the same goes on before that")
	}
	if s.name == latencyScenario {
		set.StringVar(&o.peer, "peer", "", "streams: measure the Kafka Streams program beside it (make kstreams)")
		each(&o.peerSet, "peer-set", "a setting of Kafka Streams, KEY=VALUE; can be repeated")
		list(&o.rates, "rates", "rates that all are measured at, by commas, in place of -rate and 25, 50 and 80 % of the\n"+
			"highest rate of each")
		set.IntVar(&o.max, "max", 0, "events a second that the job judges at most; 0: measured first, over -records events")
		set.IntVar(&o.peerMax, "peer-max", 0, "the same of the peer")
		set.BoolVar(&o.search, "search", true, "look for the highest constant rate that holds")
		set.DurationVar(&o.limit, "limit", 250*time.Millisecond, "what p99 may be at a rate that holds")
		set.IntVar(&o.from, "from", 10_000, "rate that the search begins at")
		set.Float64Var(&o.precision, "precision", 0.1, "how much more than what holds does not, at the end of the search")
		set.DurationVar(&o.step, "step", 30*time.Second, "how long each step of the search is measured, after -lead")
	}
}

func (o *options) check(s *scenario) error {
	if len(o.points) == 0 {
		o.points = s.points
	}
	if len(o.sizes) == 0 {
		o.sizes = sizes
	}
	switch len(o.latencyPoints) {
	case 0:
		o.latencyPoints = latencyPoints
	case 1:
		if o.latencyPoints[0] == "none" {
			o.latencyPoints = nil
		}
	}
	switch {
	case o.rounds < 1 || o.partitions < 1 || o.principals < 1 || o.records < 1:
		return errors.New("-rounds, -partitions, -principals and -records must be positive")
	case o.before < 0 || o.warm < 0:
		return errors.New("-before and -warm must not be negative")
	case o.peer != "" && o.peer != throughput.Streams:
		return fmt.Errorf("-peer %q: only streams is known", o.peer)
	case s.name == latencyScenario && (o.precision < 0.01 || o.from < leastRate):
		return fmt.Errorf("-precision: at least 0.01; -from: at least %d", leastRate)
	}
	for _, list := range [][]string{o.points, o.sizes, o.latencyPoints, o.rates} {
		if _, err := numbers(list); err != nil {
			return err
		}
	}
	return nil
}

// numbers reads positive whole numbers, ascending.
func numbers(list []string) (n []int, err error) {
	for _, text := range list {
		v, err := strconv.Atoi(strings.TrimSpace(text))
		if err != nil || v <= 0 {
			return nil, fmt.Errorf("%q is no positive whole number", text)
		}
		n = append(n, v)
	}
	slices.Sort(n)
	return slices.Compact(n), nil
}

// must is numbers of a list that was checked.
func must(list []string) []int {
	n, _ := numbers(list)
	return n
}

// recorded are the settings that influence the figures, and what a scenario adds. Addresses and folders say nothing to
// others.
func (o *options) recorded(more map[string]int) map[string]string {
	broker := o.kafka
	if o.brokers != "" {
		broker = "running cluster"
	}
	settings := map[string]string{"kafka": broker, "seed": fmt.Sprint(o.seed)}
	for name, v := range map[string]int{"principals": o.principals, "partitions": o.partitions,
		"job-workers": o.jobWorkers} {
		settings[name] = fmt.Sprint(v)
	}
	for name, v := range more {
		settings[name] = fmt.Sprint(v)
	}
	if o.rest > 0 {
		settings["rest"] = o.rest.String()
	}
	run.ShowSettings(settings, "set", o.set)
	run.ShowSettings(settings, "peer-set", o.peerSet)
	return settings
}

// notes are what a reader of any result must know.
func (o *options) notes() (notes []string) {
	if o.bin != "" {
		notes = append(notes, "job is a program given by its path, and need not be of this commit.")
	}
	if o.peer != "" {
		notes = append(notes, "Kafka Streams does a reduced job: no de-duplication, lateness, evidence, episodes.")
	}
	return notes
}

// newResult is what all results begin with.
func (o *options) newResult(scenario string, settings map[string]int) *report.Result {
	return &report.Result{Version: report.Version, Scenario: scenario, Date: o.began, Commit: o.commit, Dirty: o.dirty,
		Machine: machine(), Settings: o.recorded(settings), Notes: o.notes()}
}
