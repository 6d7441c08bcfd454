package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"tocsin/bench/collect"
	"tocsin/bench/compare"
	"tocsin/bench/generate"
	"tocsin/bench/run"
	"tocsin/bench/throughput"
	"tocsin/processor/detect"
)

// check compares what a job has written with the oracle.
func check(ctx context.Context, g *generate.Generator, s throughput.Settings, partitions int32) error {
	want, err := g.Expect(g.Records(), partitions, true)
	if err != nil {
		return err
	}
	rules, err := detect.Compile(detect.Default())
	if err != nil {
		return err
	}
	alerts, err := collect.Alerts(ctx, run.Reach(s.Brokers), s.Processor().Alerts())
	if err != nil {
		return err
	}
	letters, err := collect.DeadLetters(ctx, run.Reach(s.Brokers), s.Processor().DeadLetters())
	if err != nil {
		return err
	}
	found := compare.Alerts(want, alerts, rules, compare.Options{})
	aside := compare.DeadLetters(want, letters)
	if err := errors.Join(found.Err(), aside.Err()); err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "as expected: %d alerts in %d revisions (%d alerts above the cap), %d dead letters\n",
		found.Alerts, found.Revisions, found.AboveCap, len(letters))
	return nil
}
