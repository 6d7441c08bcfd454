package soak

import (
	"context"
	"log/slog"
	"strings"
	"sync"
)

// rebalances is what a member's log says of the generations of the group that it was part of, and of the transactions
// aborted in between.
//
// That a SyncGroup request was answered is no generation yet: the answer may be that the group rebalances again. It is
// the client's own word that counts, which it says when it has the assignment of a generation that it had joined.
type rebalances struct {
	mu     sync.Mutex
	joined int64   // generation joined last
	synced int64   // generation whose assignment came last
	aborts []int64 // before the first generation, and within each
}

func newRebalances() *rebalances {
	return &rebalances{joined: -1, synced: -1, aborts: make([]int64, 1)}
}

func (r *rebalances) note(text string, generation int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case strings.HasPrefix(text, "joined") && generation >= 0:
		r.joined = generation
	case text == "synced" && r.joined != r.synced: // a static member that comes back is given the generation it had
		r.synced = r.joined
		r.aborts = append(r.aborts, 0)
	case text == "transaction aborted, its records come again",
		text == "starting over with a new client; the state is restored from the changelog":
		r.aborts[len(r.aborts)-1]++
	}
}

// sum tells how many generations there were, how many aborts, and how many of these beyond one for each rebalance.
func (r *rebalances) sum() (generations, aborts, surplus int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, n := range r.aborts {
		aborts += n
	}
	return int64(len(r.aborts)) - 1, aborts, beyond(r.aborts)
}

// beyond counts the aborts for which there is no rebalance. A rebalance may cost one transaction: that which was open
// when the group moved on. It is aborted while the member has the old generation still, or has the new one already when
// its offsets are refused. So an abort is either for the rebalance before it or for that after it, and each rebalance
// takes one. The last may be one whose end the member did not live to see.
func beyond(aborts []int64) (n int64) {
	before := int64(0) // 1: the rebalance before has taken none
	for _, in := range aborts {
		in -= min(in, before)
		after := min(in, 1)
		n += in - after
		before = 1 - after
	}
	return n
}

// noting is the handler of a member's log. It notes what concerns rebalances, of which the client speaks only where
// details are wanted, and passes on what next takes.
type noting struct {
	*rebalances

	next slog.Handler
}

// Enabled implements slog.Handler.
func (n noting) Enabled(context.Context, slog.Level) bool { return true }

// WithAttrs implements slog.Handler.
func (n noting) WithAttrs(attrs []slog.Attr) slog.Handler {
	return noting{n.rebalances, n.next.WithAttrs(attrs)}
}

// WithGroup implements slog.Handler.
func (n noting) WithGroup(name string) slog.Handler {
	return noting{n.rebalances, n.next.WithGroup(name)}
}

// Handle implements slog.Handler.
func (n noting) Handle(ctx context.Context, record slog.Record) error {
	text, generation := record.Message, int64(-1)
	record.Attrs(func(a slog.Attr) bool {
		switch {
		case a.Key == "message": // the client's
			text = a.Value.String()
		case a.Key == "generation" && a.Value.Kind() == slog.KindInt64:
			generation = a.Value.Int64()
		}
		return true
	})
	n.note(text, generation)
	if !n.next.Enabled(ctx, record.Level) {
		return nil
	}
	return n.next.Handle(ctx, record)
}
