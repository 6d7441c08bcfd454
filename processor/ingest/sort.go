package ingest

import (
	"bufio"
	"cmp"
	"container/heap"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
)

// lineOverhead is what a line costs in memory beside its bytes.
const lineOverhead = 128

// sorter sorts lines by time, equal times in the order they came, with bounded memory: when the lines held exceed the
// limit they are sorted and written to a temporary file, and the files are merged at the end. A merge holds one line of
// each file.
type sorter struct {
	limit int64
	dir   string

	lines []dated
	bytes int64
	runs  []*os.File
	names []string // of files, by number
	index map[string]uint64
}

func newSorter(limit int64, dir string) *sorter {
	return &sorter{limit: limit, dir: dir, index: map[string]uint64{}}
}

func (s *sorter) add(l dated) error {
	s.lines = append(s.lines, l)
	s.bytes += int64(len(l.Value)) + lineOverhead
	if s.bytes > s.limit {
		return s.spill()
	}
	return nil
}

func (s *sorter) sortLines() {
	slices.SortStableFunc(s.lines, func(a, b dated) int { return cmp.Compare(a.sort, b.sort) })
}

// spill writes the lines held as one sorted run.
func (s *sorter) spill() error {
	f, err := os.CreateTemp(s.dir, "tocsin-sort-*")
	if err != nil {
		return fmt.Errorf("sort: make a temporary file (another folder can be named with --temp-dir): %w", err)
	}
	s.runs = append(s.runs, f)
	s.sortLines()
	w := bufio.NewWriterSize(f, 256<<10)
	for _, l := range s.lines {
		if err := s.encode(w, l); err != nil {
			return fmt.Errorf("sort: write a temporary file (another folder can be named with --temp-dir): %w", err)
		}
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("sort: write a temporary file (another folder can be named with --temp-dir): %w", err)
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("sort: %w", err)
	}
	clear(s.lines) // let go of the values
	s.lines, s.bytes = s.lines[:0], 0
	return nil
}

func (s *sorter) encode(w *bufio.Writer, l dated) error {
	file, ok := s.index[l.Place.File]
	if !ok {
		file = uint64(len(s.names))
		s.names = append(s.names, l.Place.File)
		s.index[l.Place.File] = file
	}
	record := uint64(0)
	if l.Place.Record {
		record = 1
	}
	var b []byte
	b = binary.BigEndian.AppendUint64(b, uint64(l.sort))
	b = binary.BigEndian.AppendUint64(b, uint64(l.event))
	b = binary.AppendUvarint(b, file)
	b = binary.AppendUvarint(b, uint64(l.Place.Number)<<1|record)
	b = binary.AppendUvarint(b, uint64(l.Length))
	b = binary.AppendUvarint(b, uint64(len(l.Value)))
	if _, err := w.Write(b); err != nil {
		return err
	}
	_, err := w.Write(l.Value)
	return err
}

func (s *sorter) decode(r *bufio.Reader) (dated, error) {
	var head [16]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return dated{}, err // io.EOF at the end of the run
	}
	var n [4]uint64
	for i := range n {
		v, err := binary.ReadUvarint(r)
		if err != nil {
			return dated{}, noEOF(err)
		}
		n[i] = v
	}
	l := dated{
		sort:  int64(binary.BigEndian.Uint64(head[:8])),
		event: int64(binary.BigEndian.Uint64(head[8:])),
		Line: Line{
			Place:  Place{File: s.names[n[0]], Number: int64(n[1] >> 1), Record: n[1]&1 == 1},
			Length: int64(n[2]),
			Value:  make([]byte, n[3]),
		},
	}
	if _, err := io.ReadFull(r, l.Value); err != nil {
		return dated{}, noEOF(err)
	}
	return l, nil
}

// each passes on all lines in order. The sorter is used up.
func (s *sorter) each(emit func(dated) error) error {
	if len(s.runs) == 0 {
		s.sortLines()
		for _, l := range s.lines {
			if err := emit(l); err != nil {
				return err
			}
		}
		return nil
	}
	if len(s.lines) > 0 {
		if err := s.spill(); err != nil {
			return err
		}
	}
	var m merge
	for i, f := range s.runs {
		r := &runReader{s: s, in: bufio.NewReaderSize(f, 64<<10), order: i}
		if more, err := r.next(); err != nil {
			return err
		} else if more {
			m = append(m, r)
		}
	}
	heap.Init(&m)
	for len(m) > 0 {
		r := m[0]
		if err := emit(r.line); err != nil {
			return err
		}
		more, err := r.next()
		switch {
		case err != nil:
			return err
		case more:
			heap.Fix(&m, 0)
		default:
			heap.Pop(&m)
		}
	}
	return nil
}

// close removes the temporary files.
func (s *sorter) close() error {
	var errs []error
	for _, f := range s.runs {
		errs = append(errs, f.Close(), os.Remove(f.Name()))
	}
	s.runs = nil
	return errors.Join(errs...)
}

// runReader reads one sorted run; line is its next line.
type runReader struct {
	s     *sorter
	in    *bufio.Reader
	order int
	line  dated
}

func (r *runReader) next() (bool, error) {
	l, err := r.s.decode(r.in)
	if errors.Is(err, io.EOF) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("sort: read back a temporary file: %w", err)
	}
	r.line = l
	return true, nil
}

// merge is a heap of runs by their next line; an earlier run comes first among equals, which keeps the sort stable.
type merge []*runReader

func (m merge) Len() int      { return len(m) }
func (m merge) Swap(i, j int) { m[i], m[j] = m[j], m[i] }
func (m *merge) Push(x any)   { *m = append(*m, x.(*runReader)) }
func (m *merge) Pop() any {
	old := *m
	x := old[len(old)-1]
	*m = old[:len(old)-1]
	return x
}
func (m merge) Less(i, j int) bool {
	if m[i].line.sort != m[j].line.sort {
		return m[i].line.sort < m[j].line.sort
	}
	return m[i].order < m[j].order
}
