package processor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"tocsin/state"
	"tocsin/topics/readlog"
)

const (
	standbyEvery    = time.Second      // how often partitions are looked for that nobody here owns
	standbyRefresh  = time.Minute      // how often quiet partitions are written down as up to date
	standbyRetryMin = 5 * time.Second  // after a failure, doubled up to
	standbyRetryMax = 10 * time.Minute //
	standbyPoll     = 2000             // records
)

// standby keeps the state of the partitions that this process does not own near the end of their changelogs, so that a
// take-over reads the last transactions and not everything. It is a reader like any restore: committed records only,
// written at seals whose sums agree. A partition's lease is taken for as long as it is followed and given up at once
// when the group assigns the partition to a worker of this process; nothing of the poll path waits for it.
//
// Two goroutines: the keeper looks for partitions and brings them to a position (a full restore the first time, one
// after the other); the reader follows all of them with one client. A follower that is not active yet belongs to the
// keeper, then to the reader; its mutex keeps yield out in between.
type standby struct {
	proc *Processor
	wake chan struct{} // a partition was freed

	mu        sync.Mutex
	owned     map[int32]int       // assignments in this process, most of the time 0 or 1
	followers map[int32]*follower // those that may hold a lease
	fresh     []*follower         // to be followed by the reader
	failures  map[int32]failure
}

// failure keeps a partition from being tried again at once.
type failure struct {
	wait  time.Duration
	until time.Time
	err   error
}

func newStandby(p *Processor) *standby {
	return &standby{
		proc: p, wake: make(chan struct{}, 1), owned: make(map[int32]int), followers: make(map[int32]*follower),
		failures: make(map[int32]failure),
	}
}

// take notes that a partition has been assigned to a worker: it is not followed from here on. It does not wait; call
// yield before the lease is acquired.
func (s *standby) take(id int32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.owned[id]++
	if f := s.followers[id]; f != nil {
		f.stop()
	}
}

// yield ends the follower of a partition that was taken, and returns when its lease is released.
func (s *standby) yield(id int32) {
	s.mu.Lock()
	f := s.followers[id]
	s.mu.Unlock()
	if f != nil {
		s.end(f)
	}
}

// free notes that a worker has given a partition up.
func (s *standby) free(id int32) {
	s.mu.Lock()
	if s.owned[id]--; s.owned[id] <= 0 {
		delete(s.owned, id)
	}
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// end releases what a follower holds. It may be called twice.
func (s *standby) end(f *follower) {
	f.stop()
	f.close()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.followers[f.id] == f {
		delete(s.followers, f.id)
		s.proc.metrics.standbyLag.DeleteLabelValues(s.proc.metrics.partition(f.id))
	}
}

// run works until ctx ends.
func (s *standby) run(ctx context.Context) error {
	topic := s.proc.config.Topics.Changelog
	cl, err := kgo.NewClient(append(s.proc.baseOptions(),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {}}), // partitions come and go
		kgo.ConsumeResetOffset(kgo.NoResetOffset()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.KeepControlRecords(),
		kgo.FetchMaxBytes(fetchMaxBytes),
		kgo.FetchMaxPartitionBytes(fetchMaxPerPart),
		kgo.FetchMaxWait(500*time.Millisecond), // a partition that joins waits for the fetch under way
		kgo.MaxConcurrentFetches(2),
		kgo.MaxDecompressBatchBytes(readlog.MaxDecompress),
	)...)
	if err != nil {
		return fmt.Errorf("make the client of the standby: %w", err)
	}
	var reader sync.WaitGroup
	reader.Go(func() { s.read(ctx, cl) })
	s.keep(ctx)
	reader.Wait()
	cl.Close()
	s.mu.Lock()
	left := make([]*follower, 0, len(s.followers))
	for _, f := range s.followers {
		left = append(left, f)
	}
	s.mu.Unlock()
	for _, f := range left {
		s.end(f)
	}
	return nil
}

