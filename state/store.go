package state

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/prometheus/client_golang/prometheus"

	"tocsin/state/window"
)

// Defaults of [Config].
const (
	DefaultCacheBytes    = 32 << 20
	DefaultMemTableBytes = 32 << 20
	DefaultFlushEvery    = 30 * time.Second
)

// formatVersion is the version of everything under Dir that is ours: keys and the values of positions and progress.
const formatVersion = 1

// Config of a [Store]. Dir, HeadIndex and Now are required.
type Config struct {
	// FS is the file system; nil is the operating system's.
	FS vfs.FS
	// Dir is the folder of the database. It is created; one process at a time can open it.
	Dir string
	// CacheBytes bounds the block cache, MemTableBytes one memtable; up to four of them are in memory while they are
	// flushed. Both lie outside the Go heap: leave room for them beside GOMEMLIMIT. 0 is the default.
	CacheBytes    int64
	MemTableBytes int64
	// FlushEvery is how often Run flushes. It bounds how far the state falls back when the machine loses its page cache,
	// and keeps positions from falling behind the changelog's start on quiet partitions. 0 is the default.
	FlushEvery time.Duration
	// HeadIndex reads the index out of an encoded head (window.HeadIndex).
	HeadIndex func(head []byte) (window.Index, error)
	// CheckFormat refuses a value that this build does not read, so that no restore takes it over; Canonical gives a value
	// as digests are made over it. nil: those of package window.
	CheckFormat func(value []byte) error
	Canonical   func(suffix, value []byte) ([]byte, error)
	// Now is the wall clock, for the age of positions alone.
	Now func() time.Time
	// Log gets what Pebble has to say; nil discards it.
	Log *slog.Logger
	// Registerer gets the store's metrics until Close; nil has none.
	Registerer prometheus.Registerer
	// Probe, in tests, is called where a named point is reached, on the goroutine that reaches it. It must not block.
	Probe func(at Point)
	// SetAside makes Open put a database that is damaged as a whole into the folder "damaged" within Dir, in place of what
	// was put there before, and begin with an empty one, loudly: all partitions are then restored from their changelogs.
	SetAside bool
	// ReadOnly opens for inspection: nothing is written, leases can be had but stages and restores cannot.
	ReadOnly bool
}

func (c *Config) setDefaults() error {
	if c.Dir == "" || c.HeadIndex == nil || c.Now == nil {
		return errors.New("open state: Dir, HeadIndex and Now must be set")
	}
	if c.FS == nil {
		c.FS = vfs.Default
	}
	if c.CheckFormat == nil {
		c.CheckFormat = window.CheckFormat
	}
	if c.Canonical == nil {
		c.Canonical = window.Canonical
	}
	if c.CacheBytes <= 0 {
		c.CacheBytes = DefaultCacheBytes
	}
	if c.MemTableBytes <= 0 {
		c.MemTableBytes = DefaultMemTableBytes
	}
	if c.FlushEvery <= 0 {
		c.FlushEvery = DefaultFlushEvery
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return nil
}

// Store is the process's state. It is safe for concurrent use; leases, stages and restores are each for one goroutine.
type Store struct {
	cfg     Config
	db      *pebble.DB
	metrics *metrics
	// tableOptions are those of the tables that a full restore writes.
	tableOptions sstable.WriterOptions
	dirty        atomic.Bool // something was applied since the last flush was begun
	suspect      atomic.Bool // damage was met since the partitions were last read through
	corruptions  atomic.Int64
	wasSetAside  bool

	mu      sync.Mutex
	leases  map[Partition]*Lease // who holds what
	damaged map[Partition]error  // cannot be read, see damage.go
	damages int64                // found so far
	epoch   uint64               // of the last lease given
	users   int                  // calls in progress
	closing bool
	closed  chan struct{} // closed when closing begins
	idle    chan struct{} // closed when closing and users is 0
}

// Open opens the store in cfg.Dir, or creates it.
func Open(cfg Config) (*Store, error) {
	if err := cfg.setDefaults(); err != nil {
		return nil, err
	}
	s, err := open(cfg)
	if err == nil {
		return s, nil
	}
	if !cfg.SetAside || cfg.ReadOnly || !unusable(err) {
		return nil, fmt.Errorf("open state in %s: %w", cfg.Dir, explainOpen(err))
	}
	aside, asideErr := setAside(&cfg)
	if asideErr != nil {
		return nil, fmt.Errorf("open state in %s: %w", cfg.Dir, errors.Join(err, fmt.Errorf("put it aside: %w", asideErr)))
	}
	cfg.Log.Error("the state on disk is damaged and was put aside; every partition is restored in full from its changelog",
		"damaged", aside, "error", err)
	if s, err = open(cfg); err != nil {
		return nil, fmt.Errorf("open state in %s: %w", cfg.Dir, explainOpen(err))
	}
	s.wasSetAside = true
	return s, nil
}

func open(cfg Config) (*Store, error) {
	s := &Store{
		cfg:     cfg,
		leases:  make(map[Partition]*Lease),
		damaged: make(map[Partition]error),
		closed:  make(chan struct{}),
		idle:    make(chan struct{}),
	}
	if err := s.openable(); err != nil {
		return nil, err
	}
	opts, release := s.options()
	s.tableOptions = opts.MakeWriterOptions(0, pebbleFormat.MaxTableFormat())
	db, err := pebble.Open(cfg.Dir, opts)
	release()
	if err != nil {
		return nil, err
	}
	s.db = db
	if err := s.checkFormat(); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	if !cfg.ReadOnly {
		if err := s.removeOrphans(); err != nil {
			return nil, errors.Join(err, db.Close())
		}
	}
	if s.metrics, err = newMetrics(s, cfg.Registerer); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return s, nil
}

// checkFormat refuses a folder from a newer version and marks a new one as ours.
func (s *Store) checkFormat() error {
	b, ok, err := s.get(metaFormat)
	if err != nil {
		return fmt.Errorf("read format: %w", err)
	}
	switch {
	case !ok && s.cfg.ReadOnly:
		return errors.New("no state here")
	case !ok:
		err := s.db.Set(metaFormat, binary.BigEndian.AppendUint32(nil, formatVersion), pebble.Sync)
		if err != nil {
			return fmt.Errorf("write format: %w", err)
		}
		return nil
	case len(b) != 4:
		return fmt.Errorf("format record has %d bytes: this is not a state folder", len(b))
	}
	if v := binary.BigEndian.Uint32(b); v > formatVersion {
		return fmt.Errorf("%w: %d, this program knows %d; use the version that wrote it, or a newer one",
			ErrNewerFormat, v, formatVersion)
	}
	return nil
}

// get reads one key; the value is a copy.
func (s *Store) get(key []byte) ([]byte, bool, error) {
	v, closer, err := s.db.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	v = append([]byte{}, v...)
	return v, true, closer.Close()
}

// enter begins a call that uses the database; exit ends it. Close waits for all of them.
func (s *Store) enter() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		return ErrClosed
	}
	s.users++
	return nil
}

