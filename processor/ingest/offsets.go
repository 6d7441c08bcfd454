package ingest

import (
	"cmp"
	"math"
	"slices"

	"tocsin/topics/readlog"
)

// Offsets is a set of offsets per partition, kept as ranges.
type Offsets struct {
	parts map[int32][]readlog.Range
}

// NewOffsets makes an empty set.
func NewOffsets() *Offsets { return &Offsets{parts: map[int32][]readlog.Range{}} }

// Add adds one offset. Offsets of a partition come in ascending order, as a producer gets them.
func (o *Offsets) Add(partition int32, offset int64) {
	rs := o.parts[partition]
	if n := len(rs); n > 0 && rs[n-1].To == offset {
		rs[n-1].To++
		return
	}
	o.parts[partition] = append(rs, readlog.Range{From: offset, To: offset + 1})
}

// Contains says whether the offset is in the set.
func (o *Offsets) Contains(partition int32, offset int64) bool {
	rs := o.parts[partition]
	i, found := slices.BinarySearchFunc(rs, offset, func(r readlog.Range, at int64) int {
		switch {
		case r.To <= at:
			return -1
		case r.From > at:
			return 1
		}
		return 0
	})
	return found && i < len(rs)
}

// Partitions lists those with an offset, ascending.
func (o *Offsets) Partitions() []int32 {
	ps := make([]int32, 0, len(o.parts))
	for p := range o.parts {
		ps = append(ps, p)
	}
	slices.Sort(ps)
	return ps
}

// Bounds are the smallest range that holds all offsets of the partition.
func (o *Offsets) Bounds(partition int32) readlog.Range {
	rs := o.parts[partition]
	if len(rs) == 0 {
		return readlog.Range{}
	}
	return readlog.Range{From: rs[0].From, To: rs[len(rs)-1].To}
}

// Len is the number of offsets of the partition.
func (o *Offsets) Len(partition int32) int64 {
	var n int64
	for _, r := range o.parts[partition] {
		n += r.To - r.From
	}
	return n
}

// Between is the number of offsets of the partition from one to below another.
func (o *Offsets) Between(partition int32, from, to int64) int64 {
	rs := o.parts[partition]
	first, _ := slices.BinarySearchFunc(rs, from, func(r readlog.Range, at int64) int { return cmp.Compare(r.To, at) })
	var n int64
	for _, r := range rs[first:] {
		if r.From >= to {
			break
		}
		n += max(0, min(r.To, to)-max(r.From, from))
	}
	return n
}

// Beyond is the number of offsets of the partition at or above this one.
func (o *Offsets) Beyond(partition int32, offset int64) int64 {
	return o.Between(partition, offset, math.MaxInt64)
}
