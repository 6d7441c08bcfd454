package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"slices"
	"time"

	"tocsin/processor"
	"tocsin/processor/replay"
	"tocsin/state"
	"tocsin/state/window"
	"tocsin/topics"
)

// OffsetsOptions of [PlanOffsets] and [ApplyOffsets].
type OffsetsOptions struct {
	Partitions []int32 // empty: all that have something wrong
	Action     string  // set-offset, rebuild or replay; empty: the one advised
	Who        string  // for the record
	Now        func() time.Time
	// Progress is told how far a replay has come; nil for never.
	Progress func(done, total int64)
}

// OffsetStep is what is, or would be, done with a partition.
type OffsetStep struct {
	processor.OffsetPlan
	Action processor.OffsetAction // empty: nothing
	Why    string                 // nothing is done: why

	Replaced *processor.Replaced // by a replay
}

// Result says what was done, or would be.
func (s *OffsetStep) Result(done bool) string {
	switch {
	case s.Action == processor.ActionNone:
		return "nothing done: " + s.Why
	case !done && s.Action == processor.ActionReplay:
		return fmt.Sprintf("would be done, up to offset %d", s.Target)
	case !done:
		return "would be done"
	case s.Replaced == nil:
		return "done"
	}
	proof := "the state is proven to be the one of before"
	if !s.Replaced.Exact {
		proof = "not proven to be the state of before: open alerts may go on under new ids"
	}
	return fmt.Sprintf("done: offsets %d to %d judged again, %d records of state; %s",
		s.Replaced.Stretch.From, s.Replaced.Stretch.To, s.Replaced.Records, proof)
}

// PlanOffsets compares committed offsets with the seals of the state and says what can be done where they differ. note
// says what could not be looked at.
func PlanOffsets(
	ctx context.Context, cfg *Loaded, o OffsetsOptions,
) (plans []processor.OffsetPlan, note string, err error) {
	defer func() { err = cfg.named(ctx, err, topics.DutyOffsetsPlan) }()
	oc, err := offsetsConfig(cfg, o)
	if err != nil {
		return nil, "", err
	}
	store, err := openForOffsets(cfg, o, true)
	if err != nil {
		note = fmt.Sprintf("the local state was not looked at: %v", err)
	} else if store != nil {
		oc.Store = store
		defer func() { err = errors.Join(err, store.Close()) }()
	}
	plans, err = processor.PlanOffsets(ctx, oc)
	return plans, note, err
}

// ApplyOffsets decides what to do with each partition and, unless dry, does it. All processors must be stopped.
func ApplyOffsets(ctx context.Context, cfg *Loaded, o OffsetsOptions, dry bool) (steps []OffsetStep, err error) {
	defer func() {
		duties := []topics.Duty{topics.DutyOffsetsPlan, topics.DutyOffsetsApply}
		if dry {
			duties = duties[:1]
		}
		err = cfg.named(ctx, err, duties...)
	}()
	oc, err := offsetsConfig(cfg, o)
	if err != nil {
		return nil, err
	}
	store, err := openForOffsets(cfg, o, dry)
	if err != nil && !dry { // what would be done can be said beside a running processor, but for its own state
		return nil, fmt.Errorf("%w (all processors must be stopped)", err)
	}
	if store != nil {
		oc.Store = store
		defer func() { err = errors.Join(err, store.Close()) }()
	}
	plans, err := processor.PlanOffsets(ctx, oc)
	if err != nil {
		return nil, err
	}
	var changes []processor.OffsetChange
	for _, p := range plans {
		step, concerned, err := o.decide(p)
		if err != nil {
			return nil, err
		}
		if !concerned {
			continue
		}
		steps = append(steps, step)
		if step.Action != processor.ActionNone {
			changes = append(changes, processor.OffsetChange{
				Partition: p.Partition, Action: step.Action, Committed: p.Committed, Sealed: p.Sealed, Who: o.Who,
			})
		}
	}
	for _, want := range o.Partitions {
		if want < 0 || int(want) >= len(plans) {
			return nil, Usagef("partition %d: %s has partitions 0 to %d", want, cfg.Topics.Input, len(plans)-1)
		}
	}
	if dry || len(changes) == 0 {
		return steps, nil
	}
	simple := slices.DeleteFunc(slices.Clone(changes), func(c processor.OffsetChange) bool {
		return c.Action == processor.ActionReplay
	})
	if err := processor.ApplyOffsets(ctx, oc, simple); err != nil {
		return nil, err
	}
	for i := range steps {
		if steps[i].Action == processor.ActionReplay {
			if steps[i].Replaced, err = replayState(ctx, cfg, o, oc, &steps[i].OffsetPlan); err != nil {
				return nil, err
			}
		}
	}
	return steps, nil
}

