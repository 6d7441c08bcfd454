// Package endtoend runs the built program as its users do, in processes of its own, against a real Kafka broker (and
// the in-process one), with a real Postgres, and holds what it stores against the oracles and the recorded captures.
package endtoend

import (
	"context"
	"fmt"
	"os"
	"testing"

	"tocsin/processor/processortest/kafkatest"
	"tocsin/processor/processortest/pgtest"
	"tocsin/processor/processortest/program"
)

// built is the path of the built program.
var built string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "tocsin-endtoend-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }() // only the program is left behind
	if built, err = program.Build(context.Background(), dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return kafkatest.Wrap(pgtest.Wrap(m)).Run()
}

// long tells whether the runs have their full size (TOCSIN_LONG=1), not the short one of every build.
func long() bool { return os.Getenv("TOCSIN_LONG") != "" }
