package main

import (
	"context"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"tocsin/bench/run"
	"tocsin/topics"
)

// processor is the job; of the peer it has the names of the topics.
func (s *settings) processor() *run.Processor {
	return &run.Processor{Brokers: s.Brokers, App: s.App, Input: s.Input, Dir: s.Dir, Key: s.Key, Workers: s.JobWorkers,
		CloseAfter: s.CloseAfter, Profile: s.Profile, Set: s.Set}
}

func (s *settings) alerts() string      { return s.processor().Alerts() }
func (s *settings) deadLetters() string { return s.processor().DeadLetters() }

// makeTopics makes the topics that a run of the job or of the peer writes to.
func (s *settings) makeTopics(ctx context.Context, adm *kadm.Client) error {
	roles := []topics.Role{topics.RoleAlerts, topics.RoleDeadLetter}
	if s.Kind == "job" { // the peer makes its changelog itself
		roles = run.Roles
	}
	return s.processor().MakeTopics(ctx, adm, roles...)
}

// reach is how the cluster is reached.
func reach(brokers []string) []kgo.Opt { return run.Reach(brokers) }
