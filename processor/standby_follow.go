package processor

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"tocsin/state"
	"tocsin/topics/readlog"
)

// StandbyState is where a partition is that is followed for others.
type StandbyState string

// The states: not begun, or failed and waiting to be tried again; restored in full; followed.
const (
	StandbyWaiting   StandbyState = "waiting"
	StandbyRestoring StandbyState = "restoring"
	StandbyFollowing StandbyState = "following"
)

// StandbyHealth is what [Processor.Health] says of one partition that this process follows for another.
type StandbyHealth struct {
	Partition int32        `json:"partition"`
	State     StandbyState `json:"state"`
	Next      int64        `json:"next"`             // changelog offset to be read next; -1: not known yet
	Lag       int64        `json:"lag"`              // changelog offsets behind its end; -1: not known yet
	Detail    string       `json:"detail,omitempty"` // why it is not followed
}

var (
	errNeedsFull = errors.New("needs a full restore")
	errLeased    = errors.New("the lease is not free yet")
)

// follower is one partition that is followed.
type follower struct {
	id     int32
	proc   *Processor
	cancel context.CancelFunc // see stop

	stopped atomic.Bool

	// mu is held by whoever uses the lease and the restore; after close both are gone.
	mu      sync.Mutex
	closed  bool
	lease   *state.Lease
	restore *state.Restore // in tail mode once it is followed

	healthMu sync.Mutex
	health   StandbyHealth
}

// stop ends what the follower does. It does not wait for it; close does.
func (f *follower) stop() {
	f.stopped.Store(true)
	f.cancel()
}

// open acquires the lease and brings the partition to a position to follow from. Without full it does not restore in
// full but returns errNeedsFull.
func (f *follower) open(ctx context.Context, log readlog.Range, full bool) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return context.Canceled
	}
	// A worker that has just given the partition up may have its lease for a moment: it is tried again.
	acquiring, cancel := context.WithTimeout(ctx, 10*time.Millisecond)
	defer cancel()
	var err error
	f.lease, err = f.proc.config.Store.Acquire(acquiring, statePartition(f.id), "standby")
	if err != nil {
		f.lease = nil
		if acquiring.Err() != nil {
			return fmt.Errorf("%w: %w", errLeased, err)
		}
		return err
	}
	mode, why, err := f.proc.restoreMode(f.lease, log)
	var stop *StopError
	if errors.As(err, &stop) { // the log was looked at before the lease was ours, and may have grown
		var logs map[int32]readlog.Range
		if logs, err = readlog.Bounds(ctx, f.proc.adm, f.proc.config.Topics.Changelog, f.id); err == nil {
			log = logs[f.id]
			mode, why, err = f.proc.restoreMode(f.lease, log)
		}
	}
	if err != nil {
		return err
	}
	if mode == state.Full {
		if !full {
			return errNeedsFull
		}
		if err := f.restoreFull(ctx, log, why); err != nil {
			return err
		}
	}
	f.restore, err = f.lease.Restore(state.RestoreConfig{
		Mode: state.Tail, TopicID: f.proc.cluster.changelogID, LogStart: log.From,
	})
	if err != nil {
		return err
	}
	f.behind(f.restore.From(), log.To)
	f.update(func(h *StandbyHealth) { h.State = StandbyFollowing })
	return nil
}

// restoreFull reads the changelog up to its present end.
func (f *follower) restoreFull(ctx context.Context, log readlog.Range, why string) error {
	p := f.proc
	r, err := f.lease.Restore(state.RestoreConfig{
		Mode: state.Full, TopicID: p.cluster.changelogID, LogStart: log.From, ChunkBytes: p.config.RestoreChunkBytes,
	})
	if err != nil {
		return err
	}
	defer r.Abort()
	began := p.config.Now()
	f.update(func(h *StandbyHealth) { h.State = StandbyRestoring })
	reader := readlog.Reader{
		Kafka: p.baseOptions(), Topic: p.config.Topics.Changelog, StallAfter: p.config.StallAfter,
		Progress: func(_ int32, next int64, records int) {
			p.metrics.standbyRecords.Add(float64(records))
			f.behind(next, log.To)
		},
	}
	stretch := map[int32]readlog.Range{f.id: {From: r.From(), To: log.To}}
	err = reader.Read(ctx, stretch, func(rec *kgo.Record) error {
		return r.Add(state.ChangeRecord{Offset: rec.Offset, Key: rec.Key, Value: rec.Value})
	})
	if err != nil {
		return err
	}
	result, err := r.Finish(log.To)
	if err != nil {
		return err
	}
	p.config.Log.Info("standby has restored a partition in full", "partition", f.id, "why", why, "records", result.Records,
		"bytes", result.Bytes, "resumed", result.Resumed, "took", p.config.Now().Sub(began).Round(time.Millisecond))
	return nil
}

