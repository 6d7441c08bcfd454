package main

import (
	"tocsin/processor/app"
)

type configCommand struct {
	Print  configPrintCommand  `cmd:"" help:"Show every setting and where it came from, secrets masked."`
	Check  configCheckCommand  `cmd:"" help:"Check the configuration. Exit code 2 when something is wrong."`
	Schema configSchemaCommand `cmd:"" help:"Print the JSON Schema of the configuration file, for editors."`
}

type configPrintCommand struct {
	Changed bool `help:"Only what differs from the defaults."`
}

// Run lists the settings.
func (c configPrintCommand) Run(env *environment) error {
	l, err := env.load()
	if err != nil {
		return err
	}
	out := env.list("key", "value", "from")
	for _, s := range l.List() {
		if c.Changed && s.Source.IsDefault() {
			continue
		}
		out.row(s.Path, s.Value, s.Source.String())
	}
	notes(env, l)
	return out.end()
}

type configCheckCommand struct{}

// Run says what is wrong, or that nothing is.
func (configCheckCommand) Run(env *environment) error {
	l, err := env.load()
	if err != nil {
		return err
	}
	notes(env, l)
	file := l.File
	if file == "" {
		file = "no file"
	}
	env.say("the configuration is right (%s)", file)
	return nil
}

type configSchemaCommand struct{}

// Run prints the schema.
func (configSchemaCommand) Run(env *environment) error { return env.print(app.ConfigSchema()) }

// notes writes what the user should know.
func notes(env *environment, l *app.Loaded) {
	for _, n := range l.Notes {
		env.say("note: %s", n)
	}
}
