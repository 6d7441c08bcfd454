package processor

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"tocsin/topics"
	"tocsin/topics/readlog"
)

// cut empties the changelog of a partition. What lies there may be anything, so it cannot be overwritten key by key.
//
// One record is written first and removed with the rest: the log then begins behind every position that a local state
// can have, and none of them is gone on from.
func (o *offsets) cut(ctx context.Context, partition int32) error {
	mark := &kgo.Record{Topic: o.Topics.Changelog, Partition: partition, Key: []byte(topics.SealKey)}
	if err := o.cl.ProduceSync(ctx, mark).FirstErr(); err != nil {
		return fmt.Errorf("write to %s: %w", o.Topics.Changelog, err)
	}
	restore, err := o.allowDeletion(ctx)
	if err != nil {
		return err
	}
	err = o.deleteBelow(ctx, partition, mark.Offset+1)
	if e := o.configure(ctx, restore); err == nil {
		err = e
	}
	return err
}

func (o *offsets) deleteBelow(ctx context.Context, partition int32, offset int64) error {
	set := kadm.Offsets{}
	set.AddOffset(o.Topics.Changelog, partition, offset, -1)
	err := o.delete(ctx, set)
	// The partition's leader hears of the changed policy a moment after whoever said that it is changed.
	for deadline := time.Now().Add(policyWithin); errors.Is(err, kerr.PolicyViolation) && time.Now().Before(deadline); {
		if !pause(ctx, 100*time.Millisecond) {
			break
		}
		err = o.delete(ctx, set)
	}
	if err != nil {
		return fmt.Errorf("delete the records of %s partition %d: %w", o.Topics.Changelog, partition, err)
	}
	bounds, err := readlog.Bounds(ctx, o.adm, o.Topics.Changelog, partition)
	if err == nil && bounds[partition].From < offset {
		err = fmt.Errorf("%s partition %d still begins at offset %d", o.Topics.Changelog, partition, bounds[partition].From)
	}
	return err
}

// policyWithin bounds the wait for a policy to reach the leader.
const policyWithin = 15 * time.Second

func (o *offsets) delete(ctx context.Context, set kadm.Offsets) error {
	deleted, err := o.adm.DeleteRecords(ctx, set)
	if err == nil {
		err = deleted.Error()
	}
	return err
}

// allowDeletion lets the changelog's records be deleted, which brokers refuse for a topic that is compacted only. While
// it is so nothing goes by age or size. The result takes it back.
func (o *offsets) allowDeletion(ctx context.Context) (restore []kadm.AlterConfig, err error) {
	const policy, forever = "cleanup.policy", "-1"
	described, err := o.adm.DescribeTopicConfigs(ctx, o.Topics.Changelog)
	if err != nil {
		return nil, fmt.Errorf("describe the settings of %s: %w", o.Topics.Changelog, err)
	}
	compact, both, all := "compact", "compact,delete", forever
	set := []kadm.AlterConfig{{Name: policy, Value: &both}}
	restore = []kadm.AlterConfig{{Name: policy, Value: &compact}} // as it must be, whatever it is after an earlier try
	for _, key := range []string{"retention.ms", "retention.bytes"} {
		set = append(set, kadm.AlterConfig{Name: key, Value: &all})
		back := kadm.AlterConfig{Op: kadm.DeleteConfig, Name: key}
		for _, r := range described {
			for _, c := range r.Configs {
				if c.Key == key && c.Source.String() == "DYNAMIC_TOPIC_CONFIG" && c.MaybeValue() != forever {
					value := c.MaybeValue()
					back = kadm.AlterConfig{Name: key, Value: &value}
				}
			}
		}
		restore = append(restore, back)
	}
	return restore, o.configure(ctx, set)
}

func (o *offsets) configure(ctx context.Context, set []kadm.AlterConfig) error {
	answers, err := o.adm.AlterTopicConfigs(ctx, set, o.Topics.Changelog)
	for _, a := range answers {
		if err == nil && a.Err != nil {
			err = fmt.Errorf("%w: %s", a.Err, a.ErrMessage)
		}
	}
	if err != nil {
		return fmt.Errorf("change the settings of %s (`tocsin topics check` says how they must be): %w",
			o.Topics.Changelog, err)
	}
	return nil
}