// close writes what has been verified and gives the lease up.
func (f *follower) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	if f.restore != nil {
		_ = f.restore.Save() // what is not written is read again
		f.restore.Abort()
		f.restore = nil
	}
	if f.lease != nil {
		f.lease.Release()
		f.lease = nil
	}
}

// feed takes what a fetch brought and writes it, up to the last seal.
func (f *follower) feed(tp *kgo.FetchTopicPartition) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.restore == nil {
		return nil
	}
	records := 0
	for _, rec := range tp.Records {
		if rec.Attrs.IsControl() {
			continue
		}
		records++
		if err := f.restore.Add(state.ChangeRecord{Offset: rec.Offset, Key: rec.Key, Value: rec.Value}); err != nil {
			return err
		}
	}
	f.proc.metrics.standbyRecords.Add(float64(records))
	if tp.Err != nil {
		return tp.Err
	}
	if n := len(tp.Records); n > 0 {
		f.behind(tp.Records[n-1].Offset+1, tp.HighWatermark)
	}
	return f.restore.Save()
}

// refresh writes a quiet partition down as up to date.
func (f *follower) refresh() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.restore == nil {
		return nil
	}
	return f.restore.Save()
}

func (f *follower) behind(next, end int64) {
	lag := max(end-next, 0)
	f.update(func(h *StandbyHealth) { h.Next, h.Lag = next, lag })
	f.proc.metrics.standbyLag.WithLabelValues(f.proc.metrics.partition(f.id)).Set(float64(lag))
}

func (f *follower) update(fn func(h *StandbyHealth)) {
	f.healthMu.Lock()
	defer f.healthMu.Unlock()
	fn(&f.health)
}

func (f *follower) get() StandbyHealth {
	f.healthMu.Lock()
	defer f.healthMu.Unlock()
	return f.health
}

// read follows the partitions. Only this goroutine tells the client which, so what a poll brings belongs to those that
// are active.
func (s *standby) read(ctx context.Context, cl *kgo.Client) {
	topic := s.proc.config.Topics.Changelog
	active := make(map[int32]*follower)
	refreshed := s.proc.config.Now()
	for ctx.Err() == nil {
		s.turn(cl, active)
		polling, cancel := context.WithTimeout(ctx, standbyEvery)
		fetches := cl.PollRecords(polling, standbyPoll)
		cancel()
		fetches.EachPartition(func(tp kgo.FetchTopicPartition) {
			f := active[tp.Partition]
			if f == nil || tp.Topic != topic {
				return
			}
			if err := f.feed(&tp); err != nil {
				s.fail(f, err)
			}
		})
		if s.proc.config.Now().Sub(refreshed) < standbyRefresh {
			continue
		}
		refreshed = s.proc.config.Now()
		for _, f := range active {
			if err := f.refresh(); err != nil {
				s.fail(f, err)
			}
		}
	}
}

// turn lets the client forget the partitions that have ended and take those that are fresh.
func (s *standby) turn(cl *kgo.Client, active map[int32]*follower) {
	topic := s.proc.config.Topics.Changelog
	s.mu.Lock()
	fresh := s.fresh
	s.fresh = nil
	var gone []int32
	for id, f := range active {
		if s.followers[id] != f {
			gone = append(gone, id)
		}
	}
	s.mu.Unlock()
	if len(gone) > 0 {
		cl.RemoveConsumePartitions(map[string][]int32{topic: gone})
		for _, id := range gone {
			delete(active, id)
		}
	}
	add := make(map[int32]kgo.Offset)
	for _, f := range fresh {
		if next := f.get().Next; !f.stopped.Load() {
			active[f.id], add[f.id] = f, kgo.NewOffset().At(next)
		}
	}
	if len(add) > 0 {
		cl.AddConsumePartitions(map[string]map[int32]kgo.Offset{topic: add})
	}
}
