package state

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"slices"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// run is a sorted chunk on disk: uvarint len(key), then 0 for a tombstone or uvarint len(value)+1, then key and value.
type run struct {
	name    string // of the file, in the store's folder
	records uint64
	crc     uint32 // Castagnoli, over the file
}

const (
	runPrefix = "restore-"
	runBuffer = 256 << 10
	maxRecord = 1 << 30 // no record of a changelog is as long
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// writeRun writes a sorted chunk and syncs it.
func (s *Store) writeRun(name string, c *chunk) (r run, err error) {
	f, err := s.cfg.FS.Create(s.path(name), "tocsin-restore")
	if err != nil {
		return r, fmt.Errorf("create run: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	r = run{name: name, records: uint64(len(c.recs))}
	buf := make([]byte, 0, runBuffer)
	flush := func() error {
		r.crc = crc32.Update(r.crc, castagnoli, buf)
		_, err := f.Write(buf)
		buf = buf[:0]
		return err
	}
	for i := range c.recs {
		rec := &c.recs[i]
		buf = binary.AppendUvarint(buf, uint64(rec.key))
		if rec.deleted {
			buf = append(buf, 0)
		} else {
			buf = binary.AppendUvarint(buf, uint64(rec.value)+1)
		}
		buf = append(buf, c.buf[rec.at:rec.at+int(rec.key)+int(rec.value)]...)
		if len(buf) >= runBuffer-(4<<10) {
			if err := flush(); err != nil {
				return r, fmt.Errorf("write run: %w", err)
			}
		}
	}
	if err := flush(); err != nil {
		return r, fmt.Errorf("write run: %w", err)
	}
	if err := f.Sync(); err != nil {
		return r, fmt.Errorf("sync run: %w", err)
	}
	return r, nil
}

func (s *Store) path(name string) string { return s.cfg.FS.PathJoin(s.cfg.Dir, name) }

// source gives records in key order: next returns false at the end. key and value are valid until the next call.
type source interface {
	next() (ok bool, err error)
	record() (key, value []byte)
	close() error
}

// runSource reads a run.
type runSource struct {
	run  run
	file vfs.File
	r    *bufio.Reader
	crc  uint32
	read uint64 // records
	buf  []byte
	key  int
	dead bool // tombstone
}

func (s *Store) openRun(r run) (*runSource, error) {
	f, err := s.cfg.FS.Open(s.path(r.name))
	if err != nil {
		return nil, fmt.Errorf("open run: %w", err)
	}
	src := &runSource{run: r, file: f}
	src.r = bufio.NewReaderSize(crcReader{src}, runBuffer)
	return src, nil
}

// crcReader adds up the checksum of what is read from the file.
type crcReader struct{ s *runSource }

func (c crcReader) Read(p []byte) (int, error) {
	n, err := c.s.file.Read(p)
	c.s.crc = crc32.Update(c.s.crc, castagnoli, p[:n])
	return n, err
}

func (s *runSource) next() (bool, error) {
	if s.read == s.run.records {
		if _, err := s.r.ReadByte(); !errors.Is(err, io.EOF) || s.crc != s.run.crc {
			return false, fmt.Errorf("run %s: %w", s.run.name, errRunDamaged)
		}
		return false, nil
	}
	s.read++
	key, err1 := binary.ReadUvarint(s.r)
	value, err2 := binary.ReadUvarint(s.r)
	if err1 != nil || err2 != nil || key > maxRecord || value > maxRecord {
		return false, fmt.Errorf("run %s: %w", s.run.name, errRunDamaged)
	}
	if s.dead = value == 0; !s.dead {
		value--
	}
	s.key = int(key)
	s.buf = slices.Grow(s.buf[:0], int(key+value))[:key+value]
	if _, err := io.ReadFull(s.r, s.buf); err != nil {
		return false, fmt.Errorf("run %s: %w", s.run.name, errRunDamaged)
	}
	return true, nil
}

var errRunDamaged = errors.New("the file is damaged")

func (s *runSource) record() (key, value []byte) {
	if s.dead {
		return s.buf, nil
	}
	return s.buf[:s.key], s.buf[s.key:]
}

func (s *runSource) close() error { return s.file.Close() }

// chunkSource reads a sorted chunk.
type chunkSource struct {
	chunk *chunk
	at    int // of the next record
}

func (s *chunkSource) next() (bool, error) {
	s.at++
	return s.at <= len(s.chunk.recs), nil
}

func (s *chunkSource) record() (key, value []byte) {
	r := &s.chunk.recs[s.at-1]
	return s.chunk.key(r), s.chunk.value(r)
}

func (s *chunkSource) close() error { return nil }

// merge calls fn for the newest record of every key, in key order, tombstones included. Of two sources with the same
// key the later one is the newer. key and value are valid during the call only.
func merge(sources []source, fn func(key, value []byte) error) error {
	var h mergeHeap
	for i, s := range sources {
		ok, err := s.next()
		if err != nil {
			return err
		}
		if ok {
			key, value := s.record()
			h = append(h, merging{s, i, key, value})
		}
	}
	for i := len(h)/2 - 1; i >= 0; i-- {
		h.down(i)
	}
	var last []byte
	for first := true; len(h) > 0; {
		top := &h[0]
		if first || !bytes.Equal(top.key, last) {
			if err := fn(top.key, top.value); err != nil {
				return err
			}
			last, first = append(last[:0], top.key...), false
		}
		ok, err := top.source.next()
		if err != nil {
			return err
		}
		if ok {
			top.key, top.value = top.source.record()
		} else {
			h[0] = h[len(h)-1]
			h = h[:len(h)-1]
		}
		h.down(0)
	}
	return nil
}

type merging struct {
	source     source
	age        int // index of the source
	key, value []byte
}

// mergeHeap has the least key on top, and of equal keys the newest.
type mergeHeap []merging

func (h mergeHeap) less(i, j int) bool {
	if n := bytes.Compare(h[i].key, h[j].key); n != 0 {
		return n < 0
	}
	return h[i].age > h[j].age
}

func (h mergeHeap) down(i int) {
	for {
		least := i
		for _, child := range [2]int{2*i + 1, 2*i + 2} {
			if child < len(h) && h.less(child, least) {
				least = child
			}
		}
		if least == i {
			return
		}
		h[i], h[least] = h[least], h[i]
		i = least
	}
}
