package state

import (
	"fmt"
	"slices"
	"time"

	"github.com/cockroachdb/pebble/v2"
)

// Drop removes all that is known of a partition nobody holds.
func (s *Store) Drop(p Partition) error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.exit()
	l := &Lease{s: s, p: p, holder: "drop", gone: make(chan struct{})}
	cur, claimed, err := s.claim(l)
	switch {
	case err != nil:
		return fmt.Errorf("drop partition %s: %w", p, err)
	case !claimed:
		return fmt.Errorf("drop partition %s: %w by %s", p, ErrLeased, cur.holder)
	}
	defer l.end()
	at, _, err := s.progress(p)
	if _ = l.checked(err); s.damage(p) != nil { // notes what cannot be read
		if err := l.wipe(); err != nil {
			return fmt.Errorf("drop partition %s: %w", p, err)
		}
		return nil
	}
	if err != nil {
		return fmt.Errorf("drop partition %s: %w", p, err)
	}
	s.dirty.Store(true)
	if err := s.db.DeleteRange(prefix(p, 0), prefix(p, 0xFF), pebble.Sync); err != nil {
		return fmt.Errorf("drop partition %s: %w", p, err)
	}
	s.removeRuns(at.runs)
	return nil
}

// Prune drops partitions that nobody holds: those unused for longer than maxAge, and then the longest unused until
// the rest of them have at most maxBytes. It returns what it dropped.
func (s *Store) Prune(maxAge time.Duration, maxBytes uint64) (dropped []Partition, err error) {
	all, err := s.Partitions()
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(i Info) bool { return i.Holder != "" })
	slices.SortFunc(all, func(a, b Info) int { // the one to keep longest first
		if a.Since != b.Since {
			if a.Since > b.Since {
				return -1
			}
			return 1
		}
		return a.Partition.compare(b.Partition)
	})
	oldest := s.cfg.Now().Add(-maxAge).UnixNano()
	var kept uint64
	for _, i := range all {
		if i.Since >= oldest && kept+i.DiskBytes <= maxBytes {
			kept += i.DiskBytes
			continue
		}
		if err := s.Drop(i.Partition); err != nil {
			return dropped, err
		}
		dropped = append(dropped, i.Partition)
	}
	return dropped, nil
}
