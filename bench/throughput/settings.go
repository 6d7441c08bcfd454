package throughput

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"tocsin/bench/report"
	"tocsin/bench/run"
	"tocsin/topics"
)

// The kinds of what is measured.
const (
	Job     = "job"
	Bare    = report.Bare // the bare loop that decodes, verifies and commits
	Consume = "consume"   // the bare loop that looks at nothing
	Write   = "write"     // the one that verifies and writes a record for each key of a transaction
	Streams = "streams"   // the peer
)

// isBare tells the bare loops.
func isBare(kind string) bool { return kind == Bare || kind == Consume || kind == Write }

// Settings say what a process has to do. They go to it by the environment.
type Settings struct {
	Kind       string
	Brokers    []string
	App, Input string
	Dir        string // for state
	Key        string // HMAC key of the events
	Workers    int    // sessions of a bare loop
	JobWorkers int    // 0: the product's own choice
	CloseAfter time.Duration
	Profile    string   // a file for a CPU profile of the job; empty: none
	File       string   // a configuration file of the job; empty: none
	Set        []string // more settings of the job
	PeerSet    []string // more settings of the peer
	BrokerPID  int      // 0: not ours
}

// Processor is the job; of the peer it has the names of the topics.
func (s *Settings) Processor() *run.Processor {
	return &run.Processor{Brokers: s.Brokers, App: s.App, Input: s.Input, Dir: s.Dir, Key: s.Key, Workers: s.JobWorkers,
		CloseAfter: s.CloseAfter, Profile: s.Profile, File: s.File, Set: s.Set}
}

// makeTopics makes the topics that a run of the job or of the peer writes to.
func (s *Settings) makeTopics(ctx context.Context, adm *kadm.Client) error {
	var roles []topics.Role
	switch s.Kind {
	case Bare, Consume:
		return nil
	case Write:
		roles = []topics.Role{topics.RoleChangelog}
	case Streams: // makes its changelog itself
		roles = []topics.Role{topics.RoleAlerts, topics.RoleDeadLetter}
	default:
		roles = run.Roles
	}
	return s.Processor().MakeTopics(ctx, adm, roles...)
}

// childEnv tells a program that it is the process to be measured, and what it has to do.
const childEnv = "TOCSIN_LOAD_CHILD"

// command is the process to be measured.
func (s *Settings) command(ctx context.Context, bin string) (*exec.Cmd, error) {
	if s.Kind == Streams {
		return s.Processor().StreamsCommand(ctx, s.PeerSet)
	}
	if s.Kind != Job { // only the job is another program's too
		bin = ""
	}
	text, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	return s.Processor().Command(ctx, bin, childEnv+"="+string(text))
}

// IsChild says whether this process is one to be measured.
func IsChild() bool { return os.Getenv(childEnv) != "" }

// Child runs what is to be measured until ctx ends, where the environment says that this process is it; else it says
// false.
func Child(ctx context.Context) (bool, error) {
	var s Settings
	if is, err := run.ChildSettings(childEnv, &s); !is || err != nil {
		return is, err
	}
	if isBare(s.Kind) {
		return true, bare(ctx, &s)
	}
	return true, s.Processor().Run(ctx)
}
