package state

import (
	"encoding/binary"
	"fmt"
	"time"
)

// Partition is one partition of one stage. Stages have changelogs of their own.
type Partition struct {
	Stage uint8 // 0: local rules, over the input; 1: routed rules, over the route
	ID    int32
}

func (p Partition) String() string { return fmt.Sprintf("%d/%d", p.Stage, p.ID) }

// compare orders partitions: leases are locked in this order.
func (p Partition) compare(q Partition) int {
	if p.Stage != q.Stage {
		return int(p.Stage) - int(q.Stage)
	}
	return int(int64(p.ID) - int64(q.ID))
}

// Keys of the database:
//
//	stage | partition, 4 B | store | …      one partition
//	0xF0 | name                             the process
//
// Stores, in this order: the control records of a partition first, outside the span that a full restore empties.
const (
	storePosition byte = 0x01 // → Position
	storeProgress byte = 0x02 // → progress of a full restore
	storeData     byte = 0x10 // changelog key → value
	storeTimers   byte = 0x11 // due time, 8 B | group key → nothing
	storeExpiry   byte = 0x12 // day of last write, 4 B | group key → nothing
	storeEnd      byte = 0x13

	prefixLen  = 6
	metaPrefix = 0xF0
	maxStage   = 0x7F
)

var metaFormat = []byte{metaPrefix, 'f', 'o', 'r', 'm', 'a', 't'}

// appendPrefix appends the beginning of all keys of one store of a partition. As the next store's prefix is one higher,
// a store ends where the next begins.
func appendPrefix(dst []byte, p Partition, store byte) []byte {
	dst = append(dst, p.Stage)
	dst = binary.BigEndian.AppendUint32(dst, uint32(p.ID))
	return append(dst, store)
}

func prefix(p Partition, store byte) []byte {
	return appendPrefix(make([]byte, 0, prefixLen), p, store)
}

// appendTime appends a time so that byte order is time order, also before 1970.
func appendTime(dst []byte, t int64) []byte {
	return binary.BigEndian.AppendUint64(dst, uint64(t)^1<<63)
}

func parseTime(b []byte) int64 { return int64(binary.BigEndian.Uint64(b) ^ 1<<63) }

// day is the number of the day, in UTC, that t falls in; negative before 1970.
func day(t int64) int32 {
	const ns = int64(24 * time.Hour)
	d := t / ns
	if t%ns < 0 {
		d--
	}
	return int32(d)
}

func appendDay(dst []byte, d int32) []byte {
	return binary.BigEndian.AppendUint32(dst, uint32(d)^1<<31)
}

// upperBound is the first key after all that begin with b; nil if there is none.
func upperBound(b []byte) []byte {
	end := append([]byte(nil), b...)
	for i := len(end) - 1; i >= 0; i-- {
		if end[i]++; end[i] != 0 {
			return end[:i+1]
		}
	}
	return nil
}
