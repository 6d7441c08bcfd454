package ingest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"tocsin/topics/readlog"
)

// WatchConfig says where the processor's traces are.
type WatchConfig struct {
	Kafka      []kgo.Opt // seed brokers, TLS, SASL
	Group      string    // the processor's consumer group
	Input      string
	Changelog  string
	Seals      string
	DeadLetter string
	// Progress is called while waiting; nil for never.
	Progress func(Progress)
}

// Watch remembers how far the processor's topics were before a run, so that afterwards only what is new is read.
type Watch struct {
	cfg       WatchConfig
	changelog map[int32]readlog.Range
	seals     map[int32]readlog.Range
	dead      map[int32]readlog.Range
}

// NewWatch looks at the topics. It must be called before anything is written.
func NewWatch(ctx context.Context, cfg WatchConfig) (*Watch, error) {
	w := &Watch{cfg: cfg}
	cl, err := w.connect()
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	adm := kadm.NewClient(cl)
	// The seals topic first: a coverage record that belongs to a seal before the changelog's end may then be read and is
	// left out by its offsets, but none that comes after it is missed.
	for _, t := range []struct {
		name string
		to   *map[int32]readlog.Range
	}{{cfg.Seals, &w.seals}, {cfg.DeadLetter, &w.dead}, {cfg.Changelog, &w.changelog}} {
		if err := soon(ctx, func() error {
			*t.to, err = readlog.Bounds(ctx, adm, t.name)
			return err
		}); err != nil {
			return nil, err
		}
	}
	return w, nil
}

func (w *Watch) connect() (*kgo.Client, error) {
	cl, err := kgo.NewClient(w.cfg.Kafka...)
	if err != nil {
		return nil, fmt.Errorf("make a Kafka client: %w", err)
	}
	return cl, nil
}

// reader reads a topic.
func (w *Watch) reader(topic string) *readlog.Reader {
	return &readlog.Reader{Kafka: w.cfg.Kafka, Topic: topic}
}

// Running says whether a processor is there: whether its group has members.
func (w *Watch) Running(ctx context.Context) (bool, error) {
	cl, err := w.connect()
	if err != nil {
		return false, err
	}
	defer cl.Close()
	var running bool
	err = soon(ctx, func() error {
		groups, err := kadm.NewClient(cl).DescribeGroups(ctx, w.cfg.Group)
		if err != nil {
			return err
		}
		g := groups[w.cfg.Group]
		running = g.Err == nil && len(g.Members) > 0
		if errors.Is(g.Err, kerr.GroupIDNotFound) {
			return nil
		}
		return g.Err
	})
	if err != nil {
		return false, fmt.Errorf("describe group %s: %w", w.cfg.Group, err)
	}
	return running, nil
}

// soonWithin is how long a broker may take until it can say what it could not say at first.
const soonWithin = 10 * time.Second

// soon calls ask again while it fails with an error that passes: one of a broker that is busy with itself.
func soon(ctx context.Context, ask func() error) error {
	ctx, cancel := context.WithTimeout(ctx, soonWithin)
	defer cancel()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		err := ask()
		if err == nil || !kerr.IsRetriable(err) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-tick.C:
		}
	}
}

// pollEvery is the pause between two looks at the group's offsets.
const pollEvery = 100 * time.Millisecond

// Wait returns when the group has committed past everything written. It waits as long as ctx allows, and asks a broker
// again that cannot tell for a while.
func (w *Watch) Wait(ctx context.Context, written *Offsets) error {
	cl, err := w.connect()
	if err != nil {
		return err
	}
	defer cl.Close()
	var total int64
	for _, p := range written.Partitions() {
		total += written.Len(p)
	}
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	var committed map[int32]int64
	for {
		now, trouble := Committed(ctx, cl, w.cfg.Group, w.cfg.Input)
		switch {
		case trouble == nil:
			committed = now
		case !kerr.IsRetriable(trouble):
			return trouble
		}
		var left int64
		for _, p := range written.Partitions() {
			left += written.Beyond(p, committed[p])
		}
		if w.cfg.Progress != nil {
			w.cfg.Progress(Progress{Phase: "judging", Done: total - left, Total: total})
		}
		if left == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("%d of %d records are not judged yet: %w", left, total, context.Cause(ctx)), trouble)
		case <-tick.C:
		}
	}
}
