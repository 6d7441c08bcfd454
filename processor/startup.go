package processor

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"tocsin/topics"
	"tocsin/topics/provision"
)

// cluster is what Run has found out about the cluster before it started.
type cluster struct {
	inputID     [16]byte
	changelogID [16]byte
	partitions  int32 // of input and changelog
	version1    bool  // transactions are of version 1
}

const startUpTimeout = 30 * time.Second

// startUp checks all that must be right before the first record is read. Each complaint names its remedy.
func (p *Processor) startUp(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startUpTimeout)
	defer cancel()
	if err := p.admin.Ping(ctx); err != nil {
		return fmt.Errorf("reach the Kafka cluster: %w", err)
	}
	if err := p.checkTransactionVersion(ctx); err != nil {
		return err
	}
	live, specs, err := p.describe(ctx)
	if err != nil {
		return err
	}
	t := p.config.Topics
	if err := p.judgeDifferences(topics.Check(specs, live)); err != nil {
		return err
	}
	input, changelog := live[t.Input], live[t.Changelog]
	p.cluster.inputID, p.cluster.changelogID = input.ID, changelog.ID
	p.cluster.partitions = input.Partitions
	if p.cluster.inputID == ([16]byte{}) || p.cluster.changelogID == ([16]byte{}) {
		return fmt.Errorf("%w: the brokers give topics no ids: Kafka 2.8 or newer is needed", ErrTopics)
	}
	if p.config.TrustCreateTime {
		p.metrics.createTime.Set(1)
		p.warn("record times of the input are taken from its producers (input.trust_create_time)")
	}
	p.deadLetterMax = p.config.DeadLetterMaxBytes
	if p.deadLetterMax == 0 {
		p.deadLetterMax = provision.MaxMessage(live[t.DeadLetter])
	}
	return nil
}

// describe reads the topics that the processor uses, and says how they must be.
func (p *Processor) describe(ctx context.Context) (map[string]topics.Description, []topics.Spec, error) {
	t := p.config.Topics
	live, err := provision.Describe(ctx, p.adm, t.Input, t.Alerts, t.DeadLetter, t.Changelog, t.Seals)
	if err != nil {
		return nil, nil, err
	}
	input, ok := live[t.Input]
	if !ok {
		return nil, nil, fmt.Errorf("%w: input topic %s does not exist: create it with `tocsin topics init`, or name "+
			"another (topics.input)", ErrTopics, t.Input)
	}
	specs, err := topics.Specs(topics.SpecConfig{
		App:             p.config.App,
		Names:           topics.Names{Input: t.Input, Alerts: t.Alerts, DeadLetter: t.DeadLetter},
		InputPartitions: input.Partitions,
		// How safe the topics must be is for `topics check` to judge; here only what would make results wrong.
		ReplicationFactor: 1, MinISR: 1,
		InputMaxMessageBytes: provision.MaxMessage(input),
		TrustCreateTime:      p.config.TrustCreateTime,
	})
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrTopics, err)
	}
	specs = provision.Only(specs, topics.RoleInput, topics.RoleAlerts, topics.RoleDeadLetter, topics.RoleChangelog,
		topics.RoleSeals)
	for i := range specs {
		switch specs[i].Role {
		case topics.RoleChangelog:
			specs[i].Name = t.Changelog
		case topics.RoleSeals:
			specs[i].Name = t.Seals
		}
	}
	return live, specs, nil
}

func (p *Processor) judgeDifferences(differences []topics.Difference) error {
	var wrong []string
	for _, d := range differences {
		if d.Advice {
			p.config.Log.Info("topic could be better", "topic", d.Topic, "difference", d.String())
			continue
		}
		wrong = append(wrong, d.String())
	}
	if len(wrong) > 0 {
		return fmt.Errorf("%w:\n  %s", ErrTopics, strings.Join(wrong, "\n  "))
	}
	return nil
}

func (p *Processor) checkTransactionVersion(ctx context.Context) error {
	version, err := provision.TransactionVersion(ctx, p.adm)
	if err != nil {
		return err
	}
	p.cluster.version1 = version < 2
	switch {
	case version >= 2:
		p.metrics.version1.Set(0)
		return nil
	case !p.config.AllowTransaction1:
		return fmt.Errorf("%w: the brokers' transaction.version is %d, 2 is needed (Kafka 4.0; raise it with "+
			"`kafka-features.sh upgrade --feature transaction.version=2`): below it a delayed message can end up in a later "+
			"transaction; kafka.allow_transaction_v1 accepts that", ErrTopics, version)
	}
	p.metrics.version1.Set(1)
	p.warn("the brokers' transaction.version is below 2 (kafka.allow_transaction_v1): a delayed message can end up in a " +
		"later transaction")
	return nil
}

func (p *Processor) warn(text string) {
	p.config.Log.Warn("processor", "warning", text)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.warnings = append(p.warnings, text)
}

// watch checks while running what could change under us: partition counts and topic ids. Intake ends on a difference,
// before keys are looked for where they are not. A cluster that does not answer is asked again.
func (p *Processor) watch(ctx context.Context) error {
	for {
		if !pause(ctx, p.config.WatchEvery) {
			return nil
		}
		if err := p.lookAgain(ctx); err != nil {
			if errors.Is(err, ErrTopics) {
				return err
			}
			p.config.Log.Warn("cannot check the topics", "error", err)
		}
	}
}

func (p *Processor) lookAgain(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startUpTimeout)
	defer cancel()
	t := p.config.Topics
	listed, err := p.adm.ListTopics(ctx, t.Input, t.Changelog)
	if err != nil {
		return err
	}
	for _, want := range []struct {
		name string
		id   [16]byte
	}{{t.Input, p.cluster.inputID}, {t.Changelog, p.cluster.changelogID}} {
		d := listed[want.name]
		switch {
		case d.Err != nil:
			return fmt.Errorf("topic %s: %w", want.name, d.Err)
		case [16]byte(d.ID) != want.id:
			return fmt.Errorf("%w: topic %s was deleted and created anew while the processor ran (id %x, was %x): start under "+
				"a new application id, or restore the topic", ErrTopics, want.name, d.ID, want.id)
		case int32(len(d.Partitions)) != p.cluster.partitions:
			return fmt.Errorf("%w: topic %s has %d partitions now, %d when the processor started: keys have moved between "+
				"partitions; start under a new application id and replay the input", ErrTopics, want.name, len(d.Partitions),
				p.cluster.partitions)
		}
	}
	return nil
}
