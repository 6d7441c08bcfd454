package processor

import (
	"context"
	"maps"

	"github.com/twmb/franz-go/pkg/kgo"

	"tocsin/topics/readlog"
)

// What is logged when partitions begin at their end, and when the brokers do not say where that is.
const (
	msgStarts        = "partitions of which nothing is committed begin at their end"
	msgStartsUnknown = "the end of the input is not known, it is asked for again"
)

// fixStarts is a callback of the group with [Config.Latest], called with the group's offsets after assigned and before
// anything is read. Partitions without an offset begin at the end of what is committed in their log now. The client
// would look for that end by itself, but only it would know: not the one who looks for a batch that cannot be read, nor
// a transaction that is aborted, nor the next client. What was fixed holds for this worker until the first commit.
//
// It waits for the brokers as long as the assignment stands. An error would cost the worker all its partitions, so only
// what another attempt cannot mend is one, and the end of ctx. While ctx goes on it must not be a context.Canceled: the
// client would take it for its own end, and never join again.
func (w *worker) fixStarts(
	ctx context.Context, offsets map[string]map[int32]kgo.Offset,
) (map[string]map[int32]kgo.Offset, error) {
	mine := offsets[w.proc.config.Topics.Input]
	var open []int32
	w.mu.Lock()
	for id, o := range mine {
		if o.EpochOffset().Offset >= 0 {
			continue
		}
		if at, ok := w.starts[id]; ok {
			mine[id] = kgo.NewOffset().At(at)
			continue
		}
		open = append(open, id)
	}
	w.mu.Unlock()
	if len(open) == 0 {
		return offsets, nil
	}
	starts, err := w.ends(ctx, open)
	if err != nil {
		return nil, err
	}
	for id, at := range starts {
		mine[id] = kgo.NewOffset().At(at)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	maps.Copy(w.starts, starts)
	w.log.Info(msgStarts, "offsets", starts)
	return offsets, nil
}

// ends asks for the last stable offsets of the input until it gets them.
func (w *worker) ends(ctx context.Context, partitions []int32) (map[int32]int64, error) {
	for retry := restoreRetryMin; ; retry = min(2*retry, restoreRetryMax) {
		log, err := readlog.StableBounds(ctx, w.proc.adm, w.proc.config.Topics.Input, partitions...)
		if err == nil {
			ends := make(map[int32]int64, len(log))
			for id, r := range log {
				ends[id] = r.To
			}
			return ends, nil
		}
		if ctx.Err() == nil && fatal(err) {
			return nil, err
		}
		if ctx.Err() == nil {
			w.log.Warn(msgStartsUnknown, "partitions", partitions, "after", retry, "error", err)
		}
		if !pause(ctx, retry) {
			return nil, ctx.Err()
		}
	}
}

// begins gives where a partition begins of which nothing is committed, or -1 while only the client knows.
func (w *worker) begins(id int32) int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	if at, ok := w.starts[id]; ok {
		return at
	}
	return -1
}
