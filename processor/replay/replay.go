package replay

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"runtime"
	"slices"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"tocsin/processor"
	"tocsin/processor/engine"
	"tocsin/state"
	"tocsin/state/window"
	"tocsin/topics"
	"tocsin/topics/readlog"
)

// DefaultApplyEvery is the default of Config.ApplyEvery.
const DefaultApplyEvery = 20_000

// Config says what is replayed, with what, and where to.
type Config struct {
	Kafka    []kgo.Opt // seed brokers, TLS, SASL
	Topic    string
	From, To Bound
	// Partitions limits the replay to some; empty is all.
	Partitions []int32
	Engine     *engine.Engine
	// Dir takes the state. It must be empty or absent. It lies in FS; nil is the operating system's.
	Dir string
	FS  vfs.FS
	// Alerts takes one line of JSON per alert revision; nil: they are only counted.
	Alerts io.Writer
	// ApplyEvery is the number of records after which the state is written, which bounds the memory. It changes no
	// result.
	ApplyEvery int
	// StallAfter is how long nothing may come before the replay gives up. Default 1 min.
	StallAfter time.Duration
	Now        func() time.Time // only for the state store's book-keeping; default time.Now
	Log        *slog.Logger     // of the state store
	// Progress is called now and then; may be nil.
	Progress func(Progress)
}

// Progress is how far a replay has come.
type Progress struct {
	Partition   int32
	Next, Until int64 // offsets of the partition
	Records     int64 // judged so far, of all partitions
	Left        int64 // offsets left, of all partitions
}

// Result is what a replay found.
type Result struct {
	Partitions []PartitionResult
	Records    int64
	Alerts     int64 // revisions
	Counts     topics.Counts
}

// PartitionResult is what a replay found in one partition.
type PartitionResult struct {
	Partition  int32
	From, To   int64 // offsets replayed: [From, To)
	Records    int64
	Alerts     int64
	Counts     topics.Counts
	RecordTime int64        // of the end, Unix ns
	Digest     state.Digest // over the keys that are live at RecordTime
}

// Run replays until done or ctx ends.
func Run(ctx context.Context, c Config) (Result, error) {
	if c.Engine == nil || c.Topic == "" || c.Dir == "" || len(c.Kafka) == 0 {
		return Result{}, errors.New("replay: Engine, Topic, Dir and Kafka must be set")
	}
	if c.ApplyEvery <= 0 {
		c.ApplyEvery = DefaultApplyEvery
	}
	if c.StallAfter <= 0 {
		c.StallAfter = time.Minute
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Alerts == nil {
		c.Alerts = io.Discard
	}
	cl, err := kgo.NewClient(c.Kafka...)
	if err != nil {
		return Result{}, fmt.Errorf("replay: make a client: %w", err)
	}
	defer cl.Close()
	r := &replay{Config: c, adm: kadm.NewClient(cl), alerts: bufio.NewWriterSize(c.Alerts, 64<<10)}
	if err := r.open(ctx); err != nil {
		return Result{}, fmt.Errorf("replay: %w", err)
	}
	err = r.all(ctx)
	err = errors.Join(err, r.alerts.Flush(), r.store.Close())
	if err != nil {
		return r.result, fmt.Errorf("replay: %w", err)
	}
	return r.result, nil
}

// replay is one run.
type replay struct {
	Config

	adm       *kadm.Client
	store     *state.Store
	topicID   [16]byte
	count     int32 // partitions of the topic
	stretches map[int32]readlog.Range
	alerts    *bufio.Writer
	preparer  processor.Preparer
	left      int64
	result    Result
}

func (r *replay) open(ctx context.Context) error {
	listed, err := r.adm.ListTopics(ctx, r.Topic)
	if err != nil {
		return fmt.Errorf("describe topic %s: %w", r.Topic, err)
	}
	t := listed[r.Topic]
	if t.Err != nil {
		return fmt.Errorf("describe topic %s: %w", r.Topic, t.Err)
	}
	r.topicID, r.count = t.ID, int32(len(t.Partitions))
	if r.stretches, err = resolve(ctx, r.adm, r.Topic, r.From, r.To); err != nil {
		return err
	}
	if len(r.Partitions) > 0 {
		maps.DeleteFunc(r.stretches, func(p int32, _ readlog.Range) bool { return !slices.Contains(r.Partitions, p) })
	}
	for _, s := range r.stretches {
		r.left += s.To - s.From
	}
	r.store, err = state.Open(state.Config{FS: r.FS, Dir: r.Dir, HeadIndex: window.HeadIndex, Now: r.Now, Log: r.Log})
	if err != nil {
		return err
	}
	there, err := r.store.Partitions()
	if err == nil && len(there) > 0 {
		err = fmt.Errorf("folder %s holds a state already: give an empty one", r.Dir)
	}
	if err != nil {
		return errors.Join(err, r.store.Close())
	}
	return nil
}

func (r *replay) all(ctx context.Context) error {
	for _, id := range slices.Sorted(maps.Keys(r.stretches)) {
		p, err := r.partition(ctx, id)
		if err != nil {
			return fmt.Errorf("partition %d: %w", id, err)
		}
		r.result.Partitions = append(r.result.Partitions, p)
		r.result.Counts.Add(&p.Counts)
		r.result.Alerts += p.Alerts
	}
	return nil
}

// helpers is the number of goroutines that prepare records beside the one that judges them.
func helpers() int { return runtime.GOMAXPROCS(0) - 1 }
