package app

import (
	"context"
	"errors"

	"github.com/twmb/franz-go/pkg/kadm"

	"tocsin/topics"
	"tocsin/topics/provision"
)

// roles are the topics this version uses.
var roles = []topics.Role{
	topics.RoleInput, topics.RoleAlerts, topics.RoleDeadLetter, topics.RoleChangelog, topics.RoleSeals,
}

// specs says how the topics must be, given the input topic as it is; where there is none, as it would be created.
// missing says so.
func (c *Config) specs(ctx context.Context, adm *kadm.Client) (specs []topics.Spec, missing bool, err error) {
	partitions := int32(c.Topics.Partitions)
	maxMessage := int(c.Input.MaxBytes + mib) // room for what is too large for us: it is to become a dead letter
	input, live, err := provision.Input(ctx, adm, c.Topics.Input)
	switch {
	case errors.Is(err, provision.ErrMissing):
		missing = true
	case err != nil:
		return nil, false, err
	default:
		partitions, maxMessage = input.Partitions, live
	}
	specs, err = topics.Specs(topics.SpecConfig{
		App:               c.App.ID,
		Names:             topics.Names{Input: c.Topics.Input, Alerts: c.Topics.Alerts, DeadLetter: c.Topics.DeadLetter},
		InputPartitions:   partitions,
		ReplicationFactor: int16(c.Kafka.ReplicationFactor), MinISR: int16(c.Kafka.MinInsyncReplicas),
		InputMaxMessageBytes: maxMessage, TrustCreateTime: c.Input.TrustCreateTime,
	})
	if err != nil {
		return nil, false, err
	}
	return provision.Only(specs, roles...), missing, nil
}

// InitTopics creates the topics that are missing; the input only if asked to, for it is the user's, and then with these
// settings besides. dryRun asks the brokers whether they would.
func InitTopics(
	ctx context.Context, c *Config, input, dryRun bool, settings ...topics.ConfigSpec,
) (created []provision.Created, err error) {
	defer func() { err = c.named(ctx, err, topics.DutyTopicsInit) }()
	cl, err := c.kafkaClient()
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	adm := kadm.NewClient(cl)
	specs, missing, err := c.specs(ctx, adm)
	if err != nil {
		return nil, err
	}
	if missing && !input {
		return nil, Usagef("input topic %s does not exist: create it as your producers need it, name another"+
			" (topics.input), or let this command create it with --input", c.Topics.Input)
	}
	if !input {
		specs = provision.Only(specs, roles[1:]...)
	}
	for i := range specs {
		if specs[i].Role == topics.RoleInput {
			specs[i].Configs = append(specs[i].Configs, settings...)
		}
	}
	return provision.Create(ctx, adm, specs, dryRun)
}

// CheckTopics compares the cluster with what must be.
func CheckTopics(ctx context.Context, c *Config) (differences []topics.Difference, err error) {
	defer func() { err = c.named(ctx, err, topics.DutyTopicsCheck) }()
	cl, err := c.kafkaClient()
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	adm := kadm.NewClient(cl)
	specs, _, err := c.specs(ctx, adm)
	if err != nil {
		return nil, err
	}
	return provision.Check(ctx, adm, specs)
}
