package generate

import (
	"fmt"

	"tocsin/processor/processortest/oracle"
	"tocsin/topics"
)

// Expectation is what a run over a stream must give.
type Expectation struct {
	Partitions int32
	Counts     oracle.Counts
	Revisions  [][]oracle.Revision // by partition, in order
	Over       map[oracle.Key]bool // keys above the cap: only ids and crossings are exact
	Near       map[oracle.Key]bool // keys so near the cap that they may be treated as above it, see nearCap
	Blurred    oracle.Counts       // of Counts, the duplicates and conflicts of those keys: not all of them may be noticed
	DeadLetter []DeadLetter        // in order of the stream
	Next       []int64             // offset after the last record, by partition
}

// State drops entries a chunk of sixteen at a time, when the last of them has passed its retention. With the built-in
// rules' retentions of 31 to 40 minutes a key can therefore hold up to 40/31 of what it must, and so reach the cap
// earlier.
const (
	retainedCap = 10_000
	nearCap     = retainedCap * 3 / 4
)

// DeadLetter is a record that must be set aside.
type DeadLetter struct {
	Partition int32
	Offset    int64
	Reason    topics.Reason
}

// Expect runs the oracle over records 0 … n−1 of the stream as they lie in an empty topic of that many partitions, each
// record at the next offset of its key's partition. ticks adds a closing tick to every partition.
func (g *Generator) Expect(n int, partitions int32, ticks bool) (*Expectation, error) {
	if n > g.cfg.Records || partitions <= 0 {
		return nil, fmt.Errorf("expect %d of %d records in %d partitions", n, g.cfg.Records, partitions)
	}
	x := &Expectation{Partitions: partitions, Revisions: make([][]oracle.Revision, partitions),
		Over: map[oracle.Key]bool{}, Near: map[oracle.Key]bool{}, Next: make([]int64, partitions)}
	oracles := make([]*oracle.TwoPointer, partitions)
	for p := range oracles {
		oracles[p] = oracle.NewTwoPointer(Oracle(), func(r oracle.Revision) {
			x.Revisions[p] = append(x.Revisions[p], r)
		})
	}
	repeated := map[oracle.Key]oracle.Counts{} // of keys that had any
	step := func(p int32, class *oracle.Record) {
		class.Offset = x.Next[p]
		x.Next[p]++
		ruling := oracles[p].Step(class)
		x.Counts.Add(ruling)
		if ruling.Verdict == oracle.Duplicate || ruling.Conflict {
			of := repeated[class.Key]
			of.Add(ruling)
			repeated[class.Key] = of
		}
		if ruling.Verdict == oracle.SetAside {
			x.DeadLetter = append(x.DeadLetter, DeadLetter{p, class.Offset, ruling.Reason})
		}
	}
	c := g.Cursor()
	var rec Record
	for i := range n {
		c.At(i, &rec)
		step(Partition(rec.Key, partitions), &rec.Class)
	}
	if ticks {
		for p := range partitions {
			step(p, &oracle.Record{Tick: true, Timestamp: g.TickAt()})
		}
	}
	for _, o := range oracles {
		for _, key := range o.Above(nearCap) {
			if !x.Over[key] && !x.Near[key] { // it may lie in several partitions
				of := repeated[key]
				x.Blurred.Duplicates += of.Duplicates
				x.Blurred.Conflicts += of.Conflicts
			}
			if o.Peak(key) > retainedCap {
				x.Over[key] = true
			} else {
				x.Near[key] = true
			}
		}
	}
	return x, nil
}
