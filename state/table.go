package state

import (
	"context"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/objstorage/objstorageprovider"
	"github.com/cockroachdb/pebble/v2/sstable"

	"tocsin/topics"
)

const (
	tableBytes = 64 << 20  // keys and values of one table
	batchBytes = 512 << 10 // handed to the goroutine that writes tables
)

// merger takes the merged records of a full restore: it adds up their hashes, derives the indexes of the heads, and has
// two more goroutines write the tables of both.
type merger struct {
	f    *full
	sum  topics.Sum
	live int64
	key  []byte
	// unread is the first value of a format that this build does not read. What it says counts only when the sum agrees:
	// until then it may be a foreign record.
	unread error

	batch *chunk
	pipe  *pipe[*chunk]
	data  *tableWriter

	index     *chunk // entries, with their prefix
	indexPipe *pipe[*chunk]
	indexes   []run // tables of index entries; they may overlap each other
}

func newMerger(f *full) *merger {
	m := &merger{f: f, batch: &chunk{}, index: &chunk{}}
	m.data = &tableWriter{s: f.r.l.s, name: f.fileName, prefix: prefix(f.r.l.p, storeData)}
	m.pipe = newPipe(&chunk{}, m.data.write)
	m.indexPipe = newPipe(&chunk{}, m.writeIndex)
	return m
}

// add takes the next live key.
func (m *merger) add(key, value []byte) error {
	if value == nil {
		return nil
	}
	m.sum.Add(topics.ChangeHash(key, value))
	m.live++
	groupKey, suffix, err := topics.SplitChangeKey(key)
	if err != nil {
		return fmt.Errorf("key %q: %w", key, err)
	}
	if m.unread != nil {
		return nil //nolint:nilerr // only the sum is wanted any more: it shows whether the value is ours
	}
	if err := m.f.r.l.s.cfg.CheckFormat(value); err != nil {
		m.unread = fmt.Errorf("value of key %q: %w", key, err)
		return nil
	}
	if suffix[0] == topics.PartHead {
		if err := m.addIndex(groupKey, value); err != nil {
			return err
		}
	}
	m.batch.add(key, value)
	if m.batch.size() < batchBytes {
		return nil
	}
	m.batch, err = m.pipe.send(m.batch)
	return err
}

func (m *merger) addIndex(groupKey, head []byte) error {
	p := m.f.r.l.p
	ix, err := m.f.r.l.s.cfg.HeadIndex(head)
	if err != nil {
		return fmt.Errorf("index of head: %w", err)
	}
	if ix.Due != 0 {
		m.key = appendTimerKey(m.key[:0], p, ix.Due, groupKey)
		m.index.add(m.key, []byte{})
	}
	m.key = appendExpiryKey(m.key[:0], p, ix.LastWrite, groupKey)
	m.index.add(m.key, []byte{})
	if m.index.size() < m.f.r.cfg.ChunkBytes {
		return nil
	}
	m.index, err = m.indexPipe.send(m.index)
	return err
}

// writeIndex writes index entries as a table of their own.
func (m *merger) writeIndex(c *chunk) error {
	c.sort()
	w := &tableWriter{s: m.f.r.l.s, name: m.data.name}
	err := errors.Join(w.write(c), w.end())
	m.indexes = append(m.indexes, w.tables...)
	return err
}

// finish ends the tables and returns those with the data, which do not overlap.
func (m *merger) finish() (data []run, err error) {
	if m.index != nil && len(m.index.recs) > 0 { // nil after an error
		_, err = m.indexPipe.send(m.index)
	}
	if m.batch != nil && len(m.batch.recs) > 0 {
		_, e := m.pipe.send(m.batch)
		err = errors.Join(err, e)
	}
	err = errors.Join(err, m.pipe.close(), m.indexPipe.close(), m.data.end())
	return m.data.tables, err
}

// leftOver lists the tables that have not been handed to the database.
func (m *merger) leftOver() []run {
	var left []run
	for _, r := range append(m.data.tables, m.indexes...) {
		if _, err := m.f.r.l.s.cfg.FS.Stat(m.f.r.l.s.path(r.name)); err == nil {
			left = append(left, r)
		}
	}
	return left
}

// tableWriter writes records that come in key order to tables, one after the other.
type tableWriter struct {
	s      *Store
	name   func() string // of the next file
	prefix []byte        // of all keys
	tables []run
	w      *sstable.Writer
	bytes  int
	key    []byte
}

// write appends a batch and empties it.
func (t *tableWriter) write(c *chunk) error {
	defer c.reset()
	for i := range c.recs {
		r := &c.recs[i]
		if t.w == nil {
			if err := t.begin(); err != nil {
				return err
			}
		}
		t.key = append(append(t.key[:0], t.prefix...), c.key(r)...)
		if err := t.w.Set(t.key, c.value(r)); err != nil {
			return fmt.Errorf("write table: %w", err)
		}
		if t.bytes += len(t.key) + int(r.value); t.bytes >= tableBytes {
			if err := t.end(); err != nil {
				return err
			}
		}
	}
	return nil
}

func (t *tableWriter) begin() error {
	name := t.name()
	f, err := t.s.cfg.FS.Create(t.s.path(name), "tocsin-restore")
	if err != nil {
		return fmt.Errorf("create table: %w", err)
	}
	t.tables = append(t.tables, run{name: name})
	t.w, t.bytes = sstable.NewWriter(objstorageprovider.NewFileWritable(f), t.s.tableOptions), 0
	return nil
}

// end completes and syncs the table that is being written.
func (t *tableWriter) end() error {
	if t.w == nil {
		return nil
	}
	w := t.w
	t.w = nil
	if err := w.Close(); err != nil {
		return fmt.Errorf("write table: %w", err)
	}
	return nil
}

// replace puts tables in the place of all the data and indexes of the partition. The removal is durable at once, ahead
// of anything that was applied and not flushed: therefore the mark of the restore is flushed first, or a position could
// come back that has lost its data.
func (l *Lease) replace(data, indexes []run) error {
	if err := l.s.db.Flush(); err != nil {
		return fmt.Errorf("flush mark: %w", err)
	}
	return l.locked(func() error {
		ctx := context.Background() // Pebble uses it for tracing alone
		span := pebble.KeyRange{Start: prefix(l.p, storeData), End: prefix(l.p, storeEnd)}
		err := l.s.checkEdges(span)
		if err != nil {
			return fmt.Errorf("replace partition: %w", err)
		}
		if len(data) == 0 {
			err = l.s.db.Excise(ctx, span)
		} else {
			_, err = l.s.db.IngestAndExcise(ctx, l.s.paths(data), nil, nil, span)
		}
		if err != nil {
			return fmt.Errorf("replace partition: %w", err)
		}
		for _, r := range indexes {
			if err := l.s.db.Ingest(ctx, l.s.paths([]run{r})); err != nil {
				return fmt.Errorf("ingest index: %w", err)
			}
		}
		return nil
	})
}

func (s *Store) paths(runs []run) []string {
	paths := make([]string, len(runs))
	for i, r := range runs {
		paths[i] = s.path(r.name)
	}
	return paths
}

// locked calls fn while the lease holds and cannot end.
func (l *Lease) locked(fn func() error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended {
		return l.lost()
	}
	return fn()
}
