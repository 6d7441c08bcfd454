package main

import (
	"flag"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"tocsin/bench/run"
)

// options are the command line. Each scenario defines those that it knows.
type options struct {
	scenario scenario

	brokers, bin, report string
	rounds, partitions   int
	seed                 uint64
	set                  []string
	patience, calm       time.Duration

	keys, rate int
	peer       string
	peerSet    []string
	under      time.Duration // load, before the kill
	sessions   []time.Duration
	records    int
	alerts     int
	duration   time.Duration
	settle     time.Duration

	began  time.Time
	commit string // of the checkout; empty: unknown
	dirty  bool   // the checkout differs from it
	asked  map[string]func() string
}

// define defines what all scenarios know.
func (o *options) define(f *flag.FlagSet) {
	f.StringVar(&o.brokers, "brokers", "", "a running cluster, host:port; empty: a real Kafka of its own")
	f.StringVar(&o.bin, "bin", "", "the tocsin program to measure; empty: it is built from the checkout")
	f.StringVar(&o.report, "report", "", "write the results into this folder, as JSON and as pages to look at")
	f.IntVar(&o.rounds, "rounds", 3, "how often each is measured, in turn")
	f.IntVar(&o.partitions, "partitions", 8, "partitions of the input")
	f.Uint64Var(&o.seed, "seed", 1, "seed of the events")
	f.DurationVar(&o.patience, "patience", 10*time.Minute, "give up on anything that takes longer than this")
	f.DurationVar(&o.calm, "calm", 20*time.Second, "wait at most this long before each start for a machine that is idle")
	list(f, &o.set, "set", "a setting of the program, KEY=VALUE; can be repeated")
	o.record("rounds", func() string { return fmt.Sprint(o.rounds) })
	o.record("partitions", func() string { return fmt.Sprint(o.partitions) })
}

// list defines a flag that can be repeated.
func list(f *flag.FlagSet, to *[]string, name, usage string) {
	f.Func(name, usage, func(s string) error {
		*to = append(*to, s)
		return nil
	})
}

// record makes something part of the settings that a result states.
func (o *options) record(name string, value func() string) {
	if o.asked == nil {
		o.asked = map[string]func() string{}
	}
	o.asked[name] = value
}

// withKeys defines the size of a state and the load on it.
func (o *options) withKeys(f *flag.FlagSet, rate int) {
	f.IntVar(&o.keys, "keys", 1_000_000, "keys that have a state")
	f.IntVar(&o.rate, "rate", rate, "events a second where there is load")
	o.record("keys", func() string { return fmt.Sprint(o.keys) })
	o.record("rate", func() string { return fmt.Sprint(o.rate) })
	o.record("seed", func() string { return fmt.Sprint(o.seed) })
}

func (o *options) check() error {
	switch {
	case o.rounds < 1 || o.partitions < 1:
		return fmt.Errorf("%w: -rounds and -partitions must be positive", errUsage)
	case o.peer != "" && o.peer != kindStreams:
		return fmt.Errorf("%w: -peer %q: only %s is known", errUsage, o.peer, kindStreams)
	case o.asked["keys"] != nil && (o.keys < 1 || o.rate < 1):
		return fmt.Errorf("%w: -keys and -rate must be positive", errUsage)
	case slices.ContainsFunc(o.sessions, func(d time.Duration) bool { return d < 6*time.Second }):
		return fmt.Errorf("%w: -session: at least 6s, the least that brokers allow", errUsage)
	case o.asked["alerts"] != nil && o.alerts < 1:
		return fmt.Errorf("%w: -alerts must be positive", errUsage)
	case o.asked["records"] != nil && o.records < coldRecords:
		return fmt.Errorf("%w: -records: at least %d, so that there is something to alert about", errUsage, coldRecords)
	case o.asked["duration"] != nil && o.duration < time.Second:
		return fmt.Errorf("%w: -duration: at least 1s", errUsage)
	}
	return nil
}

// recorded are the settings that influence the figures. Addresses and folders say nothing to others.
func (o *options) recorded() map[string]string {
	settings := map[string]string{"kafka": "real"}
	if o.brokers != "" {
		settings["kafka"] = "running cluster"
	}
	if o.bin != "" {
		settings["bin"] = filepath.Base(o.bin)
	}
	for name, value := range o.asked {
		settings[name] = value()
	}
	run.ShowSettings(settings, "set", o.set)
	run.ShowSettings(settings, "peer-set", o.peerSet)
	return settings
}
