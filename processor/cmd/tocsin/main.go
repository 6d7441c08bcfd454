// Command tocsin judges audit events from Kafka and stores alerts in Postgres. One file per command; what commands do
// is in processor/app and the packages below it.
//
// Data go to standard output, a table on a terminal and one JSON object per line otherwise; everything else goes to
// standard error. The exit code is 0, or 1 for a failure or a finding, or 2 for a mistake in how it was called.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/mattn/go-isatty"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	// The first signal drains; from then on signals do what they always do, so that a second one ends the process.
	context.AfterFunc(ctx, stop)
	code := execute(ctx, os.Args[1:], environment{
		stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, environ: os.Environ(), now: time.Now,
		stdoutTerminal: isatty.IsTerminal(os.Stdout.Fd()), stderrTerminal: isatty.IsTerminal(os.Stderr.Fd()),
		columns: terminalWidth(os.Stdout), program: os.Args[0],
	})
	stop()
	os.Exit(code)
}
