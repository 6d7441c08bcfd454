package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
	"github.com/stretchr/testify/require"
)

// TestComplete holds what could stand at the cursor: the input is a command line, | the cursor.
func TestComplete(t *testing.T) {
	datadriven.RunTest(t, "testdata/complete.txt", func(t *testing.T, d *datadriven.TestData) string {
		t.Helper()
		line, ok := strings.CutSuffix(d.Input, "|")
		require.True(t, ok, "no cursor")
		words := strings.Split(line, " ")
		out, errs, code := call{args: append([]string{"complete", "--"}, words[1:]...)}.run(t.Context())
		require.Zero(t, code, errs)
		if lines := strings.Split(out, "\n"); d.HasArg("first") && len(lines) > 5 {
			out = strings.Join(lines[:5], "\n") + fmt.Sprintf("\n… %d more\n", len(lines)-6)
		}
		return strings.ReplaceAll(out, "\t", "  ")
	})
}

// TestSchemaIsPrinted: both schemas are JSON.
func TestSchemaIsPrinted(t *testing.T) {
	for _, what := range []string{"alerts", "config"} {
		out, errs, code := call{args: []string{what, "schema"}}.run(t.Context())
		require.Zero(t, code, errs)
		require.True(t, json.Valid([]byte(out)))
	}
}

// shellProgram makes a folder with a program tocsin, which is this test binary.
func shellProgram(t *testing.T) string {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	dir := t.TempDir()
	text := fmt.Sprintf("#!/bin/sh\n%s=1 exec '%s' \"$@\"\n", asProgram, self)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "tocsin"), []byte(text), 0o755))
	return dir
}

// shellCases are command lines up to the cursor, and what a shell offers there (all of it, or … and a part).
var shellCases = []struct{ line, want string }{
	{"tocsin al", "alerts"},
	{"tocsin alerts s", "show schema"},
	{"tocsin alerts ls --sev", "--severity"},
	{"tocsin alerts ls --severity HI", "HIGH"},
	{"tocsin alerts ls --state=cl", "closed"}, // --state=closed, of which bash wants what is behind the =
	{"tocsin --set log.le", "log.level="},
	{"tocsin ingest no-such-", ""},
	{"tocsin --config eve", "events.jsonl"},
	{"tocsin ingest --config=eve", "events.jsonl"},
}

func TestCompletionInBash(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("there is no bash here")
	}
	dir := shellProgram(t)
	for _, c := range shellCases {
		script := `source <(tocsin completion bash)
			COMP_LINE=$1 COMP_POINT=${#1}
			_tocsin && echo "${COMPREPLY[*]}"`
		require.Equal(t, c.want, inShell(t, dir, bash, "-c", script, "bash", c.line), c.line)
	}
}

func TestCompletionInFish(t *testing.T) {
	fish, err := exec.LookPath("fish")
	if err != nil {
		t.Skip("there is no fish here")
	}
	dir := shellProgram(t)
	for _, c := range shellCases {
		out := inShell(t, dir, fish, "--no-config", "-c", "tocsin completion fish | source; complete -C "+`"`+c.line+`"`)
		var words []string
		for line := range strings.Lines(out) {
			word, _, _ := strings.Cut(strings.TrimSpace(line), "\t")
			if i := strings.LastIndex(word, "="); i >= 0 && i < len(word)-1 {
				word = word[i+1:]
			}
			words = append(words, word)
		}
		require.ElementsMatch(t, strings.Fields(c.want), words, c.line)
	}
}

// inShell runs a shell in a folder with a file events.jsonl, and gives what it prints.
func inShell(t *testing.T, dir, shell string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), shell, args...)
	cmd.Dir = t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(cmd.Dir, "events.jsonl"), nil, 0o600))
	cmd.Env = append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"), "HOME="+cmd.Dir)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	return strings.TrimSpace(string(out))
}
