package state

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
)

// Lease is the right to read and apply one partition. There is at most one per partition; what its holder derives from
// the state (decoded keys) must not outlive it.
type Lease struct {
	s      *Store
	p      Partition
	holder string
	epoch  uint64
	gone   chan struct{} // closed when the lease has ended
	// damaged: what it has on disk cannot be read; every read says so until a full restore has taken it out.
	damaged atomic.Bool

	// mu is held while something is written under the lease, so that it cannot end in between. Guards what follows.
	mu        sync.Mutex
	ended     bool
	restoring bool
	pos       Position
	hasPos    bool

	known known // which keys there are
}

// Acquire gives the lease on p to holder (a name for messages). While another has it, Acquire waits for its Release, or
// for ctx; an Apply in progress ends before that.
func (s *Store) Acquire(ctx context.Context, p Partition, holder string) (*Lease, error) {
	if p.Stage > maxStage || p.ID < 0 {
		return nil, fmt.Errorf("acquire partition %s: no such partition", p)
	}
	l := &Lease{s: s, p: p, holder: holder, gone: make(chan struct{}), known: known{seed: maphash.MakeSeed()}}
	for {
		cur, claimed, err := s.claim(l)
		if err != nil {
			return nil, fmt.Errorf("acquire partition %s: %w", p, err)
		}
		if claimed {
			break
		}
		select {
		case <-cur.gone:
		case <-ctx.Done():
			return nil, fmt.Errorf("acquire partition %s: held by %s: %w", p, cur.holder, ctx.Err())
		}
	}
	if err := l.loadPosition(); err != nil {
		l.end()
		return nil, fmt.Errorf("acquire partition %s: %w", p, err)
	}
	return l, nil
}

// claim gives the partition to l, or tells who has it.
func (s *Store) claim(l *Lease) (cur *Lease, claimed bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		return nil, false, ErrClosed
	}
	if cur := s.leases[l.p]; cur != nil {
		return cur, false, nil
	}
	s.epoch++
	l.epoch = s.epoch
	s.leases[l.p] = l
	return l, true, nil
}

// loadPosition reads the stored position; ok is false while there is none.
func (l *Lease) loadPosition() error {
	if err := l.s.enter(); err != nil {
		return err
	}
	defer l.s.exit()
	l.mu.Lock()
	defer l.mu.Unlock()
	var err error
	if l.s.damage(l.p) == nil {
		l.pos, l.hasPos, err = l.s.position(l.p)
		if err != nil && corrupt(err) {
			l.s.noteDamage(l.p, err)
			err = nil
		}
	}
	l.damaged.Store(l.s.damage(l.p) != nil)
	return err
}

// Partition is the partition the lease is for.
func (l *Lease) Partition() Partition { return l.p }

// Epoch grows with every lease given in this process.
func (l *Lease) Epoch() uint64 { return l.epoch }

// Release ends the lease and begins a flush, without waiting for it. It waits for an Apply in progress; a stage that
// has not been applied by then never will be (ErrLeaseLost). To release twice does nothing.
func (l *Lease) Release() {
	l.end()
	l.s.flushSoon()
}

func (l *Lease) end() {
	l.mu.Lock()
	if l.ended {
		l.mu.Unlock()
		return
	}
	l.ended = true
	l.mu.Unlock()
	l.s.mu.Lock()
	delete(l.s.leases, l.p)
	l.s.mu.Unlock()
	close(l.gone)
}

// live says whether the lease still holds.
func (l *Lease) live() error {
	select {
	case <-l.gone:
		return l.lost()
	default:
		return nil
	}
}

func (l *Lease) lost() error {
	return fmt.Errorf("partition %s, holder %s, epoch %d: %w", l.p, l.holder, l.epoch, ErrLeaseLost)
}

// Position is the position up to which the changelog has been applied. ok is false where there is none: the partition
// is new here, or a full restore has not been completed.
func (l *Lease) Position() (pos Position, ok bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended {
		return Position{}, false, l.lost()
	}
	if l.damaged.Load() {
		return Position{}, false, nil
	}
	return l.pos, l.hasPos, nil
}

