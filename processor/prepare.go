package processor

import (
	"math"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"tocsin/processor/engine"
	"tocsin/topics"
)

// Preparer does all of a record's judging that needs no state, for many records at once. Its memory is reused: what
// it returns is valid until the next call, and aliases the Kafka records. The zero value is ready.
type Preparer struct {
	records  []engine.Record
	prepared []engine.Prepared
	headers  []topics.Header
	scratch  []*engine.Scratch // one per goroutine
}

// Prepare prepares records with this many helping goroutines beside the caller's. Both results are in the order of
// the records.
func (p *Preparer) Prepare(e *engine.Engine, records []*kgo.Record, helpers int) ([]engine.Record, []engine.Prepared) {
	for len(p.prepared) < len(records) {
		p.prepared = append(p.prepared, engine.Prepared{})
		p.records = append(p.records, engine.Record{})
	}
	for len(p.scratch) <= helpers {
		p.scratch = append(p.scratch, new(engine.Scratch))
	}
	p.headers = p.headers[:0]
	for i, r := range records {
		p.records[i] = engine.Record{
			Offset: r.Offset, Timestamp: recordTime(r.Timestamp), Key: r.Key, Value: r.Value, Headers: p.convert(r.Headers),
		}
	}
	share := (len(records) + helpers) / (helpers + 1)
	var wg sync.WaitGroup
	for h := 1; h <= helpers; h++ {
		from, to := min(h*share, len(records)), min((h+1)*share, len(records))
		scratch := p.scratch[h]
		wg.Go(func() { p.some(e, scratch, from, to) })
	}
	p.some(e, p.scratch[0], 0, min(share, len(records)))
	wg.Wait()
	return p.records[:len(records)], p.prepared[:len(records)]
}

// lookahead prepares a chunk of records while the one before is judged. It is for one goroutine.
type lookahead struct {
	preparers [2]Preparer // of the chunk being judged, and of the next one
	current   int

	next     []*kgo.Record // what is prepared ahead
	records  []engine.Record
	prepared []engine.Prepared
	busy     sync.WaitGroup
}

// take gives records prepared. The results are valid until the take after next.
func (l *lookahead) take(e *engine.Engine, records []*kgo.Record) ([]engine.Record, []engine.Prepared) {
	n := len(records)
	// The same pointers are the same records: one is used again only after it was judged.
	if hit := n > 0 && len(l.next) >= n && l.next[0] == records[0] && l.next[n-1] == records[n-1]; hit {
		l.current ^= 1
		l.next = nil
		return l.records[:n], l.prepared[:n]
	}
	l.next = nil
	return l.preparers[l.current].Prepare(e, records, 0)
}

// start begins to prepare the chunk that records begin with, when there is a core for it. wait must follow.
func (l *lookahead) start(p *Processor, records []*kgo.Record) {
	if len(records) == 0 || p.borrowCores(1) == 0 {
		return
	}
	l.next = records[:min(len(records), chunkRecords)]
	l.busy.Go(func() {
		defer p.returnCores(1)
		l.records, l.prepared = l.preparers[l.current^1].Prepare(p.config.Engine, l.next, 0)
	})
}

func (l *lookahead) wait() { l.busy.Wait() }

func (p *Preparer) some(e *engine.Engine, s *engine.Scratch, from, to int) {
	for i := from; i < to; i++ {
		e.Prepare(&p.records[i], s, &p.prepared[i])
	}
}

// convert gives the headers as the engine takes them. Few events have any.
func (p *Preparer) convert(headers []kgo.RecordHeader) []topics.Header {
	if len(headers) == 0 {
		return nil
	}
	from := len(p.headers)
	for i := range headers {
		p.headers = append(p.headers, topics.Header{Key: headers[i].Key, Value: headers[i].Value})
	}
	return p.headers[from:len(p.headers):len(p.headers)]
}

// recordTime is a record's timestamp in Unix nanoseconds. Kafka's milliseconds reach further than that: what does not
// fit becomes the end of the range.
func recordTime(t time.Time) int64 {
	const most = math.MaxInt64 / int64(time.Millisecond)
	return max(-most, min(t.UnixMilli(), most)) * int64(time.Millisecond)
}
