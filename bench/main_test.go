package main

import (
	"bytes"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRun(t *testing.T) {
	file := filepath.Join("report", "testdata", "throughput.json")
	var out bytes.Buffer
	require.NoError(t, run([]string{"compare", file, file}, &out))
	require.Contains(t, out.String(), "too few runs to tell")
	out.Reset()
	require.NoError(t, run([]string{"show", file, file}, &out))
	require.Contains(t, out.String(), "job/bare")
	for _, args := range [][]string{nil, {"compare"}, {"compare", file}, {"show"}, {"else", file}} {
		require.ErrorIs(t, run(args, &out), errUsage, args)
	}
	require.ErrorContains(t, run([]string{"show", "absent.json"}, &out), "absent.json")
	require.ErrorContains(t, run([]string{"compare", file, "main.go"}, &out), "main.go: read result")
	other := filepath.Join("report", "testdata", "latency.json")
	require.ErrorContains(t, run([]string{"compare", file, other}, &out), "A is of scenario throughput")
}
