package ingest

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"tocsin/topics"
	"tocsin/topics/readlog"
)

// Verdicts is what the processor made of the records of a run.
type Verdicts struct {
	// DeadLetters counts by reason. Exact: each dead letter names the record it comes from.
	DeadLetters map[string]int64
	// Judged is what was accepted, Duplicates what was recognised as a second delivery. They are counted over stretches
	// of the log, so they can be told only where nobody else wrote into the stretch; see Unknown.
	Judged, Duplicates int64
	Exempted           int64 // judged events that an exception kept from a rule
	IDConflicts        int64 // judged events with the id of another event
	Ticks              int64
	// Unknown is empty when Judged, Duplicates, Exempted, IDConflicts and Ticks are exact. Otherwise it says why they are
	// not, and Either holds the number of records that were accepted or duplicates.
	Unknown string
	Either  int64
}

// DeadTotal is the number of dead letters.
func (v *Verdicts) DeadTotal() int64 {
	var n int64
	for _, k := range v.DeadLetters {
		n += k
	}
	return n
}

// Read reads the verdicts on what was written, once the group has committed past it ([Watch.Wait]).
//
// Dead letters are found by the origin they state. The rest comes from seals: each transaction of the processor ends
// with one that holds the counts of the open coverage interval, and closed intervals are in coverage records. The
// difference between the last seal before what was written and the first one behind it is the verdicts on everything
// between; when their number is that of the records written, they are the verdicts on these.
func (w *Watch) Read(ctx context.Context, written *Offsets) (*Verdicts, error) {
	cl, err := w.connect()
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	adm := kadm.NewClient(cl)
	v := &Verdicts{DeadLetters: map[string]int64{}}
	if err := w.readDead(ctx, adm, written, v); err != nil {
		return nil, err
	}
	counts, err := w.readCounts(ctx, adm, written)
	if err != nil {
		return nil, err
	}
	var total topics.Counts
	var sent int64
	for _, p := range written.Partitions() {
		sent += written.Len(p)
		c, ok := counts[p]
		switch n := c.Total(); {
		case !ok:
			v.Unknown = fmt.Sprintf("the changelog of partition %d no longer holds the seals of before and after", p)
		case n != written.Len(p):
			v.Unknown = fmt.Sprintf("%d other records of partition %d were judged along with them", n-written.Len(p), p)
		}
		total.Add(&c)
	}
	if v.Unknown != "" {
		v.Either = sent - v.DeadTotal()
		return v, nil
	}
	v.Judged, v.Duplicates, v.Exempted = total.Judged, total.Duplicates, total.Exempted
	v.IDConflicts, v.Ticks = total.IDConflicts, total.Ticks
	return v, nil
}

// since gives the ranges of a topic from the watch to now.
func since(before, now map[int32]readlog.Range) map[int32]readlog.Range {
	out := map[int32]readlog.Range{}
	for p, r := range now {
		out[p] = readlog.Range{From: max(before[p].To, r.From), To: r.To}
	}
	return out
}

func (w *Watch) readDead(ctx context.Context, adm *kadm.Client, written *Offsets, v *Verdicts) error {
	now, err := readlog.Bounds(ctx, adm, w.cfg.DeadLetter)
	if err != nil {
		return err
	}
	return w.reader(w.cfg.DeadLetter).Read(ctx, since(w.dead, now), func(r *kgo.Record) error {
		d := ReadDeadLetter(r)
		if d.Topic != w.cfg.Input {
			return nil
		}
		if n := written.Between(d.Partition, d.First, d.Last+1); n > 0 {
			v.DeadLetters[d.Reason] += n
		}
		return nil
	})
}

