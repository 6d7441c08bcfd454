package processor

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"strconv"

	"github.com/twmb/franz-go/pkg/kgo"

	"tocsin/processor/engine"
	"tocsin/topics"
)

// origin is where a dead letter comes from: one record, or a range of offsets that could not be read at all.
type origin struct {
	record      *kgo.Record // nil for a range
	topic       string
	partition   int32
	first, last int64
}

func deadLetterOf(r *kgo.Record) origin {
	return origin{record: r, topic: r.Topic, partition: r.Partition, first: r.Offset, last: r.Offset}
}

// deadLetterRoom is what the batch around a record and our own headers may take of the topic's limit.
const deadLetterRoom = 4 << 10

// deadLetter produces one dead letter: key, value and headers of the original, and ours. What does not fit the topic
// is cut, its full length and digest in headers.
func (o *output) deadLetter(ctx context.Context, from origin, d *engine.DeadLetter) {
	r := o.records.next()
	r.Topic, r.Partition = o.topics.DeadLetter, from.partition
	begin := len(o.headers)
	o.header(topics.HeaderReason, []byte(d.Reason.String()))
	o.header(topics.HeaderError, []byte(cutText(d.Err)))
	o.header(topics.HeaderOriginTopic, []byte(from.topic))
	o.header(topics.HeaderOriginPartition, strconv.AppendInt(nil, int64(from.partition), 10))
	offsets := strconv.AppendInt(nil, from.first, 10)
	if from.last > from.first {
		offsets = strconv.AppendInt(append(offsets, '-'), from.last, 10)
	}
	o.header(topics.HeaderOriginOffset, offsets)
	if from.record != nil {
		o.header(topics.HeaderOriginTimestamp, strconv.AppendInt(nil, from.record.Timestamp.UnixMilli(), 10))
		o.original(r, from.record)
	}
	r.Headers = o.headers[begin:len(o.headers):len(o.headers)]
	o.bytes += recordSize(r)
	o.session.produce(ctx, r)
}

// original copies key, value and headers of the record as far as they fit. Headers go first (a record that came back
// from the dead letters once has ours already: those are left out, the new ones count), then the value is cut.
func (o *output) original(r, from *kgo.Record) {
	room := o.limit - deadLetterRoom
	r.Key = from.Key
	room -= len(r.Key)
	if room < 0 {
		o.cutHeaders(topics.HeaderKeyLength, topics.HeaderKeySHA256, from.Key)
		r.Key = r.Key[:max(0, o.limit/4)]
		room = o.limit - deadLetterRoom - len(r.Key)
	}
	dropped := 0
	for _, h := range from.Headers {
		size := len(h.Key) + len(h.Value) + 10
		switch {
		case ours(h.Key):
		case size > room-min(len(from.Value), room/2):
			dropped++
		default:
			o.headers = append(o.headers, h)
			room -= size
		}
	}
	if dropped > 0 {
		o.header(topics.HeaderDroppedHeaders, strconv.AppendInt(nil, int64(dropped), 10))
	}
	r.Value = from.Value
	if len(r.Value) > room {
		o.cutHeaders(topics.HeaderFullLength, topics.HeaderFullSHA256, r.Value)
		r.Value = r.Value[:max(room, 0)]
	}
}

// cutHeaders notes what was there before the cut.
func (o *output) cutHeaders(length, digest string, b []byte) {
	sum := sha256.Sum256(b)
	o.header(length, strconv.AppendInt(nil, int64(len(b)), 10))
	o.header(digest, hex.AppendEncode(nil, sum[:]))
}

func (o *output) header(key string, value []byte) {
	o.headers = append(o.headers, kgo.RecordHeader{Key: key, Value: value})
}

// ours says whether a header is one that a dead letter gets.
func ours(key string) bool {
	switch key {
	case topics.HeaderReason, topics.HeaderError, topics.HeaderOriginTopic, topics.HeaderOriginPartition,
		topics.HeaderOriginOffset, topics.HeaderOriginTimestamp, topics.HeaderFullLength, topics.HeaderFullSHA256,
		topics.HeaderKeyLength, topics.HeaderKeySHA256, topics.HeaderDroppedHeaders:
		return true
	}
	return false
}

// cutText bounds the error line: it may quote what the event says.
func cutText(s string) string {
	const most = 1 << 10
	if len(s) <= most {
		return s
	}
	return s[:most] + "…"
}

func recordSize(r *kgo.Record) int {
	n := len(r.Key) + len(r.Value)
	for i := range r.Headers {
		n += len(r.Headers[i].Key) + len(r.Headers[i].Value)
	}
	return n
}
