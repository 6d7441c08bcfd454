package app

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"tocsin/processor/detect"
	"tocsin/state"
	"tocsin/state/window"
	"tocsin/topics"
)

// PartitionState is what the state on disk says of a partition.
type PartitionState struct {
	Partition  string
	Complete   bool // false: a full restore was interrupted
	Next       int64
	Sequence   uint64
	RecordTime topics.Timestamp
	AppliedAt  time.Time
	Changelog  int64 // next changelog offset
	DiskBytes  uint64
	Digest     *state.Digest // nil: not asked for
	Formats    map[int]int64 // how many values are written in which format; nil: not asked for
}

// StateFormats gives the formats of the state that this program reads, and the one that it writes if not told
// otherwise.
func StateFormats() (oldest, newest, written int) {
	return topics.OldestValueFormat, topics.NewestValueFormat, topics.DefaultValueFormat
}

// InspectState reads the state on disk, which no other process may have open. digest makes it read everything and
// compute the digest of what is live under the configured rules, and count what is written in which format.
func InspectState(
	c *Config, digest bool, now func() time.Time, each func(PartitionState) error,
) (err error) {
	dir := c.stateDir()
	if _, err := os.Stat(filepath.Clean(dir)); errors.Is(err, fs.ErrNotExist) {
		return Usagef("there is no state in %s: name its folder with app.data_dir or state.dir", dir)
	}
	rules, err := detect.Compile(c.Detect())
	if err != nil {
		return err
	}
	store, err := state.Open(state.Config{
		Dir: dir, HeadIndex: window.HeadIndex, Now: now, ReadOnly: true, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return fmt.Errorf("%w (a running process keeps its state to itself: stop it first)", err)
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	infos, err := store.Partitions()
	if err != nil {
		return err
	}
	for _, i := range infos {
		seal := &i.Position.Seal
		p := PartitionState{
			Partition: i.Partition.String(), Complete: i.Complete, Next: seal.Next, Sequence: seal.Sequence,
			RecordTime: topics.Timestamp(seal.RecordTime), AppliedAt: time.Unix(0, i.Since).UTC(),
			Changelog: i.Position.ChangelogNext, DiskBytes: i.DiskBytes,
		}
		if digest {
			d, err := store.Digest(i.Partition, func(ix window.Index) bool {
				return seal.RecordTime <= ix.LastWrite+rules.Retention()
			})
			if err != nil {
				return err
			}
			p.Digest, p.Formats = &d, map[int]int64{}
			err = store.Visit(i.Partition, func(_, value []byte) error {
				if len(value) > 0 {
					p.Formats[int(value[0])]++
				}
				return nil
			})
			if err != nil {
				return err
			}
		}
		if err := each(p); err != nil {
			return err
		}
	}
	return nil
}
