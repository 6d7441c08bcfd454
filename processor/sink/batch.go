package sink

import (
	"cmp"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"
)

// part is what a batch holds of one partition: the records from expected (the position) up to next, which lies behind
// the last of them, control records included. Records below the position are not in it.
type part struct {
	partition      int32
	expected, next int64
	entries        []*entry // by offset
}

// batch is what one SQL transaction stores, by partition.
type batch []part

func (b batch) len() int {
	n := 0
	for i := range b {
		n += len(b[i].entries)
	}
	return n
}

// newBatch takes what a poll returned. position tells where a partition stands; ok is false for one that is not ours.
func newBatch(fetches kgo.Fetches, position func(partition int32) (next int64, ok bool)) batch {
	var b batch
	fetches.EachPartition(func(p kgo.FetchTopicPartition) {
		if len(p.Records) == 0 {
			return
		}
		next, ok := position(p.Partition)
		if !ok {
			return
		}
		b = append(b, newPart(p.Partition, next, p.Records))
	})
	b = slices.DeleteFunc(b, func(p part) bool { return p.next == p.expected })
	slices.SortFunc(b, func(x, y part) int { return cmp.Compare(x.partition, y.partition) })
	return b
}

func newPart(partition int32, next int64, records []*kgo.Record) part {
	p := part{partition: partition, expected: next, next: next}
	for _, r := range records {
		if r.Offset < p.next {
			continue
		}
		p.next = r.Offset + 1
		// A tombstone only says that the topic forgets an alert; the database decides for itself.
		if !r.Attrs.IsControl() && r.Value != nil {
			p.entries = append(p.entries, newEntry(r))
		}
	}
	return p
}

// halves splits a batch of two or more entries into two that, stored one after the other, are the same as the whole.
func (b batch) halves() (first, second batch) {
	left := b.len() / 2
	for i, p := range b {
		n := len(p.entries)
		switch {
		case n <= left:
			first = append(first, p)
		case left == 0:
			return first, append(second, b[i:]...)
		default:
			cut := p.entries[left].offset
			first = append(first, part{p.partition, p.expected, cut, p.entries[:left]})
			second = append(second, part{p.partition, cut, p.next, p.entries[left:]})
			return first, append(second, b[i+1:]...)
		}
		left -= n
	}
	return first, second
}

// flat lists the entries in the order in which they are applied: by alert id, and for one alert in log order.
func (b batch) flat() (revisions []located, rejected []located) {
	for i := range b {
		for _, e := range b[i].entries {
			l := located{partition: b[i].partition, entry: e}
			if e.rejected != nil {
				rejected = append(rejected, l)
			} else {
				revisions = append(revisions, l)
			}
		}
	}
	slices.SortStableFunc(revisions, func(x, y located) int { return cmp.Compare(x.alert.ID, y.alert.ID) })
	return revisions, rejected
}

// located is an entry with its partition.
type located struct {
	partition int32
	*entry
}
