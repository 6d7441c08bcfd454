package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tocsin/processor/processortest/pgtest"
	"tocsin/processor/processortest/program"
)

// TestFirstEvents takes the walk of deploy/docs/first-events.md as its reader does: the built program, a shell, the blocks
// of the page one after the other, in an empty folder.
func TestFirstEvents(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "..", "deploy", "docs", "first-events.md"))
	require.NoError(t, err)
	dir := pgtest.TempDir(t)
	_, err = program.Build(t.Context(), filepath.Join(dir, "bin"))
	require.NoError(t, err)
	kafka, admin := freeAddress(t), freeAddress(t)
	script := "set -euo pipefail\n"
	for _, m := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllSubmatch(page, -1) {
		script += string(m[1])
	}
	// Whoever reads the page has the ports; a test does not.
	script = strings.Replace(script, "run --embedded", "run --embedded --set embedded.kafka_port="+
		kafka[strings.LastIndex(kafka, ":")+1:]+" --set http.listen="+admin, 1)
	script = strings.Replace(script, "tocsin health", "tocsin health --address "+admin, 1)

	var out, errs bytes.Buffer
	cmd := exec.CommandContext(t.Context(), "bash", "-c", script)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &out, &errs
	cmd.Env = append(os.Environ(), "HOME="+dir, "COLUMNS=100")
	cmd.WaitDelay = 30 * time.Second
	began := time.Now()
	err = cmd.Run()
	log, _ := os.ReadFile(filepath.Join(dir, "tocsin.log"))
	require.NoError(t, err, "%s\n%s\n%s", out.String(), errs.String(), log)
	t.Logf("the walk took %s:\n%s", time.Since(began).Round(100*time.Millisecond), out.String())
	for _, want := range []string{
		`"accepted":5`, `"dead_bad_timestamp":1`,
		"Burst of failed logins: mallory of my-clinic, 5 events",
		"Principal mallory of organisation my-clinic failed to log in 5 times",
		"bin/tocsin --config data/embedded/client.yaml alerts show -o json ",
		"bad_timestamp", "How to mend it", "Write the timestamp as RFC 3339",
	} {
		require.Contains(t, out.String(), want)
	}
	require.Contains(t, string(log), "stopping", "it was stopped, not killed")
}
