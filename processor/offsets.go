package processor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"tocsin/state"
	"tocsin/topics"
	"tocsin/topics/provision"
	"tocsin/topics/readlog"
)

// OffsetAction is a way out for a partition whose seal and committed offset do not agree.
type OffsetAction string

// The ways out.
const (
	// ActionNone: nothing is wrong.
	ActionNone OffsetAction = ""
	// ActionSetOffset commits the seal's offset for the group: judging goes on exactly where the state stands. It is
	// right when somebody moved or lost the offsets. Where the offset goes forward nothing is lost: those records have
	// been judged.
	ActionSetOffset OffsetAction = "set-offset"
	// ActionRebuild drops the local state of the partition: the next start restores it in full from the changelog. It is
	// right when the local state is at fault.
	ActionRebuild OffsetAction = "rebuild"
	// ActionReplay builds the state of the partition again from the input: the records from the beginning of the log up
	// to Target are judged once more, without output, and what comes of it takes the place of all that the changelog
	// holds. It is right when neither the changelog nor the local state can be trusted. See ReplaceState.
	ActionReplay OffsetAction = "replay"
)

// OffsetPlan is what PlanOffsets says of one partition.
type OffsetPlan struct {
	Partition int32          `json:"partition"`
	Committed int64          `json:"committed"` // of the group; -1: none
	Sealed    int64          `json:"sealed"`    // Next of the last seal in the changelog; -1: no seal
	Sequence  uint64         `json:"sequence"`  // of that seal
	LogStart  int64          `json:"log_start"` // of the input
	LogEnd    int64          `json:"log_end"`
	Target    int64          `json:"target"` // where judging would go on after ActionReplay; -1: it makes no sense
	Cause     Cause          `json:"cause,omitempty"`
	Detail    string         `json:"detail,omitempty"`
	Actions   []OffsetAction `json:"actions,omitempty"` // that make sense, the advised one first
}

// OffsetsConfig says which application's offsets are meant.
type OffsetsConfig struct {
	App    string
	Kafka  []kgo.Opt
	Topics Topics
	// Store is the local state, opened while no processor runs on it; nil leaves out what concerns it.
	Store *state.Store
	// StallAfter bounds how long a changelog may stand still while its last seal is looked for. Default 2 min.
	StallAfter time.Duration
	Now        func() time.Time // default time.Now
}

// offsets is one run of plan or apply.
type offsets struct {
	OffsetsConfig

	cl    *kgo.Client
	adm   *kadm.Client
	input topics.Description
}

