package steady

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"tocsin/bench/run"
)

// Config says what is sent and to whom.
type Config struct {
	Streams bool   // measure the peer in place of the processor
	Bin     string // the tocsin program; empty: the processor in a process of this program

	Rate, Probes           int // a second: events, and those among them that are measured
	Partitions, Principals int
	Workers                int // of the processor; 0: its own choice
	Seed                   uint64
	Duration, Warm         time.Duration // what is measured, and how long the same goes on before that
	CloseAfter             time.Duration // how long a transaction is open
	Stall                  time.Duration // give up when no alert comes for this long after the last event
	Calm                   time.Duration // wait at most this long before the run for a machine that is idle
	Behind                 time.Duration // give up when events worth this time wait; 0: never
	Keep                   int64         // bytes of a partition that the topic keeps at least; 0: all

	File    string   // a configuration file of the processor; empty: none
	Set     []string // more settings of the processor
	PeerSet []string // more settings of the peer

	// Every is how often Sampled is told the resident size of the measured process, besides at the begin of the warm-up
	// and at the end.
	Every   time.Duration
	Sampled func(since time.Duration, rss int64)
}

// Limit is the longest run, warm-up included: the times of its events must fit into a day.
const Limit = 4 * time.Hour

// Check says what is wrong with the first thing that is.
func (c *Config) Check() error {
	switch {
	case c.Rate <= 0 || c.Partitions <= 0 || c.Principals <= 0:
		return errors.New("rate, partitions and principals must be positive")
	case c.Probes <= 0 || c.Rate/c.Probes < 3:
		return fmt.Errorf("%d probes: at least 1 a second, and at most a third of the rate (%d), for each takes three events",
			c.Probes, c.Rate)
	case c.Warm < 3*time.Second:
		return errors.New("warm-up: at least 3s, for a probe is led in over two")
	case c.Duration < time.Second || c.Warm+c.Duration > Limit:
		return fmt.Errorf("duration: at least 1s, and with the warm-up at most %s", Limit)
	}
	return nil
}

// childEnv tells a program that it is the process to be measured, and what it has to do.
const childEnv = "TOCSIN_LATENCY_CHILD"

// IsChild says whether this process is one to be measured.
func IsChild() bool { return os.Getenv(childEnv) != "" }

// Child runs the processor until ctx ends, where the environment says that this process is it; else it says false.
func Child(ctx context.Context) (bool, error) {
	var p run.Processor
	if is, err := run.ChildSettings(childEnv, &p); !is || err != nil {
		return is, err
	}
	return true, p.Run(ctx)
}
