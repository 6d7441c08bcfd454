package ingest

import (
	"fmt"
	"time"
)

// Line is one line of JSON text, or one record of a CloudTrail file after the mapping.
type Line struct {
	Value []byte // the bytes to be sent; owned by the receiver
	Place Place
	// Length is the number of bytes the line has. It exceeds len(Value) when the line is longer than anything a topic
	// takes: then Value is its beginning only, and the line cannot be sent.
	Length int64
}

// Place says where a line stands in the input.
type Place struct {
	File   string
	Number int64 // of the line, from 1; of the record in a CloudTrail file, from 0
	Record bool  // Number is the index of a record
}

// String gives file:line, or file[index] for a record.
func (p Place) String() string {
	if p.Record {
		return fmt.Sprintf("%s[%d]", p.File, p.Number)
	}
	return fmt.Sprintf("%s:%d", p.File, p.Number)
}

// dated is a line with the time it is sorted and stamped by.
type dated struct {
	Line
	sort  int64 // event time, or that of the line before where the line has none (Unix ns); minTime for none so far
	event int64 // event time, 0 when unreadable
}

// minTime sorts before every event time.
const minTime = int64(-1 << 63)

// Options of the reading side.
type Options struct {
	// FileOrder keeps the order of the input. Otherwise lines are sorted by event time, equal times in input order.
	FileOrder bool
	// SortBytes is how many bytes of lines are held in memory for sorting before a run is written to TempDir.
	SortBytes int64
	// TempDir holds the sorted runs; "" means the system's folder for temporary files.
	TempDir string
	// MaxLineBytes is the longest line read into memory; a longer one is refused. At least the largest record any topic
	// takes.
	MaxLineBytes int
	// Format of the input.
	Format Format
	// Now is the wall clock.
	Now func() time.Time
}

// Defaults for [Options].
const (
	DefaultSortBytes    = 256 << 20
	DefaultMaxLineBytes = 32 << 20
)

// Format of input files.
type Format string

// The formats. FormatAuto looks at the first bytes of each file.
const (
	FormatAuto       Format = "auto"
	FormatJSONLines  Format = "jsonl"
	FormatCloudTrail Format = "cloudtrail"
)
