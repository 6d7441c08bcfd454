package sink

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// consumer reads the alerts topic for one [Sink.Run].
//
// One goroutine polls and stores. The group's callbacks, on goroutines of the client, only add and remove positions:
// a batch of a partition that is no longer there, or that stands elsewhere by now, is dropped before it is tried, and
// the fence in the database refuses what slips through.
type consumer struct {
	*Sink
	client *kgo.Client
	kill   context.CancelFunc // ends all requests of the client
	adm    *kadm.Client
	ready  chan struct{}           // closed once the two above are set: a client calls back before it is returned
	stop   context.CancelCauseFunc // ends Run with an error

	mu        sync.Mutex
	id        topicID         // of the topic, as of the first assignment
	positions map[int32]int64 // next offset of each assigned partition
	beyond    time.Time       // since when a position lies beyond the end of its log; zero: none does
}

// newConsumer makes the client, all of whose requests end with living. kill ends living.
func (s *Sink) newConsumer(
	living context.Context, kill context.CancelFunc, stop context.CancelCauseFunc,
) (*consumer, error) {
	c := &consumer{Sink: s, kill: kill, ready: make(chan struct{}), stop: stop, positions: make(map[int32]int64)}
	var member []kgo.Opt
	if s.cfg.Instance != "" {
		member = append(member, kgo.InstanceID(s.cfg.Instance))
	}
	cl, err := s.client(append(member,
		kgo.WithContext(living),
		kgo.ConsumerGroup(s.cfg.Group),
		kgo.ConsumeTopics(s.cfg.Topic),
		kgo.SessionTimeout(s.cfg.Session),
		kgo.HeartbeatInterval(s.cfg.Heartbeat),
		kgo.RebalanceTimeout(s.cfg.Session),
		kgo.Balancers(kgo.CooperativeStickyBalancer()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.KeepControlRecords(), // they take up offsets: the position moves over them, so lag can reach zero
		kgo.ConsumeResetOffset(kgo.NoResetOffset()),
		kgo.DisableAutoCommit(),
		kgo.OnPartitionsAssigned(c.joined),
		kgo.AdjustFetchOffsetsFn(c.assigned),
		kgo.OnPartitionsRevoked(c.removed),
		kgo.OnPartitionsLost(c.removed),
	)...)
	if err != nil {
		return nil, err
	}
	c.client, c.adm = cl, kadm.NewClient(cl)
	close(c.ready)
	return c, nil
}

// closePatience is how long the client may take to close before its requests are cut off. It would wait for a rebalance
// that is under way, and that for a member which has died: as long as a session.
const closePatience = time.Second

func (c *consumer) close() {
	impatient := time.AfterFunc(closePatience, c.kill)
	defer impatient.Stop()
	c.client.Close()
}

// joined is the end of starting for a sink that gets no partition: it stands by.
func (c *consumer) joined(_ context.Context, _ *kgo.Client, added map[string][]int32) {
	if len(added[c.cfg.Topic]) == 0 {
		c.well(starting)
	}
}

// assigned gives the client the stored positions in place of the group's. It waits for the database as long as the
// assignment stands; heartbeats go on meanwhile.
func (c *consumer) assigned(ctx context.Context, offsets map[string]map[int32]kgo.Offset) (
	map[string]map[int32]kgo.Offset, error,
) {
	mine := offsets[c.cfg.Topic]
	partitions := make([]int32, 0, len(mine))
	for p := range mine {
		partitions = append(partitions, p)
	}
	if len(partitions) == 0 {
		return offsets, nil
	}
	<-c.ready
	var positions map[int32]int64
	err := c.retry(ctx, storing, "read positions", isFinal, func() (err error) {
		positions, err = c.claim(ctx, partitions)
		return err
	})
	if err != nil {
		if isFinal(err) {
			c.stop(err)
		}
		return nil, err
	}
	c.well(starting)
	c.mu.Lock()
	defer c.mu.Unlock()
	for p, next := range positions {
		c.positions[p] = next
		mine[p] = kgo.NewOffset().At(next).WithEpoch(-1)
	}
	c.cfg.Log.Info("partitions of the alerts topic assigned", "topic", c.cfg.Topic, "positions", positions)
	return offsets, nil
}

// claim reads the positions and checks them against the log.
func (c *consumer) claim(ctx context.Context, partitions []int32) (map[int32]int64, error) {
	id, spans, err := describe(ctx, c.adm, c.cfg.Topic)
	if err != nil {
		return nil, err
	}
	for _, p := range partitions {
		if _, ok := spans[p]; !ok {
			return nil, fmt.Errorf("partition %d of %s has no leader at present", p, c.cfg.Topic)
		}
	}
	positions, err := c.store.claim(ctx, id, partitions, spans)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	c.id = id
	c.mu.Unlock()
	return positions, c.checkPositions(ctx, id, positions)
}

// checkPositions compares positions with the log as it is after they were read: another sink may move them, and the
// log grows, at any time.
func (c *consumer) checkPositions(ctx context.Context, id topicID, positions map[int32]int64) error {
	now, spans, err := describe(ctx, c.adm, c.cfg.Topic)
	if err != nil {
		return err
	}
	if now != id {
		return recreatedError(c.cfg.Topic, id, now)
	}
	beyond := false
	for p, next := range positions {
		log, ok := spans[p]
		switch {
		case !ok: // no leader at present
		case next < log.start:
			return truncatedError(c.cfg.Topic, id, p, next, log.start)
		case next > log.end:
			err, beyond = beyondEndError(c.cfg.Topic, id, p, next, log.end), true
		}
	}
	return c.tolerate(beyond, err)
}

// tolerate holds an ErrBeyondEnd back for a while: a new leader does not know for an instant how far its log was
// committed.
func (c *consumer) tolerate(beyond bool, err error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case !beyond:
		c.beyond = time.Time{}
		return nil
	case c.beyond.IsZero():
		c.beyond = c.cfg.Now()
	}
	if c.cfg.Now().Sub(c.beyond) < c.cfg.beyondGrace {
		return errors.New("a position lies beyond the end of the log: waiting whether that passes")
	}
	return err
}

