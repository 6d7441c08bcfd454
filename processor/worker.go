package processor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	restartMin = 100 * time.Millisecond
	restartMax = 5 * time.Second
)

// worker is one consumer of the group with the transactions it makes. run is its one goroutine; restores have their
// own.
type worker struct {
	proc   *Processor
	number int
	log    *slog.Logger

	// hurry is set while a rebalance waits for the worker: end the transaction and allow it.
	hurry    atomic.Bool
	restores sync.WaitGroup

	// mu guards what the group's callbacks, the restores and Health share with run.
	mu     sync.Mutex
	parts  map[int32]*partition
	ready  []*partition    // restored, waiting to be admitted
	starts map[int32]int64 // where partitions begin that had nothing committed when fixStarts was called
	joined bool
	wake   context.CancelFunc // ends the poll in progress; nil between polls

	batch batch
	span  span        // of the open transaction
	ahead kgo.Fetches // always empty but in a test, see hooks
}

func (p *Processor) newWorker(number int) *worker {
	return &worker{
		proc: p, number: number, log: p.config.Log.With("worker", number), parts: make(map[int32]*partition),
		starts: make(map[int32]int64),
	}
}

// run works until ctx ends, with a new client whenever the outcome of a transaction is unknown or the client fails.
// The error is one that a new client cannot mend.
func (w *worker) run(ctx context.Context) error {
	wait := restartMin
	for {
		began := w.proc.config.Now()
		err := w.work(ctx)
		if ctx.Err() != nil {
			return nil //nolint:nilerr // to be interrupted is how it ends
		}
		if fatal(err) {
			return fmt.Errorf("worker %d (%s): %w", w.number, w.proc.config.memberID(w.number), err)
		}
		if w.proc.config.Now().Sub(began) > time.Minute {
			wait = restartMin
		}
		w.log.Warn("starting over with a new client; the state is restored from the changelog", "after", wait, "error", err)
		w.proc.metrics.restarts.Inc()
		if !pause(ctx, wait) {
			return nil
		}
		wait = min(2*wait, restartMax)
	}
}

// fatal says whether an error would come again with any client.
func fatal(err error) bool {
	return errors.Is(err, ErrFenced) || errors.Is(err, ErrTopics) ||
		errors.Is(err, kerr.TransactionalIDAuthorizationFailed) || errors.Is(err, kerr.GroupAuthorizationFailed) ||
		errors.Is(err, kerr.TopicAuthorizationFailed) || errors.Is(err, kerr.ClusterAuthorizationFailed)
}

// work runs one client until ctx ends or an error leaves nothing but a new one.
func (w *worker) work(ctx context.Context) error {
	w.proc.config.at(PointStarting, noPartition)
	living, kill := context.WithCancel(context.WithoutCancel(ctx)) // what the client does must not end with ctx
	defer kill()
	cl, err := w.proc.newGroupClient(living, w.number, groupCallbacks{
		assigned: w.assigned, revoked: w.revoked, lost: w.lost, blocked: w.blocked, starts: w.fixStarts,
	})
	if err != nil {
		return err
	}
	defer w.shut(cl, kill)
	// Before anything else: a transaction that an earlier client of this name left open ends now and not at its timeout.
	starting, cancel := context.WithTimeout(ctx, w.proc.config.EndTimeout)
	_, _, err = cl.ProducerID(starting)
	cancel()
	if err != nil {
		return fmt.Errorf("get a producer id: %w", err)
	}
	w.proc.config.at(PointIdentified, noPartition)
	s := w.proc.newSession(cl, w.number)
	w.batch.begin(w.proc, s)
	aborts := 0
	for ctx.Err() == nil {
		w.hurry.Store(false)
		fetches := w.poll(ctx, s, 0, w.proc.config.CloseRecords)
		again, err := w.turn(ctx, s, fetches)
		cl.AllowRebalance()
		if err != nil {
			return err
		}
		if !again {
			aborts = 0
			continue
		}
		// Aborted: the records come again. Not at once, and less and less so: the cause may last.
		if !pause(ctx, min(restartMin<<min(aborts, 10), restartMax)) {
			break
		}
		aborts++
	}
	return nil
}

// closePatience is how long a client may take to close before its requests are cut off. It would wait for a rebalance
// that is under way, and that for members which are closing too: as long as a session.
const closePatience = time.Second

// shut closes the client, which revokes what is assigned, and waits for the restores.
func (w *worker) shut(cl *kgo.Client, kill context.CancelFunc) {
	w.proc.config.at(PointClosing, noPartition)
	impatient := time.AfterFunc(closePatience, kill)
	defer impatient.Stop()
	cl.CloseAllowingRebalance()
	w.mu.Lock()
	var left []int32
	for id := range w.parts {
		left = append(left, id)
	}
	w.ready, w.joined = nil, false
	w.mu.Unlock()
	w.giveUp(PointLost, left)
	w.restores.Wait()
}

// poll waits for records, a restored partition, or the end of ctx; wait bounds it, 0 does not. Rebalances are blocked
// when it has returned.
func (w *worker) poll(ctx context.Context, s *session, wait time.Duration, limit int) kgo.Fetches {
	polling, cancel := context.WithCancel(ctx)
	if wait > 0 {
		polling, cancel = context.WithTimeout(ctx, wait)
	}
	defer cancel()
	w.mu.Lock()
	w.wake = cancel
	waiting := len(w.ready) > 0 || len(w.ahead) > 0
	w.mu.Unlock()
	if waiting {
		cancel()
	}
	fetches := s.cl.PollRecords(polling, limit)
	w.mu.Lock()
	w.wake = nil
	w.mu.Unlock()
	return fetches
}

// blocked is called while a rebalance waits for the worker.
func (w *worker) blocked() {
	w.hurry.Store(true)
	w.wakeUp()
}

// wakeUp ends the poll in progress.
func (w *worker) wakeUp() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.wake != nil {
		w.wake()
	}
}

func (w *worker) find(id int32) *partition {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.parts[id]
}
