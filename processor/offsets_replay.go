package processor

import (
	"context"
	"errors"
	"fmt"

	"tocsin/state"
	"tocsin/topics"
	"tocsin/topics/readlog"
)

// ReplayStretch says which input offsets ActionReplay has to judge again: from where judging began, or from where the
// log begins by now, up to the plan's target. Give them to package replay, and what comes of it to ReplaceState.
func ReplayStretch(ctx context.Context, c OffsetsConfig, p *OffsetPlan) (readlog.Range, error) {
	stretch, err := replayStretch(ctx, c, p)
	if err != nil {
		return stretch, fmt.Errorf("look for what must be judged again: %w", err)
	}
	return stretch, nil
}

func replayStretch(ctx context.Context, c OffsetsConfig, p *OffsetPlan) (none readlog.Range, err error) {
	o, err := openOffsets(ctx, c)
	if err != nil {
		return none, err
	}
	defer o.cl.Close()
	if err := o.requireEmptyGroup(ctx); err != nil { // better said before the work than after it
		return none, err
	}
	known, err := o.judged(ctx, p.Partition)
	if err != nil {
		return none, err
	}
	return stretchOf(p, &known), nil
}

func stretchOf(p *OffsetPlan, known *judged) readlog.Range {
	return readlog.Range{From: min(max(p.LogStart, known.from), p.Target), To: p.Target}
}

// Replaced is what ReplaceState did.
type Replaced struct {
	Stretch readlog.Range // input offsets that were judged again
	Records int64         // of the state
	// Exact: the state is proven to be the one of before. The coverage records that came of the stretch end with the
	// same hash of their chain as those that were written when it was judged for the first time: all verdicts are the
	// same. Otherwise the log does not reach back as far, or the rules are others by now, or no coverage record has been
	// written yet; alerts that were open may then go on under new ids.
	Exact bool
}

// ReplaceState replaces all that the changelog holds of a partition by the state in a store: that of the stretch of
// [ReplayStretch], judged again by package replay. One transaction writes the state, its seal, the group's input offset
// and the record of what was done. The local state of the partition, if there is one, is dropped.
//
// Nothing of the stretch is written again to alerts, dead letters or coverage: the transactions that judged it for the
// first time have done that. From the target on records are judged as always. So each record has its verdict once.
//
// No processor may run, and none can come in between: the transaction is that of the only member of the group. When
// ReplaceState fails after it has emptied the changelog, the partition has an offset and no seal: it stays stopped, and
// ActionReplay is the way out still.
func ReplaceState(ctx context.Context, c OffsetsConfig, change OffsetChange, judged *state.Store) (Replaced, error) {
	done, err := replaceState(ctx, c, change, judged)
	if err != nil {
		return done, fmt.Errorf("replace the state of partition %d: %w", change.Partition, err)
	}
	return done, nil
}

func replaceState(
	ctx context.Context, c OffsetsConfig, change OffsetChange, from *state.Store,
) (done Replaced, err error) {
	o, err := openOffsets(ctx, c)
	if err != nil {
		return done, err
	}
	defer o.cl.Close()
	if err := o.requireEmptyGroup(ctx); err != nil {
		return done, err
	}
	member, err := o.join(ctx) // from here on nobody else commits anything
	if err != nil {
		return done, err
	}
	defer member.close()
	p, err := o.planned(ctx, change)
	if err != nil {
		return done, err
	}
	known, err := o.judged(ctx, p.Partition)
	if err != nil {
		return done, err
	}
	done.Stretch = stretchOf(&p, &known)
	seal, err := o.replayedSeal(from, &p)
	if err != nil {
		return done, err
	}
	if seal.Coverage.ChainHead == known.chain {
		done.Exact = known.known
	} else {
		// What was judged before goes on being covered by what was written then; the rest of its last minute is a gap.
		seal.Coverage = topics.OpenInterval{From: p.Target, FromTime: seal.RecordTime, ChainHead: known.chain}
	}
	if err := member.alone(); err != nil {
		return done, err
	}
	if err := o.cut(ctx, p.Partition); err != nil {
		return done, err
	}
	if err := member.replace(ctx, from, seal, change, &p, &done); err != nil {
		return done, err
	}
	if o.Store != nil {
		if err := o.Store.Drop(statePartition(p.Partition)); err != nil {
			return done, fmt.Errorf("it is done, but the local copy of what was there is not removed: %w", err)
		}
	}
	return done, nil
}

// planned makes the plan of one partition again.
func (o *offsets) planned(ctx context.Context, change OffsetChange) (OffsetPlan, error) {
	if change.Partition < 0 || change.Partition >= o.input.Partitions {
		return OffsetPlan{}, fmt.Errorf("the input topic has partitions 0 to %d", o.input.Partitions-1)
	}
	committed, err := stableOffsets(ctx, o.cl, o.App, o.Topics.Input, o.input.ID, []int32{change.Partition})
	if err != nil {
		return OffsetPlan{}, err
	}
	p, err := o.planOne(ctx, change.Partition, committed[change.Partition].next)
	if err == nil {
		err = change.check(&p)
	}
	if err == nil && p.Target < 0 {
		err = errors.New("nothing says up to where its records have been judged")
	}
	return p, err
}

// replayedSeal is the seal of the state in the store, but for its hashes, as what goes on with the plan's target.
func (o *offsets) replayedSeal(from *state.Store, p *OffsetPlan) (seal topics.Seal, err error) {
	infos, err := from.Partitions()
	if err != nil {
		return seal, err
	}
	found := false
	for _, info := range infos {
		if info.Partition == statePartition(p.Partition) && info.Complete {
			seal, found = info.Position.Seal, true
		}
	}
	switch {
	case !found:
		return seal, errors.New("it is not in the store that was given")
	case seal.InputTopicID != o.input.ID || seal.Partitions != o.input.Partitions:
		return seal, errors.New("the state that was given is of another input topic")
	case seal.Next > p.Target:
		return seal, fmt.Errorf("the state that was given has judged up to offset %d, beyond %d", seal.Next, p.Target)
	}
	seal.Next, seal.Sequence = p.Target, p.Sequence+1
	return seal, nil
}
