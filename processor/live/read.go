package live

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// reader reads the alerts topic for one [Counters.Run].
//
// One goroutine polls and counts. While Redis is away it stands still, and with it, once its buffer is full, the
// client: what waits, waits in the topic. The group's callbacks, on goroutines of the client, only add and remove
// positions.
type reader struct {
	*Counters
	client *kgo.Client
	kill   context.CancelFunc // ends all requests of the client
	adm    *kadm.Client
	ready  chan struct{} // closed once the two above are set: a client calls back before it is returned

	mu        sync.Mutex
	id        topicID         // of the topic, as of the last claim
	positions map[int32]int64 // next offset of each assigned partition
}

// fetchBytes bounds what is read ahead, and so what is kept in memory while Redis is away.
const fetchBytes = 4 << 20

func (c *Counters) newReader(ctx context.Context) (*reader, error) {
	living, kill := context.WithCancel(context.WithoutCancel(ctx)) // the client outlives ctx, to leave its group
	r := &reader{Counters: c, kill: kill, ready: make(chan struct{}), positions: make(map[int32]int64)}
	a := c.cfg.Alerts
	opts := []kgo.Opt{
		kgo.WithContext(living),
		kgo.ConsumerGroup(a.Group),
		kgo.ConsumeTopics(a.Topic),
		kgo.Balancers(kgo.CooperativeStickyBalancer()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.FetchMaxBytes(fetchBytes),
		kgo.FetchMaxPartitionBytes(fetchBytes / 4),
		kgo.MaxConcurrentFetches(1),
		kgo.KeepControlRecords(), // they take up offsets: the position moves over them
		kgo.ConsumeResetOffset(kgo.NoResetOffset()),
		kgo.DisableAutoCommit(),
		kgo.OnPartitionsAssigned(r.joined),
		kgo.AdjustFetchOffsetsFn(r.assigned),
		kgo.OnPartitionsRevoked(r.removed),
		kgo.OnPartitionsLost(r.removed),
	}
	if a.Member != "" {
		opts = append(opts, kgo.InstanceID(a.Member))
	}
	if a.Session > 0 {
		opts = append(opts, kgo.SessionTimeout(a.Session), kgo.RebalanceTimeout(a.Session))
	}
	if a.Heartbeat > 0 {
		opts = append(opts, kgo.HeartbeatInterval(a.Heartbeat))
	}
	cl, err := c.client(opts...)
	if err != nil {
		kill()
		return nil, err
	}
	r.client, r.adm = cl, kadm.NewClient(cl)
	close(r.ready)
	return r, nil
}

// closePatience is how long the client may take to leave its group before its requests are cut off.
const closePatience = time.Second

func (r *reader) close() {
	impatient := time.AfterFunc(closePatience, r.kill)
	r.client.Close()
	impatient.Stop()
	r.kill()
}

// joined is the end of starting for a process that gets no partition.
func (r *reader) joined(_ context.Context, _ *kgo.Client, added map[string][]int32) {
	if len(added[r.cfg.Alerts.Topic]) == 0 {
		r.well(starting)
	}
}

// assigned gives the client the positions that Redis holds. It waits for Redis as long as the assignment stands.
func (r *reader) assigned(ctx context.Context, offsets map[string]map[int32]kgo.Offset) (
	map[string]map[int32]kgo.Offset, error,
) {
	mine := offsets[r.cfg.Alerts.Topic]
	partitions := make([]int32, 0, len(mine))
	for p := range mine {
		partitions = append(partitions, p)
	}
	if len(partitions) == 0 {
		return offsets, nil
	}
	<-r.ready
	var positions map[int32]int64
	err := r.retry(ctx, counting, func() (err error) {
		positions, err = r.claim(ctx, partitions)
		return err
	})
	if err != nil {
		return nil, err
	}
	r.well(starting)
	r.well(reading)
	r.mu.Lock()
	defer r.mu.Unlock()
	for p, next := range positions {
		r.positions[p] = next
		mine[p] = kgo.NewOffset().At(next).WithEpoch(-1)
	}
	r.cfg.Log.Info("partitions of the alerts topic assigned", "topic", r.cfg.Alerts.Topic, "positions", positions)
	return offsets, nil
}

// claim gives the positions of partitions: those that Redis holds, else as far back as anything is counted.
func (r *reader) claim(ctx context.Context, partitions []int32) (map[int32]int64, error) {
	topic := r.cfg.Alerts.Topic
	details, err := r.adm.ListTopics(ctx, topic)
	if err == nil {
		err = details[topic].Err
	}
	if err != nil {
		return nil, fmt.Errorf("describe topic %s: %w", topic, err)
	}
	id := topicID(details[topic].ID)
	starts, err := r.adm.ListStartOffsets(ctx, topic)
	if err != nil {
		return nil, fmt.Errorf("list first offsets of %s: %w", topic, err)
	}
	back, err := r.adm.ListOffsetsAfterMilli(ctx, r.cfg.Now().Add(-r.cfg.horizon()).UnixMilli(), topic)
	if err != nil {
		return nil, fmt.Errorf("list offsets of %s by time: %w", topic, err)
	}
	ends, err := r.adm.ListEndOffsets(ctx, topic)
	if err != nil {
		return nil, fmt.Errorf("list last offsets of %s: %w", topic, err)
	}
	args := []any{seconds(r.cfg.keepAll())}
	for _, p := range partitions {
		low, high, begin := starts[topic][p], ends[topic][p], back[topic][p]
		if err := errors.Join(low.Err, high.Err, begin.Err); err != nil {
			return nil, fmt.Errorf("list offsets of %s partition %d: %w", topic, p, err)
		}
		args = append(args, p, low.Offset, high.Offset, max(begin.Offset, low.Offset))
	}
	asking, cancel := r.request(ctx)
	defer cancel()
	at, err := r.scripts.claim.Run(asking, r.cfg.Redis, []string{r.keys.position(id)}, args...).Int64Slice()
	if err != nil {
		return nil, fmt.Errorf("read positions: %w", err)
	}
	if len(at) != len(partitions) {
		return nil, fmt.Errorf("read positions: %d of %d were given", len(at), len(partitions))
	}
	positions := make(map[int32]int64, len(at))
	for i, p := range partitions {
		positions[p] = at[i]
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.id = id
	return positions, nil
}

func (r *reader) removed(_ context.Context, _ *kgo.Client, lost map[string][]int32) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range lost[r.cfg.Alerts.Topic] {
		delete(r.positions, p)
	}
}

func (r *reader) position(partition int32) (id topicID, next int64, ours bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	next, ours = r.positions[partition]
	return r.id, next, ours
}

// move sets the position of a partition that still stands at from.
func (r *reader) move(partition int32, from, to int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if next, ok := r.positions[partition]; ok && next == from {
		r.positions[partition] = to
	}
}

// watchEvery is how often reading is found well while there is nothing to read.
const watchEvery = 10 * time.Second

// run polls and counts until ctx ends.
func (r *reader) run(ctx context.Context) error {
	pause := r.newPause()
	for {
		fetches := r.poll(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		failed := r.countAll(ctx, fetches)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if failed == nil {
			r.well(reading)
			pause.Reset()
			continue
		}
		r.ill(reading, failed)
		if logChanged(failed) {
			if err := r.again(ctx); err != nil {
				return err
			}
		}
		if err := sleep(ctx, pause.NextBackOff()); err != nil {
			return err
		}
	}
}

func (r *reader) poll(ctx context.Context) kgo.Fetches {
	polling, cancel := context.WithTimeout(ctx, watchEvery)
	defer cancel()
	return r.client.PollRecords(polling, r.cfg.Alerts.MaxBatch)
}

// countAll counts what was polled and returns the first error of the poll. After a partition has begun anew, what else
// was polled of it comes again.
func (r *reader) countAll(ctx context.Context, fetches kgo.Fetches) (failed error) {
	anew := make(map[int32]bool)
	fetches.EachPartition(func(p kgo.FetchTopicPartition) {
		if len(p.Records) > 0 && !anew[p.Partition] && ctx.Err() == nil {
			anew[p.Partition] = r.count(ctx, p.Partition, p.Records)
		}
		if p.Err != nil && failed == nil && !errors.Is(p.Err, context.DeadlineExceeded) {
			failed = fmt.Errorf("read the alerts topic: %w", p.Err)
		}
	})
	return failed
}

// logChanged says whether an error may mean that the log is not what it was.
func logChanged(err error) bool {
	return errors.Is(err, kerr.OffsetOutOfRange) || errors.Is(err, kerr.UnknownTopicID) ||
		errors.Is(err, kerr.UnknownTopicOrPartition) || errors.Is(err, kerr.InconsistentTopicID)
}

// again begins where Redis says, with these partitions; none: with all of ours. It waits for Redis until ctx ends: to
// go on with what comes next would leave out what was dropped.
func (r *reader) again(ctx context.Context, partitions ...int32) error {
	if len(partitions) == 0 {
		r.mu.Lock()
		for p := range r.positions {
			partitions = append(partitions, p)
		}
		r.mu.Unlock()
	}
	if len(partitions) == 0 {
		return nil
	}
	r.metrics.begun.Inc()
	var positions map[int32]int64
	err := r.retry(ctx, counting, func() (err error) {
		positions, err = r.claim(ctx, partitions)
		return err
	})
	if err != nil {
		return err
	}
	offsets := make(map[int32]kgo.EpochOffset, len(positions))
	r.mu.Lock()
	for p, next := range positions {
		if _, ours := r.positions[p]; ours {
			r.positions[p] = next
			offsets[p] = kgo.EpochOffset{Epoch: -1, Offset: next}
		}
	}
	r.mu.Unlock()
	r.client.SetOffsets(map[string]map[int32]kgo.EpochOffset{r.cfg.Alerts.Topic: offsets})
	return nil
}
