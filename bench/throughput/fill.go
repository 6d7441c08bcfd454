package throughput

import (
	"context"
	"fmt"
	"io"
	"time"

	"tocsin/bench/generate"
	"tocsin/bench/produce"
	"tocsin/bench/run"
)

// Input is a topic of generated events.
type Input struct {
	Brokers    []string
	Topic      string
	Stream     *generate.Generator
	Partitions int
	Ticks      bool      // end every partition with a closing tick, behind the last record
	Progress   io.Writer // is told how far it is

	from int
	next []int64
}

// Fill writes the next records of the stream, up to record to. The first call makes the topic.
func (in *Input) Fill(ctx context.Context, to int) error {
	kafka := run.Reach(in.Brokers)
	if in.next == nil {
		if err := produce.CreateTopic(ctx, kafka, in.Topic, int32(in.Partitions)); err != nil {
			return err
		}
		in.next = make([]int64, in.Partitions)
	}
	written, err := produce.Stream(ctx, in.Stream, produce.Config{Kafka: kafka, Topic: in.Topic, From: in.from, To: to,
		Next: in.next, Partitions: int32(in.Partitions), Ticks: in.Ticks && to == in.Stream.Records(),
		Progress: func(n int) {
			_, _ = fmt.Fprintf(in.Progress, "\rproduced %d of %d ", in.from+n, in.Stream.Records())
		}})
	if err != nil {
		return err
	}
	in.from, in.next = to, written.Next
	_, _ = fmt.Fprintf(in.Progress, "\rproduced %d records, %.0f MB, in %s (%.0f/s)\n", written.Records,
		float64(written.Bytes)/1e6, written.Elapsed.Round(time.Millisecond),
		float64(written.Records)/written.Elapsed.Seconds())
	return nil
}

// Delete removes the topic.
func (in *Input) Delete(ctx context.Context) {
	_ = produce.DeleteTopic(context.WithoutCancel(ctx), run.Reach(in.Brokers), in.Topic) // of a cluster for measuring
}
