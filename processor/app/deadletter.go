package app

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"tocsin/processor/ingest"
	"tocsin/topics"
	"tocsin/topics/readlog"
)

// DeadLetter is a record that was set aside.
type DeadLetter struct {
	Partition int32 // where it lies in the dead-letter topic
	Offset    int64
	SetAside  time.Time
	ingest.DeadLetter
	Key, Value []byte
	Headers    []topics.Header
}

// DeadLetterFilter narrows [DeadLetters]. Zero fields narrow nothing.
type DeadLetterFilter struct {
	Reason    string
	Since     time.Time // set aside at or after
	Partition *int32    // with Offset: this one
	Offset    *int64
}

// DeadLetters passes on the dead letters there are now, partition by partition in the order in which they were set
// aside, until each returns false.
func DeadLetters(ctx context.Context, cfg *Loaded, f DeadLetterFilter, each func(*DeadLetter) bool) (err error) {
	defer func() { err = cfg.named(ctx, err, topics.DutyDeadLetters) }()
	if f.Reason != "" {
		if _, ok := topics.ParseReason(f.Reason); !ok {
			return Usagef("reason %q does not exist", f.Reason)
		}
	}
	kafka, err := cfg.KafkaOptions()
	if err != nil {
		return err
	}
	cl, err := cfg.kafkaClient()
	if err != nil {
		return err
	}
	defer cl.Close()
	all, err := readlog.Bounds(ctx, kadm.NewClient(cl), cfg.Topics.DeadLetter)
	if err != nil {
		return err
	}
	reader := readlog.Reader{Kafka: kafka, Topic: cfg.Topics.DeadLetter}
	more := true
	for p := range int32(len(all)) {
		r := all[p]
		if f.Partition != nil && p != *f.Partition || !more {
			continue
		}
		if f.Offset != nil {
			if *f.Offset < r.From || *f.Offset >= r.To {
				return fmt.Errorf("%s partition %d holds offsets %d to %d, not %d", cfg.Topics.DeadLetter, p, r.From, r.To-1,
					*f.Offset)
			}
			r.From = *f.Offset
		}
		err := reader.Read(ctx, map[int32]readlog.Range{p: r}, func(r *kgo.Record) error {
			d := &DeadLetter{
				Partition: r.Partition, Offset: r.Offset, SetAside: r.Timestamp.UTC(),
				DeadLetter: ingest.ReadDeadLetter(r), Key: r.Key, Value: r.Value,
			}
			for _, h := range r.Headers {
				d.Headers = append(d.Headers, topics.Header{Key: h.Key, Value: h.Value})
			}
			if f.Reason != "" && d.Reason != f.Reason || d.SetAside.Before(f.Since) {
				return nil
			}
			if more = each(d); !more {
				return readlog.ErrEnough
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// Mend says what to do about a reason.
func Mend(reason string) string {
	r, _ := topics.ParseReason(reason)
	switch r {
	case topics.ReasonTooLarge:
		return "Send smaller events, or raise input.max_bytes and the topic's max.message.bytes."
	case topics.ReasonDecompress:
		return "The batch is damaged or expands beyond the limit: have the producer send it again with another compression."
	case topics.ReasonInvalidUTF8:
		return "Have the producer encode events as UTF-8."
	case topics.ReasonNotJSON:
		return "Have the producer send one JSON object per record; the error says where the text goes wrong."
	case topics.ReasonTooDeep:
		return "Flatten the event, or raise input.max_depth."
	case topics.ReasonAmbiguousField:
		return "A field occurs twice, and two readers would see two events: have the producer write each field once."
	case topics.ReasonMissingField, topics.ReasonBadType, topics.ReasonBadTimestamp:
		return "Correct the field that the error names and send the event again."
	case topics.ReasonTampered:
		return "The event is not what was hashed. Find out who changed it between producer and topic; do not send it again" +
			" before that. Its integrity alert names the source."
	case topics.ReasonForged:
		return "The signature is not by the key it claims. Find out who writes with this source; its integrity alert names" +
			" it."
	case topics.ReasonUnverifiable:
		return "Make the key known (verify.hmac_key_id, verify.hmac_secret), or have the producer sign with one that is."
	case topics.ReasonUnsigned, topics.ReasonHashOnly:
		return "Have the producer sign, or lower verify.require for this organisation or source."
	case topics.ReasonFuture:
		return "Set the producer's clock right; events that are right to be ahead need a larger detection.future_skew."
	case topics.ReasonLate:
		return "The event came too late to be judged in its place. Deliver sooner, raise detection.grace, or judge history" +
			" with `tocsin ingest --historic` or `tocsin replay`."
	case topics.ReasonInternal:
		return "This is a fault of tocsin: please report it with the error and, if you may, the record."
	}
	return "The reason is not known to this version."
}
