package app

import (
	"context"
	"errors"
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
	// Progress is told how many of the records there are have been read; nil for never.
	Progress func(done, total int64)
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
	cfg, giveBack, err := cfg.borrowBroker(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, giveBack()) }()
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
	var done, total int64
	for _, r := range all {
		total += r.To - r.From
	}
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
			if done++; f.Progress != nil {
				f.Progress(done, total)
			}
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
