package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// patience bounds a page, which takes a minute at most when nothing else goes on: loops that wait for a process that
// could not start have no end of their own.
const patience = 5 * time.Minute

// ranByCI are lines that a machine which runs this has run already.
var ranByCI = []struct {
	line   *regexp.Regexp
	reason string
}{
	{regexp.MustCompile(`(?m)^make test\b.*$`), "CI runs all tests itself, as a stage of its own"},
}

// ran is what became of a block.
type ran struct {
	began, ended bool
	printed      []byte
	took         time.Duration
}

// Blocks are told apart by a line that no program prints.
const (
	mark    = "\x1e"
	prelude = `set -euo pipefail
stty cols 100 rows 40 -onlcr
trap 'status=$?; trap - EXIT; kill $(jobs -p) 2>/dev/null || :; wait; exit $status' EXIT
`
)

// script is what bash is given for a page.
func script(p *page) string {
	var b strings.Builder
	b.WriteString(prelude)
	for i, block := range p.blocks {
		if block.reason != "" {
			continue
		}
		text := block.text
		for _, known := range ranByCI {
			text = known.line.ReplaceAllString(text, ":")
		}
		fmt.Fprintf(&b, "%sprintf '\\036%d\\036\\n'\n%s", block.given, i, text)
	}
	b.WriteString("printf '\\036end\\036\\n'\n")
	return b.String()
}

// walk runs a page's blocks in a shell, on a terminal as its readers have. The error is how the shell ended.
func walk(ctx context.Context, p *page, dir string, env []string) ([]ran, error) {
	results := make([]ran, len(p.blocks))
	path := filepath.Join(filepath.Dir(dir), "page.sh")
	if err := os.WriteFile(path, []byte(script(p)), 0o600); err != nil {
		return results, fmt.Errorf("write the shell's script: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	// script(1), a part of util-linux, gives it a terminal.
	cmd := exec.CommandContext(ctx, "script", "--quiet", "--return", "--flush", "--command", "bash "+path, os.DevNull)
	cmd.Dir, cmd.Env = dir, env
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = time.Minute
	out, err := cmd.StdoutPipe()
	if err != nil {
		return results, fmt.Errorf("make the shell's pipe: %w", err)
	}
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		return results, fmt.Errorf("start a shell on a terminal (script, of util-linux): %w", err)
	}
	finished, readErr := follow(out, results)
	err = cmd.Wait()
	switch {
	case err != nil:
		return results, fmt.Errorf("the shell ended: %w", errors.Join(err, ctx.Err()))
	case readErr != nil:
		return results, readErr
	case !finished:
		return results, errors.New("the shell ended before the page did")
	}
	return results, nil
}

// follow sorts what the shell prints by block, and says whether it came to the page's end.
func follow(out io.Reader, results []ran) (finished bool, err error) {
	var current *ran
	began := time.Now()
	r := bufio.NewReader(out)
	for {
		line, err := r.ReadString('\n')
		text, name, isMark := marked(line)
		if current != nil {
			current.printed = append(current.printed, text...)
			current.took = time.Since(began)
			current.ended = isMark
		}
		if isMark {
			current, began = nil, time.Now()
			if n, err := strconv.Atoi(name); err == nil && n < len(results) {
				current = &results[n]
				current.began = true
			}
			finished = name == "end"
		}
		if errors.Is(err, io.EOF) {
			return finished, nil
		}
		if err != nil {
			return finished, fmt.Errorf("read what the shell printed: %w", err)
		}
	}
}

// marked takes a mark, and what was printed before it without a line feed, out of a line.
func marked(line string) (before, name string, ok bool) {
	before, rest, found := strings.Cut(line, mark)
	if !found {
		return line, "", false
	}
	name, _, ok = strings.Cut(rest, mark)
	return before, name, ok
}
