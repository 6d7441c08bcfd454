package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"runtime/pprof"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"tocsin/processor/app"
	appsettings "tocsin/processor/app/settings"
	"tocsin/topics"
	"tocsin/topics/provision"
)

// flags are the settings of the job, as its command line takes them.
func (s *settings) flags() []string {
	f := []string{
		"app.id=" + s.App, "app.instance=load", "app.data_dir=" + s.Dir, "kafka.brokers=" + strings.Join(s.Brokers, ","),
		"kafka.replication_factor=1", "kafka.min_insync_replicas=1",
		"topics.input=" + s.Input, "topics.alerts=" + s.alerts(), "topics.deadletter=" + s.deadLetters(),
		"input.trust_create_time=true", "input.ticks=true", "http.listen=", "log.level=warn",
		fmt.Sprintf("processor.workers=%d", s.JobWorkers), "processor.transaction_time=" + s.CloseAfter.String(),
	}
	return append(f, s.Set...)
}

func (s *settings) alerts() string      { return s.App + "-alerts" }
func (s *settings) deadLetters() string { return s.App + "-deadletter" }

// makeTopics makes the topics that a run of the job or of the peer writes to.
func (s *settings) makeTopics(ctx context.Context, adm *kadm.Client) error {
	input, largest, err := provision.Input(ctx, adm, s.Input)
	if err != nil {
		return err
	}
	specs, err := topics.Specs(topics.SpecConfig{App: s.App,
		Names:           topics.Names{Input: s.Input, Alerts: s.alerts(), DeadLetter: s.deadLetters()},
		InputPartitions: input.Partitions, ReplicationFactor: 1, MinISR: 1, InputMaxMessageBytes: largest,
		TrustCreateTime: true})
	if err != nil {
		return err
	}
	roles := []topics.Role{topics.RoleAlerts, topics.RoleDeadLetter}
	if s.Kind == "job" { // the peer makes its changelog itself
		roles = append(roles, topics.RoleChangelog, topics.RoleSeals)
	}
	specs = provision.Only(specs, roles...)
	if _, err := provision.Create(ctx, adm, specs, false); err != nil {
		return err
	}
	// A new topic is known to the controller first and to a broker's clients a moment later.
	for wait := time.NewTicker(50 * time.Millisecond); ; {
		differences, err := provision.Check(ctx, adm, specs)
		if err != nil || len(differences) == 0 {
			wait.Stop()
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-wait.C:
		}
	}
}

// job runs the processor in this process until ctx ends.
func job(ctx context.Context, s settings) error {
	in := app.LoadInput{Env: os.Environ()}
	for _, f := range s.flags() {
		path, value, _ := strings.Cut(f, "=")
		in.Flags = append(in.Flags, appsettings.Flag{Name: "load", Path: path, Value: value})
	}
	config, err := app.Load(in)
	if err != nil {
		return err
	}
	if s.Profile != "" {
		file, err := os.Create(s.Profile)
		if err != nil {
			return err
		}
		if err := pprof.StartCPUProfile(file); err != nil {
			return err
		}
		defer func() {
			pprof.StopCPUProfile()
			_ = file.Close() // the profile is all that is lost
		}()
	}
	return app.Run(ctx, app.Options{Config: config, Roles: app.Roles{Processor: true}, Now: time.Now,
		Log: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))})
}

// reach is how the cluster is reached.
func reach(brokers []string) []kgo.Opt { return []kgo.Opt{kgo.SeedBrokers(brokers...)} }