func openOffsets(ctx context.Context, c OffsetsConfig) (*offsets, error) {
	if c.StallAfter <= 0 {
		c.StallAfter = DefaultStallAfter
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	cl, err := kgo.NewClient(append(append([]kgo.Opt{}, c.Kafka...),
		kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.RecordPartitioner(partitioner{}))...)
	if err != nil {
		return nil, fmt.Errorf("make the Kafka client: %w", err)
	}
	o := &offsets{OffsetsConfig: c, cl: cl, adm: kadm.NewClient(cl)}
	if o.input, _, err = provision.Input(ctx, o.adm, c.Topics.Input); err != nil {
		cl.Close()
		return nil, err
	}
	return o, nil
}

// PlanOffsets compares, for every partition, the last seal in the changelog with the group's committed offset, and
// says what can be done where they differ. It changes nothing, and may run beside the processors.
func PlanOffsets(ctx context.Context, c OffsetsConfig) ([]OffsetPlan, error) {
	o, err := openOffsets(ctx, c)
	if err != nil {
		return nil, fmt.Errorf("plan offsets: %w", err)
	}
	defer o.cl.Close()
	plans, err := o.plan(ctx)
	if err != nil {
		return nil, fmt.Errorf("plan offsets: %w", err)
	}
	return plans, nil
}

func (o *offsets) plan(ctx context.Context) ([]OffsetPlan, error) {
	all := make([]int32, o.input.Partitions)
	for i := range all {
		all[i] = int32(i)
	}
	committed, err := stableOffsets(ctx, o.cl, o.App, o.Topics.Input, o.input.ID, all)
	if err != nil {
		return nil, err
	}
	plans := make([]OffsetPlan, len(all))
	for i, id := range all {
		if plans[i], err = o.planOne(ctx, id, committed[id].next); err != nil {
			return nil, fmt.Errorf("partition %d: %w", id, err)
		}
	}
	return plans, nil
}

func (o *offsets) planOne(ctx context.Context, id int32, committed int64) (OffsetPlan, error) {
	bounds, err := readlog.Bounds(ctx, o.adm, o.Topics.Input, id)
	if err != nil {
		return OffsetPlan{}, err
	}
	log := bounds[id]
	seal, err := o.lastSeal(ctx, id)
	damage := err
	if err != nil && !errors.Is(err, readlog.ErrBadSeal) {
		return OffsetPlan{}, err
	}
	p := OffsetPlan{
		Partition: id, Committed: committed, Sealed: -1, Sequence: seal.Sequence, LogStart: log.From, LogEnd: log.To,
	}
	if seal.Sequence > 0 && damage == nil {
		p.Sealed = seal.Next
	}
	var stop *StopError
	err = checkSeal(id, &seal, committed, o.input.ID, o.input.Partitions)
	switch {
	case damage != nil:
		p.Cause, p.Detail = CauseChangelog, damage.Error()
	case errors.As(err, &stop):
		p.Cause, p.Detail = stop.Cause, stop.Detail
	case committed >= 0 && committed < log.From:
		p.Cause = CauseOutOfRange
		p.Detail = fmt.Sprintf("input offset %d is the next to be judged, but the topic begins at %d: %d records were "+
			"deleted before they were judged", committed, log.From, log.From-committed)
	}
	p.Target = p.target()
	switch p.Cause {
	case CauseBehind, CauseAhead, CauseNoOffset:
		p.Actions = []OffsetAction{ActionSetOffset}
		if seal.Next < log.From || seal.Next > log.To {
			p.Actions = nil // the records to go on with are not there
			p.advise(ActionReplay)
		}
	case CauseNoSeal, CauseTopicID, CauseChangelog, CauseOutOfRange:
		p.advise(ActionReplay)
	}
	if p, err = o.planLocal(ctx, p); err != nil {
		return p, err
	}
	p.advise(ActionReplay)
	return p, nil
}

// advise adds a way out behind those there are.
func (p *OffsetPlan) advise(action OffsetAction) {
	if !slices.Contains(p.Actions, action) && (action != ActionReplay || p.Target >= 0) {
		p.Actions = append(p.Actions, action)
	}
}

// target is the input offset up to which the records have had their verdict, as far as the log goes: what is below must
// not be judged with output again, and what is not has to be. A seal was written in the transaction that wrote the
// verdicts, so it is believed before the group's offset, which anybody can move. -1: it is not known.
func (p *OffsetPlan) target() int64 {
	judged := p.Sealed
	switch {
	case p.Cause == CauseCount:
		return -1 // keys lie in other partitions than they did
	case p.Cause == CauseTopicID:
		return p.LogStart // nothing of this topic
	case p.Cause == CauseChangelog || judged < 0:
		judged = p.Committed
	}
	if judged < 0 {
		return -1
	}
	return min(max(judged, p.LogStart), p.LogEnd)
}

// planLocal adds what the local state says.
func (o *offsets) planLocal(ctx context.Context, p OffsetPlan) (OffsetPlan, error) {
	if o.Store == nil {
		return p, nil
	}
	infos, err := o.Store.Partitions()
	if err != nil {
		return p, err
	}
	bounds, err := readlog.Bounds(ctx, o.adm, o.Topics.Changelog, p.Partition)
	if err != nil {
		return p, err
	}
	changelog := bounds[p.Partition]
	for _, info := range infos {
		if info.Partition != statePartition(p.Partition) || !info.Complete {
			continue
		}
		if p.Cause == CauseNone && info.Position.ChangelogNext > changelog.To {
			p.Cause = CauseTruncated
			p.Detail = fmt.Sprintf("the local state was built from changelog offsets up to %d, but the changelog ends at %d",
				info.Position.ChangelogNext, changelog.To)
		}
		p.advise(ActionRebuild)
	}
	return p, nil
}

// lastSeal finds the last seal of a changelog partition; its sequence is 0 where there is none.
func (o *offsets) lastSeal(ctx context.Context, id int32) (topics.Seal, error) {
	bounds, err := readlog.Bounds(ctx, o.adm, o.Topics.Changelog, id)
	if err != nil {
		return topics.Seal{}, err
	}
	r := readlog.Reader{Kafka: o.Kafka, Topic: o.Topics.Changelog, StallAfter: o.StallAfter}
	seal, err := r.LastSeal(ctx, id, bounds[id])
	if errors.Is(err, readlog.ErrStalled) {
		err = fmt.Errorf("%w; %s", err, describeStall(ctx, o.adm, r.Topic, id))
	}
	return seal, err
}