// replayState judges the input of a partition again and puts what comes of it in the place of its state.
func replayState(
	ctx context.Context, cfg *Loaded, o OffsetsOptions, oc processor.OffsetsConfig, p *processor.OffsetPlan,
) (_ *processor.Replaced, err error) {
	stretch, err := processor.ReplayStretch(ctx, oc, p)
	if err != nil {
		return nil, err
	}
	eng, err := cfg.newEngine(topics.ModeReplay)
	if err != nil {
		return nil, err
	}
	// In the data folder: it holds as much as the state does, for which a folder of the system may be too small.
	if err := os.MkdirAll(cfg.App.DataDir, 0o700); err != nil {
		return nil, fmt.Errorf("make a folder for the state: %w", err)
	}
	dir, err := os.MkdirTemp(cfg.App.DataDir, "replay-")
	if err != nil {
		return nil, fmt.Errorf("make a folder for the state: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	rc := replay.Config{
		Kafka: oc.Kafka, Topic: cfg.Topics.Input, From: replay.At(stretch.From), To: replay.At(stretch.To),
		Partitions: []int32{p.Partition}, Engine: eng, Dir: dir, Now: o.Now,
	}
	if o.Progress != nil {
		rc.Progress = func(p replay.Progress) { o.Progress(p.Records, p.Records+p.Left) }
	}
	if _, err := replay.Run(ctx, rc); err != nil {
		return nil, err
	}
	judged, err := state.Open(state.Config{
		Dir: dir, HeadIndex: window.HeadIndex, Now: o.Now, ReadOnly: true, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, judged.Close()) }()
	done, err := processor.ReplaceState(ctx, oc, processor.OffsetChange{
		Partition: p.Partition, Action: processor.ActionReplay, Committed: p.Committed, Sealed: p.Sealed, Who: o.Who,
	}, judged)
	if err != nil {
		return nil, err
	}
	return &done, nil
}

// decide says what to do with a partition. Not concerned: nobody asked, and nothing is wrong.
func (o OffsetsOptions) decide(p processor.OffsetPlan) (step OffsetStep, concerned bool, err error) {
	step = OffsetStep{OffsetPlan: p}
	asked := slices.Contains(o.Partitions, p.Partition)
	if len(o.Partitions) > 0 && !asked || len(o.Partitions) == 0 && p.Cause == processor.CauseNone {
		return step, false, nil
	}
	action := processor.OffsetAction(o.Action)
	switch {
	case action == processor.ActionNone && p.Cause == processor.CauseNone:
		step.Why = "nothing is wrong"
		return step, true, nil
	case action == processor.ActionNone && len(p.Actions) > 0:
		action = p.Actions[0]
	case action != processor.ActionNone && !slices.Contains(p.Actions, action):
		return step, true, Usagef("partition %d: %s makes no sense there; possible: %v", p.Partition, action, p.Actions)
	}
	switch action {
	case processor.ActionSetOffset, processor.ActionRebuild, processor.ActionReplay:
		step.Action = action
	default:
		step.Why = "no way out can be applied: start under a new application id (app.id), which judges the input from its " +
			"beginning"
	}
	return step, true, nil
}

func offsetsConfig(cfg *Loaded, o OffsetsOptions) (processor.OffsetsConfig, error) {
	kafka, err := cfg.KafkaOptions()
	return processor.OffsetsConfig{
		App: cfg.App.ID, Kafka: kafka, Topics: cfg.processorTopics(), Now: o.Now,
		StallAfter: time.Duration(cfg.Processor.RestoreStall),
	}, err
}

// openForOffsets opens the local state; nil where there is none.
func openForOffsets(cfg *Loaded, o OffsetsOptions, readOnly bool) (*state.Store, error) {
	if _, err := os.Stat(cfg.stateDir()); errors.Is(err, fs.ErrNotExist) {
		return nil, nil //nolint:nilnil // no state is an ordinary answer
	}
	return state.Open(state.Config{
		Dir: cfg.stateDir(), HeadIndex: window.HeadIndex, Now: o.Now, ReadOnly: readOnly,
		Log: slog.New(slog.DiscardHandler),
	})
}
