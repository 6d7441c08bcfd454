package state

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/objstorage/objstorageprovider"
	"github.com/cockroachdb/pebble/v2/sstable"
)

// chunk collects database records in memory until they are sorted into one table. Of records with one key the last
// wins.
type chunk struct {
	buf  []byte
	recs []chunkRecord
}

// chunkRecord points into the chunk's buffer: key, then value.
type chunkRecord struct {
	at      int
	key     int32 // length
	value   int32 // length
	deleted bool
}

func (c *chunk) key(r *chunkRecord) []byte { return c.buf[r.at : r.at+int(r.key)] }

func (c *chunk) value(r *chunkRecord) []byte {
	at := r.at + int(r.key)
	return c.buf[at : at+int(r.value)]
}

// add appends a record whose key is prefix followed by key; a nil value is a tombstone.
func (c *chunk) add(prefix, key, value []byte) {
	c.recs = append(c.recs, chunkRecord{len(c.buf), int32(len(prefix) + len(key)), int32(len(value)), value == nil})
	c.buf = append(append(append(c.buf, prefix...), key...), value...)
}

func (c *chunk) reset() { c.buf, c.recs = c.buf[:0], c.recs[:0] }

// sort orders the records by key and leaves the last of each key.
func (c *chunk) sort() {
	slices.SortFunc(c.recs, func(a, b chunkRecord) int {
		if n := bytes.Compare(c.key(&a), c.key(&b)); n != 0 {
			return n
		}
		return b.at - a.at // the last one added comes first, and is the one that stays
	})
	c.recs = slices.CompactFunc(c.recs, func(a, b chunkRecord) bool { return bytes.Equal(c.key(&a), c.key(&b)) })
}

// ingest sorts the chunk, writes it as a table and, while the lease holds, hands that to the database. tombstones says
// whether there may be older values that deletions must hide. The chunk is empty afterwards.
func (l *Lease) ingest(c *chunk, tombstones bool) error {
	defer c.reset()
	c.sort()
	s := l.s
	path := s.cfg.FS.PathJoin(s.cfg.Dir, fmt.Sprintf("%s%d-%d-%d%s", tablePrefix, l.p.Stage, l.p.ID, l.epoch, tableSuffix))
	n, err := s.writeTable(path, c, tombstones)
	if err != nil || n == 0 {
		return errors.Join(err, s.cfg.FS.Remove(path))
	}
	return l.locked(func() error {
		// Pebble uses this context for tracing alone.
		if err := s.db.Ingest(context.Background(), []string{path}); err != nil {
			return fmt.Errorf("ingest: %w", err)
		}
		return nil
	})
}

// Names of tables on their way into the database; what a crash leaves of them is removed by Open.
const (
	tablePrefix = "restore-"
	tableSuffix = ".tmp"
)

// removeTables removes the tables that an interrupted restore has left.
func (s *Store) removeTables() error {
	names, err := s.cfg.FS.List(s.cfg.Dir)
	if err != nil {
		return fmt.Errorf("list folder: %w", err)
	}
	for _, name := range names {
		if strings.HasPrefix(name, tablePrefix) && strings.HasSuffix(name, tableSuffix) {
			if err := s.cfg.FS.Remove(s.cfg.FS.PathJoin(s.cfg.Dir, name)); err != nil {
				return fmt.Errorf("remove left-over table: %w", err)
			}
		}
	}
	return nil
}

// writeTable writes a sorted chunk and tells how many records it has written.
func (s *Store) writeTable(path string, c *chunk, tombstones bool) (n int, err error) {
	f, err := s.cfg.FS.Create(path, "tocsin-restore")
	if err != nil {
		return 0, fmt.Errorf("create table: %w", err)
	}
	w := sstable.NewWriter(objstorageprovider.NewFileWritable(f), s.tableOptions)
	for i := range c.recs {
		r := &c.recs[i]
		switch {
		case !r.deleted:
			err = w.Set(c.key(r), c.value(r))
		case tombstones:
			err = w.Delete(c.key(r))
		default:
			continue
		}
		if err != nil {
			return 0, fmt.Errorf("write table: %w", errors.Join(err, w.Close()))
		}
		n++
	}
	if err := w.Close(); err != nil {
		return 0, fmt.Errorf("write table: %w", err)
	}
	return n, nil
}

// excise removes all keys in [lower, upper) at once. What is removed must not be needed whatever happens next: the
// removal is durable at once, ahead of anything that was applied and not flushed.
func (s *Store) excise(lower, upper []byte) error {
	// Pebble uses this context for tracing alone.
	if err := s.db.Excise(context.Background(), pebble.KeyRange{Start: lower, End: upper}); err != nil {
		return fmt.Errorf("empty partition: %w", err)
	}
	return nil
}
