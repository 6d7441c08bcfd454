package soak

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"testing"

	"tocsin/processor/processortest/program"
)

// built is the path of the built program.
var built string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	if os.Getenv("TOCSIN_SOAK") == "" {
		return m.Run()
	}
	dir, err := os.MkdirTemp("", "tocsin-soak-")
	if err == nil {
		defer func() { _ = os.RemoveAll(dir) }() // only the program is left behind
		built, err = program.Build(context.Background(), dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// onlyWhenAsked skips what takes minutes of a whole machine.
func onlyWhenAsked(t *testing.T) {
	t.Helper()
	if os.Getenv("TOCSIN_SOAK") == "" {
		t.Skip("`make soak` runs it")
	}
}

// number reads an option from the environment.
func number(t *testing.T, name string, otherwise int) int {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		t.Fatalf("%s: %q is no number", name, text)
	}
	return n
}
