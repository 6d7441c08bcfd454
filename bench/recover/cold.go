package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"tocsin/bench/generate"
	"tocsin/bench/produce"
	"tocsin/bench/report"
	"tocsin/bench/run"
)

// coldRecords is the least that has planted attacks in it.
const coldRecords = 5000

func coldFlags(f *flag.FlagSet, o *options) {
	f.IntVar(&o.records, "records", 100_000, "events in the topic")
	o.record("records", func() string { return fmt.Sprint(o.records) })
	o.record("seed", func() string { return fmt.Sprint(o.seed) })
}

// measureCold starts a process of a new application for each round, on a topic with events.
func measureCold(ctx context.Context, w *world) ([]*table, error) {
	t := &table{name: "cold", metrics: append([]report.Metric{
		headline(seconds("first alert")), seconds("first event"), seconds("ready"),
		{Name: "CPU", Unit: "s", Better: report.Lower, Drifts: true}, lower("peak RSS", "MiB"),
	}, disturbance()...), notes: []string{"Times are from the start of a process without state, on topics that exist. " +
		"First event: the first offset is committed. First alert: a read-committed consumer has it. CPU is until then."}}
	g, err := generate.New(w.coldConfig())
	if err != nil {
		return nil, err
	}
	input := w.name + "-events"
	if err := produce.CreateTopic(ctx, w.reach(), input, int32(w.partitions)); err != nil {
		return nil, err
	}
	if _, err := produce.Stream(ctx, g, produce.Config{Kafka: w.reach(), Topic: input, To: g.Records(),
		Partitions: int32(w.partitions)}); err != nil {
		return nil, err
	}
	for round := range w.rounds {
		v, err := w.coldStart(ctx, fmt.Sprintf("%s-%d", w.name, round), input)
		if err != nil {
			return []*table{t}, err
		}
		t.samples = append(t.samples, report.Sample{Kind: kindJob, Round: round, Values: v})
	}
	return []*table{t}, nil
}

func (w *world) coldConfig() generate.Config {
	cfg := generate.Default(w.records)
	cfg.Seed = w.seed
	return cfg
}

// coldStart measures the first life of an application, and stops it.
func (w *world) coldStart(ctx context.Context, app, input string) (values, error) {
	n, err := w.newNode(ctx, kindJob, app, input, "one")
	if err != nil {
		return nil, err
	}
	if err := n.MakeTopics(ctx, w.adm, run.Roles...); err != nil {
		return nil, fmt.Errorf("make topics: %w", err)
	}
	reader, err := kgo.NewClient(append(w.reach(), kgo.ConsumeTopics(n.Alerts()),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchIsolationLevel(kgo.ReadCommitted()))...)
	if err != nil {
		return nil, err
	}
	defer reader.Close()
	run.Calm(ctx, w.calm)
	then := w.usage()
	if err := n.start(ctx); err != nil {
		return nil, err
	}
	v, started := values{}, n.proc.Started
	var alert, ready, event time.Time
	group, both := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		alert, err = firstAlert(both, reader)
		return err
	})
	group.Go(func() error {
		return w.until(both, "the process is at work", often, func() (bool, error) {
			if ready.IsZero() {
				if _, ok, err := n.running(both); err == nil && ok {
					ready = time.Now()
				}
			}
			if event.IsZero() {
				if at, err := w.committed(both, app, input); err == nil && total(at) > 0 {
					event = time.Now()
				}
			}
			return !ready.IsZero() && !event.IsZero(), nil
		})
	})
	if err := group.Wait(); err != nil {
		return nil, err
	}
	used := n.cpu()
	v.disturbed(then, w.usage(), used)
	v["CPU"], v["peak RSS"] = used.Seconds(), n.peak()
	v.since("first alert", started, alert)
	v.since("first event", started, event)
	v.since("ready", started, ready)
	w.say("%s: the first alert is there after %.2f s", app, v["first alert"])
	return v, n.stop()
}

// firstAlert is when the first alert of a topic was read.
func firstAlert(ctx context.Context, cl *kgo.Client) (time.Time, error) {
	for {
		fetches := cl.PollFetches(ctx)
		at := time.Now()
		if err := fetches.Err(); err != nil {
			return at, fmt.Errorf("read the alerts: %w", err)
		}
		for it := fetches.RecordIter(); !it.Done(); {
			var alert struct {
				ID       string `json:"id"`
				Revision int    `json:"revision"`
			}
			if err := json.Unmarshal(it.Next().Value, &alert); err != nil || alert.ID == "" || alert.Revision < 1 {
				return at, errors.Join(errors.New("the first record of the alerts is none"), err)
			}
			return at, nil
		}
	}
}
