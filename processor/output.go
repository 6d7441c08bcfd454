package processor

import (
	"context"
	"strconv"

	"github.com/twmb/franz-go/pkg/kgo"

	"tocsin/processor/engine"
	"tocsin/topics"
)

// output turns what the engine says into Kafka records of the running transaction. Its memory is reused from one
// transaction to the next: a record is the client's until the transaction has been flushed.
type output struct {
	session *session
	topics  Topics
	limit   int // bytes of the largest dead letter

	fx      engine.Effects // of the running transaction
	alerts  int            // of fx.Alerts, emitted
	dead    int            // of fx.DeadLetters, emitted
	covered int            // of fx.Coverage, emitted
	bytes   int            // of dead letters and changes; fx.Bytes has the rest

	records slab
	arena   arena
	headers []kgo.RecordHeader
}

// reset prepares for a transaction, once the one before has ended.
func (o *output) reset() {
	o.fx.Reset()
	o.alerts, o.dead, o.covered, o.bytes = 0, 0, 0, 0
	o.records.reset()
	o.arena.reset()
	o.headers = nil // they are the records' until the client is done with them
}

// size is the output of the transaction so far, in bytes.
func (o *output) size() int { return o.bytes + o.fx.Bytes }

// emit produces what the effects have gained since the last call. records are the ones judged in between, all of one
// partition and in offset order: a dead letter is looked up among them.
func (o *output) emit(ctx context.Context, partition int32, records []*kgo.Record) {
	for ; o.alerts < len(o.fx.Alerts); o.alerts++ {
		a := &o.fx.Alerts[o.alerts]
		r := o.records.next()
		r.Topic, r.Partition, r.Key, r.Value = o.topics.Alerts, partition, []byte(a.ID), a.Value
		o.session.produce(ctx, r)
	}
	for ; o.covered < len(o.fx.Coverage); o.covered++ {
		r := o.records.next()
		r.Topic, r.Key, r.Value = o.topics.Seals, strconv.AppendInt(nil, int64(partition), 10), o.fx.Coverage[o.covered]
		o.session.produce(ctx, r)
	}
	for ; o.dead < len(o.fx.DeadLetters); o.dead++ {
		d := &o.fx.DeadLetters[o.dead]
		for len(records) > 0 && records[0].Offset < d.Offset {
			records = records[1:]
		}
		if len(records) == 0 || records[0].Offset != d.Offset {
			continue // of a batch that could not be read: produced by whoever set it aside
		}
		o.deadLetter(ctx, deadLetterOf(records[0]), d)
	}
}

// change produces one changelog record. Both slices may be used again afterwards.
func (o *output) change(ctx context.Context, partition int32, key, value []byte) {
	r := o.records.next()
	r.Topic, r.Partition, r.Key, r.Value = o.topics.Changelog, partition, o.arena.copy(key), o.arena.copy(value)
	o.bytes += len(key) + len(value)
	o.session.produce(ctx, r)
}

// seal produces the seal of one partition.
func (o *output) seal(ctx context.Context, s *topics.Seal) {
	r := o.records.next()
	r.Topic, r.Partition, r.Key, r.Value = o.topics.Changelog, s.Partition, []byte(topics.SealKey), s.Append(nil)
	o.session.produce(ctx, r)
}

// slab hands out records whose address never changes.
type slab struct {
	blocks [][]kgo.Record
	used   int
}

const slabBlock = 512

func (s *slab) reset() { s.used = 0 }

func (s *slab) next() *kgo.Record {
	block, at := s.used/slabBlock, s.used%slabBlock
	if block == len(s.blocks) {
		s.blocks = append(s.blocks, make([]kgo.Record, slabBlock))
	}
	s.used++
	r := &s.blocks[block][at]
	*r = kgo.Record{}
	return r
}

// arena holds copies of bytes until it is reset.
type arena struct {
	blocks [][]byte
	block  int
}

const (
	arenaBlock = 256 << 10
	arenaKeep  = 64 // blocks kept between transactions
)

func (a *arena) reset() {
	if len(a.blocks) > arenaKeep {
		clear(a.blocks[arenaKeep:])
		a.blocks = a.blocks[:arenaKeep]
	}
	for i := range a.blocks {
		a.blocks[i] = a.blocks[i][:0]
	}
	a.block = 0
}

// copy copies b; nil stays nil.
func (a *arena) copy(b []byte) []byte {
	if b == nil {
		return nil
	}
	if len(b) > arenaBlock/4 {
		return append([]byte{}, b...)
	}
	for a.block < len(a.blocks) && cap(a.blocks[a.block])-len(a.blocks[a.block]) < len(b) {
		a.block++
	}
	if a.block == len(a.blocks) {
		a.blocks = append(a.blocks, make([]byte, 0, arenaBlock))
	}
	block := a.blocks[a.block]
	from := len(block)
	block = append(block, b...)
	a.blocks[a.block] = block
	return block[from:len(block):len(block)]
}
