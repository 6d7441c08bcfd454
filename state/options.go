package state

import (
	"context"
	"fmt"
	"log/slog"
	"strings"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// pebbleFormat is pinned: raising it makes a folder unreadable for older versions. It must stay below
// FormatWALSyncChunks, which records in the log how far it has been synced; on a log that is only handed to the kernel
// that statement is not true of the disk, and Pebble would take a lost page for corruption.
const pebbleFormat = pebble.FormatColumnarBlocks

// options returns Pebble's options and a function to call after the database is open.
func (s *Store) options() (opts *pebble.Options, release func()) {
	cache := pebble.NewCache(s.cfg.CacheBytes)
	opts = &pebble.Options{
		FS:                          kernelWAL{s.cfg.FS},
		Cache:                       cache,
		FormatMajorVersion:          pebbleFormat,
		MemTableSize:                uint64(s.cfg.MemTableBytes),
		MemTableStopWritesThreshold: 4, // two make a slow flush stall commits
		L0CompactionThreshold:       4,
		L0StopWritesThreshold:       24,
		LBaseMaxBytes:               64 << 20,
		MaxOpenFiles:                2000,
		ReadOnly:                    s.cfg.ReadOnly,
		Logger:                      pebbleLog{s.cfg.Log},
		EventListener:               s.listener(),
	}
	opts.CompactionConcurrencyRange = func() (lower, upper int) { return 1, 2 }
	for i := range opts.Levels {
		opts.Levels[i].FilterPolicy = bloom.FilterPolicy(10) // absent keys are common: many events bring a new principal
		if i < len(opts.Levels)-1 {
			// Most of a head are digests, which do not shrink, and the upper levels are soon written again.
			opts.Levels[i].Compression = func() *sstable.CompressionProfile { return sstable.NoCompression }
		} else {
			opts.Levels[i].Compression = func() *sstable.CompressionProfile { return sstable.SnappyCompression }
		}
	}
	opts.EnsureDefaults()
	return opts, cache.Unref
}

func (s *Store) listener() *pebble.EventListener {
	return &pebble.EventListener{
		// Without it Pebble ends the process, and again at every start.
		DataCorruption: s.corrupted,
		BackgroundError: func(err error) {
			if !corrupt(err) { // has been said, and comes again and again
				s.cfg.Log.Error("state: background error", "error", err)
			}
		},
		WriteStallBegin: func(i pebble.WriteStallBeginInfo) {
			s.cfg.Log.Warn("state: writes are stalled", "reason", i.Reason)
		},
		WriteStallEnd: func() { s.cfg.Log.Info("state: writes go on") },
	}
}

// explainOpen adds the remedy where there is one.
func explainOpen(err error) error {
	switch {
	case strings.Contains(err.Error(), "lock held by current process"),
		strings.Contains(err.Error(), "resource temporarily unavailable"):
		return fmt.Errorf("the folder is in use by another process: %w", err)
	case unusable(err):
		return fmt.Errorf("the database is damaged; move the folder away and start again, the state will be restored "+
			"from the changelog: %w", err)
	}
	return err
}

// pebbleLog gives Pebble's messages to slog. What Pebble calls fatal is a state in which it cannot go on.
type pebbleLog struct{ log *slog.Logger }

func (l pebbleLog) Infof(format string, args ...any) {
	if l.log.Enabled(context.Background(), slog.LevelDebug) {
		l.log.Debug("pebble", "message", fmt.Sprintf(format, args...))
	}
}

func (l pebbleLog) Errorf(format string, args ...any) {
	l.log.Error("pebble", "message", fmt.Sprintf(format, args...))
}

func (l pebbleLog) Fatalf(format string, args ...any) {
	msg := fmt.Sprintf(format, args...)
	l.log.Error("pebble cannot go on", "message", msg)
	panic("pebble: " + msg)
}

var _ vfs.FS = kernelWAL{}
