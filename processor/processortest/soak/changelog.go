package soak

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"tocsin/processor/processortest/program"
	"tocsin/topics"
)

// changelog is what is committed in the changelog: which transaction wrote how many records up to where, and whose it
// was. It is read while the run goes on.
type changelog struct {
	client *kgo.Client
	cancel context.CancelFunc
	done   chan struct{}

	mu     sync.Mutex
	parts  [partitions]changes
	owners map[int64]int // producer id → number of the process
	err    error         // the first thing that is wrong
}

// changes are those of one partition.
type changes struct {
	seals   []seal
	records int64
	next    int64 // offset after the last record read, control records included
	last    topics.Seal
}

// seal ends a transaction.
type seal struct {
	offset   int64
	records  int64 // up to and with it
	producer int64
}

func follow(app *program.Application) (*changelog, error) {
	from := map[int32]kgo.Offset{}
	for p := range int32(partitions) {
		from[p] = kgo.NewOffset().AtStart()
	}
	cl, err := kgo.NewClient(append(app.Kafka(), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords(),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{app.Changelog(): from}))...)
	if err != nil {
		return nil, fmt.Errorf("follow the changelog: %w", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	c := &changelog{client: cl, cancel: cancel, done: make(chan struct{}), owners: map[int64]int{}}
	go func() {
		defer close(c.done)
		for ctx.Err() == nil {
			fetches := cl.PollRecords(ctx, 5000) // what fails is tried again
			c.mu.Lock()
			fetches.EachRecord(c.add)
			c.mu.Unlock()
		}
	}()
	return c, nil
}

func (c *changelog) close() {
	c.cancel()
	<-c.done
	c.client.Close()
}

func (c *changelog) add(r *kgo.Record) {
	p := &c.parts[r.Partition]
	p.next = r.Offset + 1
	if r.Attrs.IsControl() {
		return
	}
	p.records++
	if !topics.IsSealKey(r.Key) {
		return
	}
	s, err := topics.DecodeSeal(r.Value)
	if err == nil && s.Sequence != p.last.Sequence+1 {
		err = fmt.Errorf("sequence %d after %d", s.Sequence, p.last.Sequence)
	}
	if err != nil && c.err == nil {
		c.err = fmt.Errorf("seal in partition %d at offset %d: %w", r.Partition, r.Offset, err)
	}
	p.last = s
	p.seals = append(p.seals, seal{offset: r.Offset, records: p.records, producer: r.ProducerID})
}

// learn asks whose the producers are. A process keeps its producer id until the id's epochs are used up, so it must be
// asked now and then.
func (c *changelog) learn(ctx context.Context, w *world) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	listed, err := w.adm.ListTransactions(ctx, nil, nil)
	if err != nil {
		return // the next time
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, m := range w.members {
		if m == nil {
			continue
		}
		for id, t := range listed {
			if len(id) > len(w.app.ID)+1 && id[len(w.app.ID)+1:len(id)-2] == m.Instance {
				c.owners[t.ProducerID] = m.number
			}
		}
	}
}

// transactions counts what has been committed.
func (c *changelog) transactions() (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range c.parts {
		n += len(c.parts[i].seals)
	}
	return n
}

// catchUp reads to the present end.
func (c *changelog) catchUp(ctx context.Context, adm *kadm.Client, topic string) error {
	ends, err := adm.ListEndOffsets(ctx, topic)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return fmt.Errorf("end of the changelog: %w", err)
	}
	for {
		c.mu.Lock()
		behind := ""
		ends.Each(func(o kadm.ListedOffset) {
			if p := &c.parts[o.Partition]; p.next < o.Offset {
				behind = fmt.Sprintf("partition %d at %d of %d", o.Partition, p.next, o.Offset)
			}
		})
		c.mu.Unlock()
		if behind == "" {
			return nil
		}
		if err := pause(ctx, tick); err != nil {
			return fmt.Errorf("the changelog cannot be read to its end, %s: %w", behind, err)
		}
	}
}

// between gives the transactions with offsets in [from, until) and the number of their records.
func (p *changes) between(from, until int64) (seals []seal, records int64) {
	at := func(offset int64) int {
		i, _ := slices.BinarySearchFunc(p.seals, offset, func(s seal, o int64) int {
			if s.offset < o {
				return -1
			}
			return 1
		})
		return i
	}
	first, end := at(from), at(until)
	if first >= end {
		return nil, 0
	}
	records = p.seals[end-1].records
	if first > 0 {
		records -= p.seals[first-1].records
	}
	return p.seals[first:end], records
}
