package provision

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"tocsin/topics"
)

// ErrMissing is wrapped by the error for a topic that does not exist.
var ErrMissing = errors.New("topic does not exist")

// Describe reads topics as the cluster has them. Those that do not exist are left out.
func Describe(ctx context.Context, adm *kadm.Client, names ...string) (map[string]topics.Description, error) {
	listed, err := list(ctx, adm, names...)
	if err != nil {
		return nil, fmt.Errorf("list topics: %w", err)
	}
	live := make(map[string]topics.Description, len(names))
	var there []string
	for _, name := range names {
		t, ok := listed[name]
		switch {
		case !ok || errors.Is(t.Err, kerr.UnknownTopicOrPartition):
			continue
		case t.Err != nil:
			return nil, fmt.Errorf("describe topic %s: %w", name, t.Err)
		}
		d := topics.Description{
			ID: t.ID, Partitions: int32(len(t.Partitions)), Replicas: math.MaxInt16, Configs: make(map[string]string),
		}
		for _, p := range t.Partitions {
			d.Replicas = min(d.Replicas, int16(len(p.Replicas)))
		}
		live[name] = d
		there = append(there, name)
	}
	configs, err := adm.DescribeTopicConfigs(ctx, there...)
	if err != nil {
		return nil, fmt.Errorf("describe topic configurations: %w", err)
	}
	for _, c := range configs {
		if c.Err != nil {
			return nil, fmt.Errorf("describe the configuration of topic %s: %w", c.Name, c.Err)
		}
		for _, entry := range c.Configs {
			if entry.Value != nil {
				live[c.Name].Configs[entry.Key] = *entry.Value
			}
		}
	}
	return live, nil
}

// kafkaMaxMessage is Kafka's default of max.message.bytes, for a broker that does not say.
const kafkaMaxMessage = 1_048_588

// Input describes the input topic and gives its largest message. The error wraps ErrMissing when there is none.
func Input(ctx context.Context, adm *kadm.Client, name string) (d topics.Description, maxMessage int, err error) {
	live, err := Describe(ctx, adm, name)
	if err != nil {
		return d, 0, err
	}
	d, ok := live[name]
	if !ok {
		return d, 0, fmt.Errorf("input topic %s: %w: create it with `tocsin topics init`, or name another (topics.input)",
			name, ErrMissing)
	}
	return d, MaxMessage(d), nil
}

// MaxMessage is max.message.bytes of a topic.
func MaxMessage(d topics.Description) int {
	if n, err := strconv.Atoi(d.Configs["max.message.bytes"]); err == nil {
		return n
	}
	return kafkaMaxMessage
}

// Only picks the specs with these roles.
func Only(specs []topics.Spec, roles ...topics.Role) []topics.Spec {
	var picked []topics.Spec
	for _, s := range specs {
		for _, r := range roles {
			if s.Role == r {
				picked = append(picked, s)
			}
		}
	}
	return picked
}

// Check compares the cluster with the specs.
func Check(ctx context.Context, adm *kadm.Client, specs []topics.Spec) ([]topics.Difference, error) {
	names := make([]string, len(specs))
	for i := range specs {
		names[i] = specs[i].Name
	}
	live, err := Describe(ctx, adm, names...)
	if err != nil {
		return nil, err
	}
	return topics.Check(specs, live), nil
}