// isFinal says that waiting does not help.
func isFinal(err error) bool {
	return errors.Is(err, ErrTopicRecreated) || errors.Is(err, ErrTruncated) || errors.Is(err, ErrBeyondEnd) ||
		errors.Is(err, ErrReplaced)
}

func (c *consumer) removed(_ context.Context, _ *kgo.Client, lost map[string][]int32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range lost[c.cfg.Topic] {
		delete(c.positions, p)
		c.metrics.dropLag(p)
	}
}

func (c *consumer) position(partition int32) (int64, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	next, ok := c.positions[partition]
	return next, ok
}

// move sets the position of a partition that still stands at from.
func (c *consumer) move(partition int32, from, to int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if next, ok := c.positions[partition]; ok && next == from {
		c.positions[partition] = to
	}
}

// current leaves out of b what is no longer ours to store.
func (c *consumer) current(b batch) (topicID, batch) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.id, slices.DeleteFunc(slices.Clone(b), func(p part) bool {
		next, ok := c.positions[p.partition]
		return !ok || next != p.expected
	})
}

// run polls and stores until ctx ends or something final happens.
func (c *consumer) run(ctx context.Context, stored func()) error {
	pause := c.newPause()
	for {
		fetches := c.client.PollRecords(ctx, c.cfg.MaxBatch)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err := c.storeAll(ctx, newBatch(fetches, c.position), stored); err != nil {
			return err
		}
		err := c.pollError(ctx, fetches)
		if err == nil {
			pause.Reset()
			continue
		}
		if ctx.Err() != nil || isFinal(err) {
			return err
		}
		c.ill(reading, fmt.Errorf("read alerts topic: %w", err))
		if err := sleep(ctx, pause.NextBackOff()); err != nil {
			return err
		}
	}
}

// pollError returns the first error of a poll. For errors that say that the log is not what it was, it finds out why.
func (c *consumer) pollError(ctx context.Context, fetches kgo.Fetches) error {
	var first error
	fetches.EachError(func(_ string, partition int32, err error) {
		if first == nil {
			first = fmt.Errorf("partition %d: %w", partition, err)
		}
	})
	if first == nil {
		return nil
	}
	if errors.Is(first, kerr.FencedInstanceID) {
		return fmt.Errorf("%w: %s: give each process a name of its own (app.instance), or stop the other one", ErrReplaced,
			c.cfg.Instance)
	}
	for _, suspicious := range []error{kerr.OffsetOutOfRange, kerr.UnknownTopicID, kerr.UnknownTopicOrPartition,
		kerr.InconsistentTopicID} {
		if errors.Is(first, suspicious) {
			if err := c.checkLog(ctx); err != nil {
				return err
			}
			c.rewind()
		}
	}
	return first
}

// rewind makes the client read from the positions again.
func (c *consumer) rewind() {
	c.mu.Lock()
	offsets := make(map[int32]kgo.EpochOffset, len(c.positions))
	for p, next := range c.positions {
		offsets[p] = kgo.EpochOffset{Epoch: -1, Offset: next}
	}
	c.mu.Unlock()
	c.client.SetOffsets(map[string]map[int32]kgo.EpochOffset{c.cfg.Topic: offsets})
}

// watch looks now and then whether the topic can be reached and is still the same one, and how far behind we are.
func (c *consumer) watch(ctx context.Context) error {
	for {
		if err := sleep(ctx, c.cfg.WatchEvery); err != nil {
			return err
		}
		switch err := c.checkLog(ctx); {
		case err == nil:
			c.well(reading)
		case ctx.Err() != nil || isFinal(err):
			return err
		default:
			c.ill(reading, fmt.Errorf("look at the alerts topic: %w", err))
		}
	}
}

// checkLog compares the topic with the positions, and updates the lag.
func (c *consumer) checkLog(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.BatchTimeout)
	defer cancel()
	c.mu.Lock()
	id, positions := c.id, maps.Clone(c.positions)
	c.mu.Unlock()
	if len(positions) == 0 {
		c.condition.setLag(0)
		return nil
	}
	if err := c.checkPositions(ctx, id, positions); err != nil {
		return err
	}
	ends, err := c.adm.ListCommittedOffsets(ctx, c.cfg.Topic)
	if err != nil {
		return fmt.Errorf("list committed offsets of %s: %w", c.cfg.Topic, err)
	}
	var total int64
	for p := range positions {
		next, ours := c.position(p)
		end, ok := ends.Lookup(c.cfg.Topic, p)
		if !ours || !ok || end.Err != nil {
			continue
		}
		lag := max(0, end.Offset-next)
		total += lag
		c.metrics.setLag(p, lag)
	}
	c.condition.setLag(total)
	return nil
}
