package simulate

import (
	"context"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// end is how a transaction of the producer ends.
type end uint8

// The ends. A transaction that does not end well leaves its records in the log, and they are sent once more: who judges
// both finds second deliveries. One that is left is ended by the broker when its time is over, or at the latest when
// everything has been sent.
const (
	committed end = iota
	aborted
	left
)

func (e end) String() string { return [...]string{"committed", "aborted", "left"}[e] }

// producer sends the input. It belongs to the goroutine that does.
type producer struct {
	w    *world
	rng  *rand.Rand
	left int // transactions still to begin

	client *kgo.Client // of the open transaction; nil: none is open
	id     string      // its transactional id; each has one of its own, for kfake keeps the timeout that an id had first
	end    end
	chunks int      // until it ends
	behind []string // ids of transactions that were left
}

// feed sends the workload, spread over the run.
func (w *world) feed() (err error) {
	rng := w.chance("feed")
	p := &producer{w: w, rng: w.chance("producer"), left: w.plan.Transactions}
	defer p.drop()
	for left := w.plan.Events; left > 0; {
		in := pick(rng, w.load.inputs)
		n := min(1+rng.IntN(12), len(in.records)-in.sent)
		if n == 0 {
			continue
		}
		sent, err := p.chunk(in, in.sent+n)
		if err != nil {
			return err
		}
		if sent {
			left -= n
		}
		time.Sleep(time.Duration(rng.Int64N(int64(w.plan.Length) * int64(2*n) / int64(w.plan.Events+1))))
	}
	return p.close()
}

// feedRest sends what the workload ends with.
func (w *world) feedRest() error {
	if err := w.load.finish(); err != nil {
		return err
	}
	p := &producer{w: w}
	for _, in := range w.load.inputs {
		if _, err := p.chunk(in, len(in.records)); err != nil {
			return err
		}
	}
	return nil
}

// chunk sends the records of a partition from where it stands up to a place, by a transaction or not. sent: they are in
// the log for good; else they must be sent again.
func (p *producer) chunk(in *input, to int) (sent bool, err error) {
	if p.client == nil && p.left > 0 && p.rng.IntN(4) == 0 {
		if err := p.begin(); err != nil {
			return false, err
		}
	}
	if p.client == nil || p.rng.IntN(3) == 0 {
		return true, p.plain(in, to)
	}
	if p.end == committed {
		// A batch that cannot be read is never part of a transaction.
		for i := in.sent; i < to; i++ {
			if len(in.broken[i]) > 0 {
				err = p.plain(in, to)
				return true, err
			}
		}
	}
	records := make([]*kgo.Record, 0, to-in.sent)
	for _, r := range in.records[in.sent:to] {
		again := *r
		records = append(records, &again)
	}
	if err := p.w.send(p.client, records); err != nil {
		return false, err
	}
	if sent = p.end == committed; sent {
		in.sent = to
	}
	if p.chunks--; p.chunks <= 0 {
		err = p.finish()
	}
	return sent, err
}

// plain sends without a transaction, broken batches included.
func (p *producer) plain(in *input, to int) error {
	for in.sent < to {
		for _, b := range in.broken[in.sent] {
			if err := p.w.sendBroken(in, b); err != nil {
				return err
			}
		}
		next := in.sent + 1
		for next < to && len(in.broken[next]) == 0 {
			next++
		}
		if err := p.w.send(p.w.client, in.records[in.sent:next]); err != nil {
			return err
		}
		in.sent = next
	}
	return nil
}

func (p *producer) begin() (err error) {
	timeout := time.Minute
	p.end, p.chunks = end(p.rng.IntN(3)), 1+p.rng.IntN(3)
	if p.end == left {
		timeout, p.chunks = time.Duration(2+p.rng.IntN(20))*time.Second, 1
	}
	p.id = fmt.Sprintf("producer-%d", p.left)
	p.left--
	p.client, err = kgo.NewClient(append(p.w.kafka(p.w.clean()), kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.TransactionalID(p.id), kgo.TransactionTimeout(timeout))...)
	if err != nil {
		return err
	}
	p.w.history.addf("world", "the producer begins a transaction, which will be %s", p.end)
	return p.client.BeginTransaction()
}

// finish ends the open transaction as it was to end.
func (p *producer) finish() error {
	defer p.drop()
	p.w.history.addf("world", "the producer's transaction is %s", p.end)
	if p.end == left {
		p.behind = append(p.behind, p.id)
		return nil
	}
	ctx, cancel := p.w.patience()
	defer cancel()
	return p.client.EndTransaction(ctx, kgo.TransactionEndTry(p.end == committed))
}

// drop closes the client, if there is one.
func (p *producer) drop() {
	if p.client != nil {
		p.client.Close()
		p.client = nil
	}
}

// close leaves no transaction open.
func (p *producer) close() error {
	if p.client != nil {
		if err := p.finish(); err != nil {
			return err
		}
	}
	for _, id := range p.behind {
		if err := p.w.takeOver(id); err != nil {
			return err
		}
	}
	return nil
}

func (w *world) send(client *kgo.Client, records []*kgo.Record) error {
	ctx, cancel := w.patience()
	defer cancel()
	w.history.addf("world", "sends %d records", len(records))
	return client.ProduceSync(ctx, records...).FirstErr()
}

// takeOver makes the transactional id another producer's, which ends the transaction that is open.
func (w *world) takeOver(id string) error {
	ctx, cancel := w.patience()
	defer cancel()
	req := kmsg.NewPtrInitProducerIDRequest()
	req.TransactionalID, req.TransactionTimeoutMillis = &id, int32(transaction/time.Millisecond)
	req.ProducerID, req.ProducerEpoch = -1, -1
	resp, err := req.RequestWith(ctx, w.client)
	if err != nil {
		return err
	}
	return kerr.ErrorForCode(resp.ErrorCode)
}

// sendBroken appends a batch that says it is compressed and is not (Kafka protocol guide, message format version 2).
func (w *world) sendBroken(in *input, b brokenBatch) error {
	body := []byte("this is not compressed")
	at := time.Unix(0, in.time).UnixMilli()
	batch := kmsg.RecordBatch{
		Length: int32(49 + len(body)), PartitionLeaderEpoch: -1, Magic: 2, Attributes: int16(b.codec),
		LastOffsetDelta: b.records - 1, FirstTimestamp: at, MaxTimestamp: at, ProducerID: -1, ProducerEpoch: -1,
		FirstSequence: -1, NumRecords: b.records, Records: body,
	}
	raw := batch.AppendTo(nil)
	binary.BigEndian.PutUint32(raw[17:], crc32.Checksum(raw[21:], crc32.MakeTable(crc32.Castagnoli)))
	ctx, cancel := w.patience()
	defer cancel()
	w.history.addf("world", "sends %d records in partition %d that cannot be read", b.records, in.partition)
	for {
		err := w.sendRaw(ctx, in.partition, raw)
		if err == nil || !kerr.IsRetriable(err) {
			return err
		}
	}
}

func (w *world) sendRaw(ctx context.Context, partition int32, raw []byte) error {
	info := w.cluster.PartitionInfo(inputTopic, partition)
	req := kmsg.NewPtrProduceRequest()
	req.Acks, req.TimeoutMillis = -1, 5000
	top := kmsg.NewProduceRequestTopic()
	top.Topic, top.TopicID = inputTopic, w.cluster.TopicInfo(inputTopic).TopicID
	part := kmsg.NewProduceRequestTopicPartition()
	part.Partition, part.Records = partition, raw
	top.Partitions = append(top.Partitions, part)
	req.Topics = append(req.Topics, top)
	resp, err := req.RequestWith(ctx, w.client.Broker(int(info.Leader)))
	if err != nil {
		return fmt.Errorf("send a broken batch: %w", err)
	}
	return kerr.ErrorForCode(resp.Topics[0].Partitions[0].ErrorCode)
}
