package main

import (
	"flag"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestParse(t *testing.T) {
	for _, c := range []struct {
		args []string
		err  string
	}{
		{[]string{"restore", "-peer", "streams"}, ""},
		{[]string{"takeover", "-session", "6s", "-session", "1m"}, ""},
		{[]string{"idle"}, ""},
		{nil, "\n  takeover"},
		{[]string{"restored"}, "\n  cold"},
		{[]string{"restore", "100"}, `"100" is no flag`},
		{[]string{"restore", "-keys", "0"}, "-keys"},
		{[]string{"restore", "-rounds", "0"}, "-rounds"},
		{[]string{"restore", "-peer", "flink"}, "only streams"},
		{[]string{"takeover", "-session", "5s"}, "at least 6s"},
		{[]string{"takeover", "-session", "5"}, "-session"},
		{[]string{"cold", "-records", "10"}, "-records"},
		{[]string{"sink", "-alerts", "0"}, "-alerts"},
		{[]string{"idle", "-duration", "1ms"}, "-duration"},
		{[]string{"cold", "-keys", "7"}, "-keys"},
	} {
		if _, err := parse(c.args); c.err == "" {
			require.NoError(t, err, c.args)
		} else {
			require.ErrorIs(t, err, errUsage, c.args)
			require.ErrorContains(t, err, c.err, c.args)
		}
	}
	_, err := parse([]string{"sink", "-h"})
	require.ErrorIs(t, err, flag.ErrHelp)
}

func TestRecordedSettings(t *testing.T) {
	o, err := parse([]string{"restore", "-keys", "7", "-bin", "some/tocsin", "-set", "a.b=c", "-set", "x.password=y"})
	require.NoError(t, err)
	require.Equal(t, map[string]string{"kafka": "real", "keys": "7", "rate": "5000", "rounds": "3", "partitions": "8",
		"seed": "1", "bin": "tocsin", "set:a.b": "c", "set:x.password": "***"}, o.recorded())
}

func TestRestoredLines(t *testing.T) {
	log := []byte(`starting
{"time":"2026-03-02T10:00:01Z","level":"INFO","msg":"restored","partition":0,"mode":"full","records":5}
{"time":"2026-03-02T10:00:03Z","msg":"restored","partition":1,"mode":"full","from":0,"until":9,"records":100,"transactions":3,"took":"2s"}
{"time":"2026-03-02T10:00:04.5Z","msg":"restored","partition":2,"records":150,"took":"1000000000ns"}
{"time":"2026-03-02T10:00:05Z","msg":"stopping"}
`)
	lines := parseRestored(log, time.Date(2026, 3, 2, 10, 0, 2, 0, time.UTC))
	require.Len(t, lines, 2)
	sum := sumUp(lines)
	require.EqualValues(t, 250, sum.records)
	require.Equal(t, 3, sum.transactions)
	require.InDelta(t, 250/3.5, sum.rate(), 1e-9)
	err := checkModes(lines, []int32{1, 2, 3}, "full")
	require.ErrorContains(t, err, "partition 2: a  restore of 150 records")
	require.ErrorContains(t, err, "partition 3: the log says nothing")
	require.NoError(t, checkModes(lines[:1], []int32{1}, "full"))
}
