package processor

import (
	"context"
	"errors"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"tocsin/processor/engine"
)

// A transaction is one span, if somebody wants to know; an event is none. The names of attributes that begin with
// messaging are those of OpenTelemetry's semantic conventions 1.43, the others are our own.

// span is what is told of the open transaction. The zero value tells nothing.
type span struct {
	trace.Span // nil: no tracer

	failed bool // an error is in it already
}

// beginSpan begins to tell. The caller has looked whether there is a tracer.
func (w *worker) beginSpan(ctx context.Context) {
	c := &w.proc.config
	_, begun := c.Tracer.Start(ctx, "process "+c.Topics.Input, trace.WithNewRoot(),
		trace.WithSpanKind(trace.SpanKindConsumer), trace.WithTimestamp(c.Now()), trace.WithAttributes(
			attribute.String("messaging.system", "kafka"),
			attribute.String("messaging.operation.name", "process"),
			attribute.String("messaging.operation.type", "process"),
			attribute.String("messaging.destination.name", c.Topics.Input),
			attribute.String("messaging.consumer.group.name", c.App),
			attribute.String("messaging.client.id", c.memberID(w.number)),
		))
	w.span = span{Span: begun}
}

// tellOutcome adds what became of the transaction. It is called while the partitions are still part of it.
func (w *worker) tellOutcome(result outcome, err error) {
	if w.span.Span == nil || !w.span.IsRecording() {
		return
	}
	b := &w.batch
	w.span.SetAttributes(countsOf(&b.out.fx)...)
	w.span.SetAttributes(
		attribute.Int("messaging.batch.message_count", b.taken),
		attribute.String("tocsin.transaction.outcome", result.String()),
	)
	partitions := make([]int64, len(b.touched))
	for i, part := range b.touched {
		partitions[i] = int64(part.id)
	}
	w.span.SetAttributes(attribute.Int64Slice("tocsin.partitions", partitions))
	if len(b.touched) == 1 {
		w.span.SetAttributes(attribute.String("messaging.destination.partition.id",
			w.proc.metrics.partition(b.touched[0].id)))
	}
	switch {
	case err == nil:
	case errors.Is(err, errNothing):
		w.span.SetAttributes(attribute.String("tocsin.transaction.reason", err.Error()))
	case result == aborted && abortReason(err) == reasonGroup: // part of a rebalance, no fault
		w.span.SetAttributes(attribute.String("tocsin.transaction.reason", reasonGroup))
	default:
		if result == aborted {
			w.span.SetAttributes(attribute.String("tocsin.transaction.reason", abortReason(err)))
		}
		w.span.fail(err)
	}
}

func countsOf(fx *engine.Effects) []attribute.KeyValue {
	var dead int64
	for _, n := range fx.Counts.DeadLetters {
		dead += n
	}
	return []attribute.KeyValue{
		attribute.Int64("tocsin.events.judged", fx.Counts.Judged),
		attribute.Int64("tocsin.events.duplicates", fx.Counts.Duplicates),
		attribute.Int64("tocsin.events.dead_letters", dead),
		attribute.Int64("tocsin.ticks", fx.Counts.Ticks),
		attribute.Int("tocsin.alert_revisions", len(fx.Alerts)),
	}
}

// fail records an error, the first one.
func (s *span) fail(err error) {
	if s.failed {
		return
	}
	s.failed = true
	s.RecordError(err)
	s.SetStatus(codes.Error, err.Error())
}

// endSpan ends the span. err is one that the worker cannot go on with.
func (w *worker) endSpan(err error) {
	if err != nil {
		w.span.fail(err)
	}
	w.span.End(trace.WithTimestamp(w.proc.config.Now()))
	w.span = span{}
}