// Get reads one changelog key (group key and part). The value is a copy.
func (l *Lease) Get(key []byte) (value []byte, ok bool, err error) {
	if err := l.begin(); err != nil {
		return nil, false, err
	}
	defer l.s.exit()
	value, ok, err = l.s.get(append(prefix(l.p, storeData), key...))
	if err != nil {
		return nil, false, fmt.Errorf("read partition %s: %w", l.p, l.checked(err))
	}
	return value, ok, nil
}

// Scan visits all parts of a group key, in ascending order of their suffix: the head first. Suffix and value are valid
// during the call only.
func (l *Lease) Scan(groupKey []byte, fn func(suffix, value []byte) error) error {
	if err := l.begin(); err != nil {
		return err
	}
	defer l.s.exit()
	lower := append(prefix(l.p, storeData), groupKey...)
	return l.checked(l.s.iterate(lower, upperBound(lower), func(key, value []byte) error {
		return fn(key[len(lower):], value)
	}))
}

// Timers visits the keys that wait for a time, ascending by (due, group key). The slice is valid during the call only.
func (l *Lease) Timers(fn func(due int64, groupKey []byte) error) error {
	if err := l.begin(); err != nil {
		return err
	}
	defer l.s.exit()
	return l.checked(l.s.iterate(prefix(l.p, storeTimers), prefix(l.p, storeTimers+1), func(key, _ []byte) error {
		k := key[prefixLen:]
		if len(k) < 8 {
			return fmt.Errorf("timer of partition %s: %d bytes", l.p, len(k))
		}
		return fn(parseTime(k), k[8:])
	}))
}

// Expired lists up to limit group keys whose last write lies on an earlier day (UTC) than lastWriteBefore, oldest day
// first. Keys that were staged and not applied may be among them: load the key and look.
func (l *Lease) Expired(lastWriteBefore int64, limit int) (keys [][]byte, err error) {
	if limit <= 0 {
		return nil, nil
	}
	if err := l.begin(); err != nil {
		return nil, err
	}
	defer l.s.exit()
	lower := prefix(l.p, storeExpiry)
	upper := appendDay(prefix(l.p, storeExpiry), day(lastWriteBefore))
	err = l.s.iterate(lower, upper, func(key, _ []byte) error {
		keys = append(keys, append([]byte{}, key[prefixLen+4:]...))
		if len(keys) == limit {
			return errStop
		}
		return nil
	})
	return keys, l.checked(err)
}

// begin checks the lease and enters the store.
func (l *Lease) begin() error {
	if err := l.live(); err != nil {
		return err
	}
	if l.damaged.Load() {
		return fmt.Errorf("partition %s: %w: %w", l.p, ErrDamaged, l.s.damage(l.p))
	}
	return l.s.enter()
}

// position reads the stored position of p.
func (s *Store) position(p Partition) (Position, bool, error) {
	b, ok, err := s.get(prefix(p, storePosition))
	if err != nil || !ok {
		return Position{}, false, err
	}
	pos, err := decodePosition(b)
	return pos, err == nil, err
}

// errStop ends an iteration early, without error.
var errStop = errors.New("stop")

// iterate visits the keys in [lower, upper). Key and value are valid during the call only.
func (s *Store) iterate(lower, upper []byte, fn func(key, value []byte) error) error {
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper})
	if err != nil {
		return fmt.Errorf("read state: %w", err)
	}
	for ok := it.First(); ok; ok = it.Next() {
		value, err := it.ValueAndErr()
		if err == nil {
			err = fn(it.Key(), value)
		}
		if err != nil {
			_ = it.Close() // the first error is the one that counts
			if errors.Is(err, errStop) {
				return nil
			}
			return err
		}
	}
	if err := it.Close(); err != nil {
		return fmt.Errorf("read state: %w", err)
	}
	return nil
}
