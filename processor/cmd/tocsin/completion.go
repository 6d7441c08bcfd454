package main

import (
	_ "embed" // the scripts

	"github.com/alecthomas/kong"
)

// The scripts only ask the program itself (the command complete) what could stand at the cursor, so that what they
// offer is always what this program understands.
var (
	//go:embed completion/tocsin.bash
	bashCompletion string
	//go:embed completion/tocsin.zsh
	zshCompletion string
	//go:embed completion/tocsin.fish
	fishCompletion string
)

type completionCommand struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"bash, zsh or fish."`
}

// Help is what `tocsin completion --help` adds.
func (completionCommand) Help() string {
	return "bash:  source <(tocsin completion bash)   in ~/.bashrc\n" +
		"zsh:   source <(tocsin completion zsh)    in ~/.zshrc, behind compinit\n" +
		"fish:  tocsin completion fish > ~/.config/fish/completions/tocsin.fish"
}

// Run prints a script for a shell.
func (c completionCommand) Run(env *environment) error {
	return env.print(map[string]string{"bash": bashCompletion, "zsh": zshCompletion, "fish": fishCompletion}[c.Shell])
}

type completeCommand struct {
	Words []string `arg:"" optional:"" passthrough:""`
}

// Run answers a script: a line for each candidate, the text and behind a tab what it is; a line :files where paths are
// to be offered. The words are those of the command line behind the program, up to the one at the cursor.
func (c completeCommand) Run(line *kong.Context, env *environment) error {
	words := c.Words
	if len(words) > 0 && words[0] == "--" {
		words = words[1:]
	}
	for _, s := range complete(line.Model.Node, words) {
		if err := env.print(s.line()); err != nil {
			return err
		}
	}
	return nil
}
