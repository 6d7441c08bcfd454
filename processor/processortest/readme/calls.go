package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"

	"tocsin/processor/processortest/program"
)

// calls asks the program for help with each call that a page names outside its blocks of shell: commands and flags
// that do not exist are refused. Pages with commands in indented blocks say why these are not run.
func (s *session) calls(ctx context.Context) error {
	path, err := program.Build(ctx, filepath.Join(s.c.scratch, "calls"))
	if err != nil {
		return err
	}
	fmt.Println("\ncommands that are shown and not run")
	for _, p := range s.parsed {
		for _, call := range p.commands {
			var said bytes.Buffer
			cmd := exec.CommandContext(ctx, path, append(call.args, "--help")...)
			cmd.Env, cmd.Stderr = s.c.env, &said
			if err := cmd.Run(); err != nil {
				s.fault(p, call.line, fmt.Errorf("tocsin %s: %w: %s", strings.Join(call.args, " "), err, said.String()))
				continue
			}
			s.named++
		}
		if p.typed == 0 {
			continue
		}
		s.skipped += p.typed
		fmt.Printf("  %s: %d: %s\n", p.name, p.typed, p.indented)
		if p.indented == "" {
			s.faults = append(s.faults, fmt.Errorf("%s: %w", p.name, errNoReason))
		}
	}
	return nil
}

var errNoReason = errors.New("it shows commands in indented blocks and does not say why they are not run: fence " +
	"them as sh, or say it in a comment, <!-- indented: reason -->")
