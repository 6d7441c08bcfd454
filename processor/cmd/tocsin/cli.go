package main

import (
	"context"
	"errors"
	"io"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"tocsin/processor/app"
	"tocsin/processor/app/narrate"
	"tocsin/processor/app/settings"
)

// environment is what a command has of the world.
type environment struct {
	stdin                          io.Reader
	stdout, stderr                 io.Writer
	environ                        []string
	now                            func() time.Time
	stdoutTerminal, stderrTerminal bool
	columns                        int    // of the terminal; 0: not known
	program                        string // as it was called, for commands to paste

	global globals // as given on the command line
}

// globals are the flags of every command.
type globals struct {
	Config  string   `help:"Configuration file. Default: ${file}, if it is there." placeholder:"FILE" env:"TOCSIN_CONFIG"`
	Set     []string `help:"Set one setting, as in --set log.level=debug. Repeatable." placeholder:"KEY=VALUE" sep:"none"`
	Brokers string   `help:"Kafka brokers, host:port, separated by commas (kafka.brokers)." placeholder:"LIST"`
	Output  string   `help:"${output}" enum:"auto,table,json" default:"auto" short:"o"`
}

// commands is the command line.
type commands struct {
	globals

	Run        runCommand        `cmd:"" help:"Judge events and store alerts until stopped."`
	Demo       demoCommand       `cmd:"" help:"Start everything in one process, play planted attacks and show the alerts."`
	Ingest     ingestCommand     `cmd:"" help:"Write audit events from files to the input topic."`
	Replay     replayCommand     `cmd:"" help:"Judge a stretch of the input again, beside whatever runs."`
	Topics     topicsCommand     `cmd:"" help:"Create or check the topics."`
	Migrate    migrateCommand    `cmd:"" help:"Create or update the tables."`
	Alerts     alertsCommand     `cmd:"" help:"Look at alerts in the database."`
	Deadletter deadletterCommand `cmd:"" help:"Look at records that were set aside."`
	Offsets    offsetsCommand    `cmd:"" help:"Mend partitions whose state and committed offset do not agree."`
	State      stateCommand      `cmd:"" help:"Look at the state on disk."`
	Configure  configCommand     `cmd:"" name:"config" help:"Show or check the configuration."`
	Health     healthCommand     `cmd:"" help:"Ask the running process how it is. Exit code 1 when something is wrong."`
	Metrics    metricsCommand    `cmd:"" help:"Show the live numbers of all processes, from Redis."`
	Completion completionCommand `cmd:"" help:"Print a script that completes command lines in a shell."`
	Complete   completeCommand   `cmd:"" hidden:"" help:"What could stand at the cursor: asked by the completion scripts."`
	Version    versionCommand    `cmd:"" help:"Show the version."`
}

// exit is how kong ends the program after --help: as a panic, so that nothing below it runs.
type exit int

// execute runs one command line and returns the exit code.
func execute(ctx context.Context, args []string, env environment) (code int) {
	defer func() {
		switch v := recover().(type) {
		case nil:
		case exit:
			code = int(v)
		default:
			panic(v)
		}
	}()
	var cli commands
	parser, err := kong.New(&cli, kong.Name("tocsin"),
		kong.Description("Judges audit events from Kafka exactly once and stores alerts that can be proven from the log."),
		kong.UsageOnError(), kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.Writers(env.stdout, env.stderr), kong.Exit(func(c int) { panic(exit(c)) }),
		kong.Vars{
			"file":   app.DefaultFile,
			"duties": app.DutyNames(),
			"output": "Form of the output: table, json (an object per line), or auto: a table on a terminal, else json.",
		},
		kong.BindTo(ctx, (*context.Context)(nil)))
	if err != nil {
		panic(err) // a fault of the program
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	line, err := parser.Parse(args)
	if err != nil {
		env.say("tocsin: %s\nSee tocsin --help.", err)
		return 2
	}
	env.global = cli.globals
	err = app.Explain(line.Run(&env))
	var usage *app.UsageError
	switch {
	case err == nil:
		return 0
	case errors.Is(err, app.ErrFindings):
		return 1
	case errors.As(err, &usage):
		env.say("tocsin: %s", escape(err.Error(), true))
		return 2
	case errors.Is(err, context.Canceled) && ctx.Err() != nil:
		env.say("tocsin: interrupted")
		return 1
	}
	env.say("tocsin: %s", escape(err.Error(), true))
	return 1
}

// reader says for whom text is: how wide the page is, and how commands are to be called so that they find the same
// configuration. Flags hold no secrets.
func (e *environment) reader(organization string) narrate.Options {
	look := e.look()
	o := narrate.Options{Width: look.width, Colour: look.colour, Program: e.program, Organization: organization}
	if e.global.Config != "" {
		o.Flags = append(o.Flags, "--config", e.global.Config)
	}
	if e.global.Brokers != "" {
		o.Flags = append(o.Flags, "--brokers", e.global.Brokers)
	}
	for _, s := range e.global.Set {
		o.Flags = append(o.Flags, "--set", s)
	}
	return o
}

// load reads the configuration.
func (e *environment) load() (*app.Loaded, error) {
	in := app.LoadInput{File: e.global.Config, Env: e.environ}
	if e.global.Brokers != "" {
		in.Flags = append(in.Flags, settings.Flag{Name: "--brokers", Path: "kafka.brokers", Value: e.global.Brokers})
	}
	for _, s := range e.global.Set {
		path, value, ok := strings.Cut(s, "=")
		if !ok {
			return nil, app.Usagef("--set %s: write KEY=VALUE, as in --set log.level=debug", s)
		}
		in.Flags = append(in.Flags, settings.Flag{Name: "--set", Path: path, Value: value})
	}
	l, err := app.Load(in)
	return l, app.Usage(err)
}
