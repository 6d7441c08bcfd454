package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"tocsin/processor/processortest/program"
)

// TestPatchesApply: every patch still fits the code, and changes it.
func TestPatchesApply(t *testing.T) {
	root, err := program.Root()
	require.NoError(t, err)
	all, err := load("testdata")
	require.NoError(t, err)
	require.NotEmpty(t, all)
	for _, m := range all {
		texts, err := m.apply(root)
		require.NoError(t, err)
		for path, text := range texts {
			b, err := os.ReadFile(filepath.Join(root, path))
			require.NoError(t, err)
			require.NotEqual(t, string(b), text, m.name)
		}
	}
}

func TestHunks(t *testing.T) {
	lines := []string{"func a() {", "\tx()", "}", "func b() {", "\tx()", "\ty()", "}"}
	got, err := (&hunk{behind: "func b", old: []string{"\tx()"}, new: []string{"\tz()", "\tw()"}}).apply(lines)
	require.NoError(t, err)
	require.Equal(t, []string{"func a() {", "\tx()", "}", "func b() {", "\tz()", "\tw()", "\ty()", "}"}, got)
	_, err = (&hunk{old: []string{"\tx()"}}).apply(lines)
	require.ErrorContains(t, err, "lines 2 and 5")
	_, err = (&hunk{behind: "func a", old: []string{"\ty()"}}).apply(lines)
	require.ErrorContains(t, err, "does not apply")
	_, err = (&hunk{behind: "func c", old: []string{"\ty()"}}).apply(lines)
	require.ErrorContains(t, err, "not there")
	_, err = parse("x", "breaks: a\ntest: ./p\n")
	require.ErrorContains(t, err, "line 2")
	_, err = parse("x", "breaks: a\ntest: ./p T\nsees: b\n")
	require.ErrorContains(t, err, "are needed")
}

func TestFailures(t *testing.T) {
	require.Equal(t, []string{"TestA/b", "TestC"}, failures("--- FAIL: TestA (0.1s)\n    --- FAIL: TestA/b (0.1s)\n--- FAIL: TestC (1s)\n"))
	require.Equal(t, "^(TestA)$/^(b|c)$", anchored("TestA/b|c"))
}
