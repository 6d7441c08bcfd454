package processor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"tocsin/topics"
)

// OffsetChange is one thing to be done by ApplyOffsets. What it expects to find keeps a plan that has grown old from
// doing harm.
type OffsetChange struct {
	Partition int32
	Action    OffsetAction
	Committed int64  // as planned
	Sealed    int64  // as planned
	Who       string // for the record
}

// ApplyOffsets does what was chosen from a plan, and writes what it did to the seals topic. No processor of the
// application may run: the group must be without members.
func ApplyOffsets(ctx context.Context, c OffsetsConfig, changes []OffsetChange) error {
	o, err := openOffsets(ctx, c)
	if err != nil {
		return fmt.Errorf("apply offsets: %w", err)
	}
	defer o.cl.Close()
	if err := o.requireEmptyGroup(ctx); err != nil {
		return fmt.Errorf("apply offsets: %w", err)
	}
	plans, err := o.plan(ctx)
	if err != nil {
		return fmt.Errorf("apply offsets: %w", err)
	}
	for _, change := range changes {
		if err := o.apply(ctx, plans, change); err != nil {
			return fmt.Errorf("apply offsets: partition %d: %w", change.Partition, err)
		}
	}
	return nil
}

func (o *offsets) requireEmptyGroup(ctx context.Context) error {
	described, err := o.adm.DescribeGroups(ctx, o.App)
	if err != nil {
		return fmt.Errorf("describe group %s: %w", o.App, err)
	}
	if members := described[o.App].Members; len(members) > 0 {
		name := members[0].MemberID
		if members[0].InstanceID != nil {
			name = *members[0].InstanceID
		}
		return fmt.Errorf("group %s has %d members (%s, …): stop all processors first; members that are gone stay for a "+
			"session timeout (kafka.session_timeout)", o.App, len(members), name)
	}
	return nil
}

func (o *offsets) apply(ctx context.Context, plans []OffsetPlan, c OffsetChange) error {
	if c.Partition < 0 || int(c.Partition) >= len(plans) {
		return fmt.Errorf("the input topic has partitions 0 to %d", len(plans)-1)
	}
	p := plans[c.Partition]
	if err := c.check(&p); err != nil {
		return err
	}
	switch c.Action {
	case ActionSetOffset:
		if p.Sealed < 0 {
			return errors.New("there is no seal whose offset could be committed")
		}
		set := kadm.Offsets{}
		set.Add(kadm.Offset{
			Topic: o.Topics.Input, TopicID: o.input.ID, Partition: c.Partition, At: p.Sealed, LeaderEpoch: -1,
		})
		if err := o.adm.CommitAllOffsets(ctx, o.App, set); err != nil {
			return fmt.Errorf("commit offset %d: %w", p.Sealed, err)
		}
	case ActionRebuild:
		if o.Store == nil {
			return errors.New("the local state is needed to drop a partition from it")
		}
		if err := o.Store.Drop(statePartition(c.Partition)); err != nil {
			return err
		}
	default:
		return fmt.Errorf("%q cannot be applied here: it is %s or %s", c.Action, ActionSetOffset, ActionRebuild)
	}
	rec, err := o.record(p, c, nil)
	if err != nil {
		return err
	}
	if err := o.cl.ProduceSync(ctx, rec).FirstErr(); err != nil {
		return fmt.Errorf("it was done, but could not be written to %s: %w", o.Topics.Seals, err)
	}
	return nil
}

// check compares what was planned with what there is now.
func (c *OffsetChange) check(p *OffsetPlan) error {
	if p.Committed != c.Committed || p.Sealed != c.Sealed {
		return fmt.Errorf("the plan is out of date (committed offset %d, sealed %d; now %d and %d): make a new one",
			c.Committed, c.Sealed, p.Committed, p.Sealed)
	}
	return nil
}

// appliedOffsets is the record of what an operator did, in the seals topic.
type appliedOffsets struct {
	Schema    int              `json:"schema"`
	Kind      string           `json:"kind"` // offsets-applied
	Partition int32            `json:"partition"`
	TopicID   string           `json:"topic_id"`
	Action    OffsetAction     `json:"action"`
	Committed int64            `json:"committed"` // before
	Sealed    int64            `json:"sealed"`
	Sequence  uint64           `json:"sequence"`
	Cause     Cause            `json:"cause,omitempty"`
	Replayed  *replayed        `json:"replayed,omitempty"`
	Who       string           `json:"who,omitempty"`
	At        topics.Timestamp `json:"at"`
}

// replayed is what ActionReplay did.
type replayed struct {
	From    int64 `json:"from"` // input offsets judged again: [from, to)
	To      int64 `json:"to"`
	Records int64 `json:"records"` // of the state
	Exact   bool  `json:"exact"`
}

// record is the record of what was done. Its key differs from that of coverage records, which are the partition's
// number alone.
func (o *offsets) record(p OffsetPlan, c OffsetChange, done *replayed) (*kgo.Record, error) {
	applied := appliedOffsets{
		Schema: 1, Kind: "offsets-applied", Partition: c.Partition, TopicID: topics.FormatTopicID(o.input.ID),
		Action:    c.Action,
		Committed: p.Committed, Sealed: p.Sealed, Sequence: p.Sequence, Cause: p.Cause, Who: c.Who,
		Replayed: done, At: topics.Timestamp(o.Now().UnixNano()),
	}
	value, err := json.Marshal(applied)
	if err != nil {
		return nil, fmt.Errorf("encode what was done: %w", err)
	}
	key := []byte("offsets/" + strconv.Itoa(int(c.Partition)))
	return &kgo.Record{Topic: o.Topics.Seals, Key: key, Value: value}, nil
}
