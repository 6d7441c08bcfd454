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
		if *t.to, err = readlog.Bounds(ctx, adm, t.name); err != nil {
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
	groups, err := kadm.NewClient(cl).DescribeGroups(ctx, w.cfg.Group)
	if err != nil {
		return false, fmt.Errorf("describe group %s: %w", w.cfg.Group, err)
	}
	g := groups[w.cfg.Group]
	if errors.Is(g.Err, kerr.GroupAuthorizationFailed) {
		return false, fmt.Errorf("describe group %s: %w", w.cfg.Group, g.Err)
	}
	return g.Err == nil && len(g.Members) > 0, nil
}

// pollEvery is the pause between two looks at the group's offsets.
const pollEvery = 100 * time.Millisecond

// Wait returns when the group has committed past everything written. It waits as long as ctx allows.
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
	for {
		committed, err := Committed(ctx, cl, w.cfg.Group, w.cfg.Input)
		if err != nil {
			return err
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
			return fmt.Errorf("%d of %d records are not judged yet: %w", left, total, context.Cause(ctx))
		case <-tick.C:
		}
	}
}