// keep brings partitions that nobody here owns to a position from which they can be followed.
func (s *standby) keep(ctx context.Context) {
	for ctx.Err() == nil {
		full := s.open(ctx, s.idle(), false)
		for _, id := range full { // one after the other, and whatever can be followed at once first
			if ctx.Err() == nil {
				s.open(ctx, []int32{id}, true)
				s.open(ctx, s.idle(), false)
			}
		}
		t := time.NewTimer(standbyEvery)
		select {
		case <-ctx.Done():
		case <-t.C:
		case <-s.wake:
		}
		t.Stop()
	}
}

// idle lists the partitions that are to be followed and are not.
func (s *standby) idle() (ids []int32) {
	now := s.proc.config.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	for id := range s.proc.cluster.partitions {
		if s.owned[id] == 0 && s.followers[id] == nil && !now.Before(s.failures[id].until) {
			ids = append(ids, id)
		}
	}
	return ids
}

// open makes followers. It returns the partitions that it left alone because they have to be restored in full.
func (s *standby) open(ctx context.Context, ids []int32, full bool) (left []int32) {
	if len(ids) == 0 {
		return nil
	}
	logs, err := readlog.Bounds(ctx, s.proc.adm, s.proc.config.Topics.Changelog, ids...)
	if err != nil {
		if ctx.Err() == nil {
			s.proc.config.Log.Warn("standby cannot look at the changelog, it is tried again", "error", err)
		}
		return nil
	}
	for _, id := range ids {
		living, f := s.claim(ctx, id)
		if f == nil {
			continue
		}
		err := f.open(living, logs[id], full)
		switch {
		case err == nil:
			s.mu.Lock()
			delete(s.failures, id)
			s.fresh = append(s.fresh, f)
			s.mu.Unlock()
		case errors.Is(err, errNeedsFull):
			s.end(f)
			left = append(left, id)
		default:
			s.fail(f, err)
		}
	}
	return left
}

// claim makes the follower of a partition, unless somebody else was faster, and a context that ends with it.
func (s *standby) claim(ctx context.Context, id int32) (context.Context, *follower) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.owned[id] > 0 || s.followers[id] != nil {
		return nil, nil
	}
	living, cancel := context.WithCancel(ctx)
	f := &follower{id: id, proc: s.proc, cancel: cancel}
	f.health = StandbyHealth{Partition: id, State: StandbyWaiting, Next: -1, Lag: -1}
	s.followers[id] = f
	return living, f
}

// fail ends a follower; the partition is tried again later. Its take-over will say what an operator has to know.
func (s *standby) fail(f *follower, err error) {
	stopped := f.stopped.Load()
	s.end(f)
	if stopped || errors.Is(err, context.Canceled) {
		return // by a worker, or the process ends
	}
	s.mu.Lock()
	known := s.failures[f.id]
	wait := min(max(2*known.wait, standbyRetryMin), standbyRetryMax)
	if errors.Is(err, state.ErrDamaged) || errors.Is(err, errLeased) {
		wait = standbyEvery
	}
	s.failures[f.id] = failure{wait: wait, until: s.proc.config.Now().Add(wait), err: err}
	s.mu.Unlock()
	if !errors.Is(err, errLeased) {
		s.proc.config.Log.Warn("standby cannot follow a partition, it is tried again", "partition", f.id, "after", wait,
			"error", err)
	}
}

// health says how the partitions are that are followed or should be.
func (s *standby) health() (all []StandbyHealth) {
	s.mu.Lock()
	followers := make([]*follower, 0, len(s.followers))
	for _, f := range s.followers {
		followers = append(followers, f)
	}
	for id, f := range s.failures {
		if s.followers[id] == nil && s.owned[id] == 0 {
			all = append(all, StandbyHealth{Partition: id, State: StandbyWaiting, Next: -1, Lag: -1, Detail: f.err.Error()})
		}
	}
	s.mu.Unlock()
	for _, f := range followers {
		all = append(all, f.get())
	}
	slices.SortFunc(all, func(a, b StandbyHealth) int { return cmp.Compare(a.Partition, b.Partition) })
	return all
}