func (s *Store) exit() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.users--; s.users == 0 && s.closing {
		close(s.idle)
	}
}

// open says whether closing has not begun.
func (s *Store) open() bool {
	select {
	case <-s.closed:
		return false
	default:
		return true
	}
}

// Run flushes every FlushEvery until ctx ends, and looks for the damaged partitions when damage was met.
func (s *Store) Run(ctx context.Context) error {
	t := time.NewTicker(s.cfg.FlushEvery)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-s.closed:
			return nil
		case <-t.C:
			if err := s.Flush(); err != nil && !errors.Is(err, ErrClosed) {
				return err
			}
			if s.suspect.Swap(false) {
				if err := s.scan(); err != nil && !errors.Is(err, ErrClosed) {
					return fmt.Errorf("look for damage: %w", err)
				}
			}
		}
	}
}

// Flush makes what has been applied durable: after it, even a machine that loses its page cache keeps it. It does
// nothing when nothing was applied since the last flush.
func (s *Store) Flush() error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.exit()
	if s.cfg.ReadOnly || !s.dirty.Swap(false) {
		return nil
	}
	s.at(PointFlush)
	if err := s.db.Flush(); err != nil {
		s.dirty.Store(true)
		return fmt.Errorf("flush state: %w", err)
	}
	s.at(PointFlushed)
	return nil
}

// flushSoon begins a flush and does not wait for it.
func (s *Store) flushSoon() {
	if s.enter() != nil {
		return
	}
	defer s.exit()
	if s.cfg.ReadOnly || !s.dirty.Swap(false) {
		return
	}
	if _, err := s.db.AsyncFlush(); err != nil {
		s.dirty.Store(true)
		s.cfg.Log.Warn("state is not flushed", "error", err)
	}
}

// Close takes away all leases, waits for the calls in progress, flushes and closes the database.
func (s *Store) Close() error {
	s.mu.Lock()
	if s.closing {
		s.mu.Unlock()
		return nil
	}
	s.closing = true
	close(s.closed)
	if s.users == 0 {
		close(s.idle)
	}
	held := make([]*Lease, 0, len(s.leases))
	for _, l := range s.leases {
		held = append(held, l)
	}
	s.mu.Unlock()
	for _, l := range held {
		l.end()
	}
	<-s.idle
	s.metrics.unregister()
	var flushErr error
	if !s.cfg.ReadOnly {
		flushErr = s.db.Flush()
	}
	if err := errors.Join(flushErr, s.db.Close()); err != nil {
		return fmt.Errorf("close state: %w", err)
	}
	return nil
}