// readCounts gives, by partition, the verdicts between the seals around what was written. A partition whose seals are
// not both there is left out.
func (w *Watch) readCounts(ctx context.Context, adm *kadm.Client, written *Offsets) (map[int32]topics.Counts, error) {
	now, err := readlog.Bounds(ctx, adm, w.cfg.Changelog)
	if err != nil {
		return nil, err
	}
	news := since(w.changelog, now)
	type ends struct {
		before, after topics.Seal
		found         bool
	}
	changelog := w.reader(w.cfg.Changelog)
	around := map[int32]*ends{}
	ranges := map[int32]readlog.Range{}
	for _, p := range written.Partitions() {
		e := &ends{}
		// None: nothing was ever judged, all counts are zero.
		if e.before, err = changelog.LastSeal(ctx, p, w.changelog[p]); err != nil {
			return nil, err
		}
		around[p], ranges[p] = e, news[p]
	}
	err = changelog.Seals(ctx, ranges, func(s topics.Seal) {
		e, bounds := around[s.Partition], written.Bounds(s.Partition)
		switch {
		case e == nil || e.found:
		case s.Next <= bounds.From:
			e.before = s
		case s.Next >= bounds.To:
			e.after, e.found = s, true
		}
	})
	if err != nil {
		return nil, err
	}
	out := map[int32]topics.Counts{}
	for p, e := range around {
		if !e.found {
			continue
		}
		c := e.after.Coverage.Counts
		subtract(&c, &e.before.Coverage.Counts)
		out[p] = c
	}
	closedNow, err := readlog.Bounds(ctx, adm, w.cfg.Seals)
	if err != nil {
		return nil, err
	}
	err = w.reader(w.cfg.Seals).Read(ctx, since(w.seals, closedNow), func(r *kgo.Record) error {
		cov, err := topics.DecodeCoverage(r.Value)
		if err != nil {
			// A record of another kind: what operators did is written there too. Should it be one of these after all, the
			// numbers do not add up, and Read says so.
			return nil //nolint:nilerr // see above
		}
		e := around[cov.Partition]
		if e == nil || !e.found || cov.From < e.before.Coverage.From || cov.To > e.after.Coverage.From {
			return nil
		}
		c := out[cov.Partition]
		c.Add(&cov.Counts)
		out[cov.Partition] = c
		return nil
	})
	return out, err
}

func subtract(c, other *topics.Counts) {
	c.Judged -= other.Judged
	c.Duplicates -= other.Duplicates
	c.Ticks -= other.Ticks
	c.Exempted -= other.Exempted
	c.IDConflicts -= other.IDConflicts
	for i, n := range other.DeadLetters {
		c.DeadLetters[i] -= n
	}
}

// DeadLetter is what the headers of a dead letter say.
type DeadLetter struct {
	Reason      string
	Error       string
	Topic       string // origin
	Partition   int32
	First, Last int64 // offsets; the same but for a range that could not be read at all
	Timestamp   int64 // record time of the original, Unix milliseconds; 0 when not stated
}

// ReadDeadLetter reads the headers. What is missing or malformed stays zero; a partition that cannot be read is -1.
func ReadDeadLetter(r *kgo.Record) DeadLetter {
	d := DeadLetter{Partition: -1}
	for _, h := range r.Headers {
		text := string(h.Value)
		switch h.Key {
		case topics.HeaderReason:
			d.Reason = text
		case topics.HeaderError:
			d.Error = text
		case topics.HeaderOriginTopic:
			d.Topic = text
		case topics.HeaderOriginPartition:
			if n, err := strconv.ParseInt(text, 10, 32); err == nil {
				d.Partition = int32(n)
			}
		case topics.HeaderOriginOffset:
			first, last, isRange := strings.Cut(text, "-")
			d.First, _ = strconv.ParseInt(first, 10, 64)
			if d.Last = d.First; isRange {
				d.Last, _ = strconv.ParseInt(last, 10, 64)
			}
		case topics.HeaderOriginTimestamp:
			d.Timestamp, _ = strconv.ParseInt(text, 10, 64)
		}
	}
	return d
}
