package provision

import (
	"context"
	"errors"
	"fmt"

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
	created := make([]Created, 0, len(specs))
	for _, s := range specs {
		configs := make(map[string]*string, len(s.Configs))
		shown := make(map[string]string, len(s.Configs))
		for _, c := range s.Configs {
			value := c.Value
			configs[c.Key], shown[c.Key] = &value, value
		}
		create := adm.CreateTopics
		if dryRun {
			create = adm.ValidateCreateTopics
		}
		answer, err := create(ctx, s.Partitions, s.Replicas, configs, s.Name)
		if err != nil {
			return created, fmt.Errorf("create topic %s: %w", s.Name, err)
		}
		one := answer[s.Name]
		if one.Err != nil && !errors.Is(one.Err, kerr.TopicAlreadyExists) {
			return created, fmt.Errorf("create topic %s: %w: %s", s.Name, one.Err, one.ErrMessage)
		}
		created = append(created, Created{Name: s.Name, New: one.Err == nil, Configs: shown})
	}
	return created, nil
}
