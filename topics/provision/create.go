package provision

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"tocsin/topics"
)

// Created is one topic that Create was asked for.
type Created struct {
	Name    string
	New     bool // false: it was there and was left alone
	Configs map[string]string
}

// Create makes the topics that are missing. dryRun asks the brokers whether they would, and makes none. A topic that
// belongs to the user (Spec.External) is made too: leave it out of specs to leave it alone. What was made before an
// error stays; calling again goes on from there.
func Create(ctx context.Context, adm *kadm.Client, specs []topics.Spec, dryRun bool) ([]Created, error) {
	names := make([]string, len(specs))
	for i := range specs {
		names[i] = specs[i].Name
	}
	// To be told that a topic is there takes no right to create it. Where it cannot be seen, the brokers say so later.
	there, err := list(ctx, adm, names...)
	if err != nil {
		there = nil
	}
	created := make([]Created, 0, len(specs))
	for _, s := range specs {
		configs := make(map[string]*string, len(s.Configs))
		shown := make(map[string]string, len(s.Configs))
		for _, c := range s.Configs {
			value := c.Value
			configs[c.Key], shown[c.Key] = &value, value
		}
		if d, ok := there[s.Name]; ok && d.Err == nil {
			created = append(created, Created{Name: s.Name, Configs: shown})
			continue
		}
		create := adm.CreateTopics
		if dryRun {
			create = adm.ValidateCreateTopics
		}
		made, err := createOne(ctx, create, &s, configs)
		if err != nil {
			return created, fmt.Errorf("create topic %s: %w", s.Name, err)
		}
		created = append(created, Created{Name: s.Name, New: made, Configs: shown})
	}
	if dryRun {
		return created, nil
	}
	return created, WaitVisible(ctx, adm, names...)
}

type createTopics func(
	ctx context.Context, partitions int32, replicas int16, configs map[string]*string, names ...string,
) (kadm.CreateTopicResponses, error)

// createOne says false for a topic that was there. Brokers that have just started are fenced for a moment, and then no
// topic can be made: that is waited for.
func createOne(
	ctx context.Context, create createTopics, s *topics.Spec, configs map[string]*string,
) (made bool, err error) {
	deadline := time.NewTimer(visibleWithin)
	defer deadline.Stop()
	for {
		answer, err := create(ctx, s.Partitions, s.Replicas, configs, s.Name)
		if err != nil {
			return false, err
		}
		switch one := answer[s.Name]; {
		case one.Err == nil:
			return true, nil
		case errors.Is(one.Err, kerr.TopicAlreadyExists):
			return false, nil
		case !errors.Is(one.Err, kerr.InvalidReplicationFactor) || !strings.Contains(one.ErrMessage, "fenced"):
			return false, fmt.Errorf("%w: %s", one.Err, one.ErrMessage)
		default:
			err = fmt.Errorf("%w: %s", one.Err, one.ErrMessage)
		}
		select {
		case <-time.After(fencedEvery):
		case <-deadline.C:
			return false, err
		case <-ctx.Done():
			return false, err
		}
	}
}

// fencedEvery is the pause between two tries: brokers are fenced for a second or two.
const fencedEvery = 250 * time.Millisecond

// A new topic is known to the controller first, and to the brokers that clients ask a moment later.
const (
	visibleWithin = 15 * time.Second
	visibleEvery  = 50 * time.Millisecond
)

// WaitVisible returns when every topic can be seen with a leader for each partition, so that what starts next finds
// it. After 15 s the error says which is not.
func WaitVisible(ctx context.Context, adm *kadm.Client, names ...string) error {
	ctx, cancel := context.WithTimeout(ctx, visibleWithin)
	defer cancel()
	tick := time.NewTicker(visibleEvery)
	defer tick.Stop()
	for {
		details, err := list(ctx, adm, names...)
		if err != nil {
			return fmt.Errorf("wait for the new topics: %w", err)
		}
		hidden := slices.IndexFunc(names, func(name string) bool { return !visible(details, name) })
		if hidden < 0 {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("topic %s was created but has no leader after %s: are enough brokers up? %w", names[hidden],
				visibleWithin, ctx.Err())
		}
	}
}

// list asks the brokers. To ask for the authorized operations, too, is what makes it do so: otherwise the client
// answers with what it was told up to five seconds ago, when the topics were not there.
func list(ctx context.Context, adm *kadm.Client, names ...string) (kadm.TopicDetails, error) {
	return adm.ListTopics(kadm.WithAuthorizedOps(ctx), names...)
}

func visible(details kadm.TopicDetails, name string) bool {
	d, ok := details[name]
	if !ok || d.Err != nil || len(d.Partitions) == 0 {
		return false
	}
	for _, p := range d.Partitions {
		if p.Err != nil || p.Leader < 0 {
			return false
		}
	}
	return true
}
