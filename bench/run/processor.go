package run

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"runtime/pprof"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"tocsin/processor/app"
	appsettings "tocsin/processor/app/settings"
	"tocsin/topics"
	"tocsin/topics/provision"
)

// Processor is a processor to be measured: a new application, with state in a folder of its own.
type Processor struct {
	Brokers    []string
	App, Input string // application id and input topic
	Dir        string // for state
	Key        string // HMAC key of the events; it goes by the environment
	Workers    int    // 0: the product's own choice
	CloseAfter time.Duration
	Profile    string   // a file for a CPU profile; empty: none
	File       string   // a configuration file, which weighs less than all else; empty: none
	Set        []string // more settings, KEY=VALUE
	Roles      []string // of the program bin; none: the processor's alone; [AllRoles]
}

// Alerts is the topic that it writes alerts to.
func (p *Processor) Alerts() string { return p.App + "-alerts" }

// DeadLetters is the topic for what it sets aside.
func (p *Processor) DeadLetters() string { return p.App + "-deadletter" }

// Changelog is the topic that its state is restored from.
func (p *Processor) Changelog() string { return p.App + "-window-changelog" }

// Flags are its settings, as the command line of tocsin takes them.
func (p *Processor) Flags() []string {
	f := []string{
		"app.id=" + p.App, "app.instance=load", "app.data_dir=" + p.Dir, "kafka.brokers=" + strings.Join(p.Brokers, ","),
		"kafka.replication_factor=1", "kafka.min_insync_replicas=1",
		"topics.input=" + p.Input, "topics.alerts=" + p.Alerts(), "topics.deadletter=" + p.DeadLetters(),
		"input.trust_create_time=true", "input.ticks=true", "http.listen=", "log.level=warn",
		fmt.Sprintf("processor.workers=%d", p.Workers), "processor.transaction_time=" + p.CloseAfter.String(),
	}
	return append(f, p.Set...)
}

// AllRoles stands for every role that the program has.
const AllRoles = "all"

// Roles are the topics that a processor needs beside its input.
var Roles = []topics.Role{topics.RoleAlerts, topics.RoleDeadLetter, topics.RoleChangelog, topics.RoleSeals}

// MakeTopics makes those of the topics that are asked for, and returns when clients see them.
func (p *Processor) MakeTopics(ctx context.Context, adm *kadm.Client, roles ...topics.Role) error {
	input, largest, err := provision.Input(ctx, adm, p.Input)
	if err != nil {
		return err
	}
	specs, err := topics.Specs(topics.SpecConfig{App: p.App,
		Names:           topics.Names{Input: p.Input, Alerts: p.Alerts(), DeadLetter: p.DeadLetters()},
		InputPartitions: input.Partitions, ReplicationFactor: 1, MinISR: 1, InputMaxMessageBytes: largest,
		TrustCreateTime: true})
	if err != nil {
		return err
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

// Command is the processor as a process: the program bin, or this program again where bin is empty, which child, an
// entry NAME=VALUE of its environment, tells what it is. That child calls [Processor.Run].
func (p *Processor) Command(ctx context.Context, bin, child string) (*exec.Cmd, error) {
	env := append(os.Environ(), "TOCSIN_VERIFY__HMAC_SECRET="+p.Key)
	var args []string
	if bin != "" {
		args = append(args, "run")
		switch {
		case len(p.Roles) == 0:
			args = append(args, "--roles", "processor")
		case p.Roles[0] != AllRoles:
			args = append(args, "--roles", strings.Join(p.Roles, ","))
		}
		if p.File != "" {
			args = append(args, "--config", p.File)
		}
		for _, f := range p.Flags() {
			args = append(args, "--set", f)
		}
	} else {
		var err error
		if bin, err = os.Executable(); err != nil {
			return nil, err
		}
		env = append(env, child)
	}
	// Ended by a signal and not by a context: it must drain, so that its usage is that of a whole run.
	cmd := exec.CommandContext(context.WithoutCancel(ctx), bin, args...) //nolint:gosec // G204: to run it is the purpose
	cmd.Env, cmd.Stdout, cmd.Stderr = env, os.Stderr, os.Stderr
	return cmd, nil
}

// Run runs the processor in this process until ctx ends. The key must be in the environment, as Command puts it.
func (p *Processor) Run(ctx context.Context) error {
	in := app.LoadInput{File: p.File, Env: os.Environ()}
	for _, f := range p.Flags() {
		path, value, _ := strings.Cut(f, "=")
		in.Flags = append(in.Flags, appsettings.Flag{Name: "load", Path: path, Value: value})
	}
	config, err := app.Load(in)
	if err != nil {
		return err
	}
	if p.Profile != "" {
		file, err := os.Create(p.Profile)
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
