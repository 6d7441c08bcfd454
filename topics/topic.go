package topics

import (
	"errors"
	"fmt"
	"strconv"
	"time"
)

// Role is what a topic is for.
type Role string

// The roles.
const (
	RoleInput          Role = "input"
	RoleAlerts         Role = "alerts"
	RoleDeadLetter     Role = "deadletter"
	RoleChangelog      Role = "window-changelog"
	RoleSeals          Role = "seals"
	RoleRoute          Role = "route"
	RoleRouteChangelog Role = "route-changelog"
	RoleRules          Role = "rules"
	RoleOps            Role = "ops"
)

// Names of the topics that users name; the internal ones are named after the application.
type Names struct {
	Input      string // default audit.events
	Alerts     string // default audit.alerts
	DeadLetter string // default audit.deadletter
}

// DefaultNames are the names used when none are configured.
func DefaultNames() Names {
	return Names{Input: "audit.events", Alerts: "audit.alerts", DeadLetter: "audit.deadletter"}
}

// Internal is the name of an application's internal topic.
func Internal(app string, r Role) string { return app + "-" + string(r) }

// SpecConfig is what the specs depend on.
type SpecConfig struct {
	App               string // application id
	Names             Names
	InputPartitions   int32
	ReplicationFactor int16
	MinISR            int16
	// InputMaxMessageBytes is max.message.bytes of the input topic; a dead letter must hold such a record and headers.
	InputMaxMessageBytes int
	TrustCreateTime      bool // producers may set record times of the input
}

// Spec says how a topic must be.
type Spec struct {
	Role       Role
	Name       string
	Partitions int32
	// SamePartitions: the count must be exactly this one, as partition p belongs to partition p of the input. Otherwise
	// any count will do, and Partitions is what is created.
	SamePartitions bool
	Replicas       int16
	Configs        []ConfigSpec
	External       bool // belongs to the user: checked, not created unless asked for
}

// ConfigSpec says what a topic's configuration entry must be.
type ConfigSpec struct {
	Key, Value string
	Rule       ConfigRule
	Why        string // what goes wrong otherwise
	Advice     bool   // a deviation costs speed or space, not correctness
}

// ConfigRule is how a live value is compared with the one of the spec.
type ConfigRule uint8

// The rules. For AtLeast, -1 is more than anything: Kafka writes "no limit" so.
const (
	Equal   ConfigRule = iota
	AtLeast            // as a number
	AtMost             // as a number
	SameSet            // comma-separated, in any order
)

const (
	mib                = 1 << 20
	internalMaxMessage = 2 * mib // an evidence part of 100 entries is 11 kB; room for formats to grow
	segmentBytes       = 64 * mib

	// TombstoneRetention is delete.retention.ms of the changelogs: state on disk that is older than half of it is restored
	// in full.
	TombstoneRetention = 7 * 24 * time.Hour
)

// Specs gives the specs of all topics of an application, the input first.
func Specs(c SpecConfig) ([]Spec, error) {
	if err := c.validate(); err != nil {
		return nil, err
	}
	n := c.InputPartitions
	specs := []Spec{
		{Role: RoleInput, Name: c.Names.Input, Partitions: n, SamePartitions: true, External: true, Configs: c.input()},
		{Role: RoleAlerts, Name: c.Names.Alerts, Partitions: few(n), Configs: alerts()},
		{Role: RoleDeadLetter, Name: c.Names.DeadLetter, Partitions: few(n), Configs: c.deadLetter()},
		{Role: RoleChangelog, Partitions: n, SamePartitions: true, Configs: changelog()},
		{Role: RoleSeals, Partitions: 1, Configs: append(keep(400*24*time.Hour), segments())},
		{Role: RoleRoute, Partitions: n, Configs: append(keep(7*24*time.Hour), segments())},
		{Role: RoleRouteChangelog, Partitions: n, SamePartitions: true, Configs: changelog()},
		{Role: RoleRules, Partitions: 1, SamePartitions: true, Configs: compacted()},
		{Role: RoleOps, Partitions: 1, Configs: compacted()},
	}
	seen := make(map[string]Role)
	for i := range specs {
		s := &specs[i]
		if s.Name == "" {
			s.Name = Internal(c.App, s.Role)
		}
		s.Replicas = c.ReplicationFactor
		s.Configs = append(s.Configs, ConfigSpec{
			Key: "min.insync.replicas", Value: strconv.Itoa(int(c.MinISR)), Rule: AtLeast,
			Why: "acknowledged records can be lost with fewer brokers than configured", Advice: s.External,
		})
		if err := checkName(s.Name); err != nil {
			return nil, fmt.Errorf("%s topic: %w", s.Role, err)
		}
		if other, ok := seen[s.Name]; ok {
			return nil, fmt.Errorf("topic %q is both %s and %s: each needs one of its own", s.Name, other, s.Role)
		}
		seen[s.Name] = s.Role
	}
	return specs, nil
}

// few is how many partitions take what n partitions of the input rarely bring: alerts and dead letters. A transaction
// that writes to a partition has the broker append a batch and a marker to it, ten times a second and for each worker,
// however little there is; the changelog needs n partitions, these do not.
func few(n int32) int32 { return (n + 7) / 8 }

func (c *SpecConfig) validate() error {
	switch {
	case c.App == "":
		return errors.New("topics: the application id is empty")
	case c.Names.Input == "" || c.Names.Alerts == "" || c.Names.DeadLetter == "":
		return errors.New("topics: input, alerts and deadletter must have names")
	case c.InputPartitions < 1:
		return fmt.Errorf("topics: %d partitions, at least 1 is needed", c.InputPartitions)
	case c.ReplicationFactor < 1:
		return fmt.Errorf("topics: replication factor %d, at least 1 is needed", c.ReplicationFactor)
	case c.MinISR < 1 || c.MinISR > c.ReplicationFactor:
		return fmt.Errorf("topics: min.insync.replicas %d must be between 1 and the replication factor %d",
			c.MinISR, c.ReplicationFactor)
	case c.InputMaxMessageBytes < 1:
		return fmt.Errorf("topics: max.message.bytes %d of the input", c.InputMaxMessageBytes)
	}
	return nil
}

// checkName applies Kafka's rules for topic names.
func checkName(name string) error {
	if name == "" || len(name) > 249 || name == "." || name == ".." {
		return fmt.Errorf("name %q: 1 to 249 characters are needed", name)
	}
	for _, r := range name {
		if (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '.' && r != '_' && r != '-' {
			return fmt.Errorf("name %q: only letters, digits, '.', '_' and '-' are allowed", name)
		}
	}
	return nil
}

func (c *SpecConfig) input() []ConfigSpec {
	cs := []ConfigSpec{{Key: "max.message.bytes", Value: strconv.Itoa(c.InputMaxMessageBytes), Rule: AtMost,
		Why: "a record of the input must fit the dead letters"}}
	if !c.TrustCreateTime {
		cs = append(cs, appendTime("producers could set the clock that decides what is late or in the future; "+
			"input.trust_create_time accepts that"))
	}
	return cs
}

func (c *SpecConfig) deadLetter() []ConfigSpec {
	return append(keep(30*24*time.Hour), ConfigSpec{
		Key: "max.message.bytes", Value: strconv.Itoa(c.InputMaxMessageBytes + mib), Rule: AtLeast,
		Why: "a dead letter holds the whole record and its headers; a larger one would be cut",
	})
}

func alerts() []ConfigSpec {
	return []ConfigSpec{
		{Key: "cleanup.policy", Value: "compact,delete", Rule: SameSet,
			Why: "alerts would pile up, or go while their episode is open"},
		millis("retention.ms", 90*24*time.Hour, "alerts would go before the sink has to have read them", false),
		millis("min.compaction.lag.ms", 24*time.Hour, "readers would miss revisions", true),
		{Key: "max.message.bytes", Value: strconv.Itoa(mib), Rule: AtLeast,
			Why: "a revision has up to 64 KiB, a batch of them up to 1 MiB"},
		appendTime("retention would go by the producer's clock"),
	}
}

func changelog() []ConfigSpec {
	return append(compacted(), millis("delete.retention.ms", TombstoneRetention,
		"state that has been away for long would bring removed keys back", false))
}

func compacted() []ConfigSpec {
	return []ConfigSpec{
		{Key: "cleanup.policy", Value: "compact", Rule: SameSet, Why: "state would go by age, or grow without end"},
		appendTime("compaction would go by the producer's clock"),
		segments(),
		{Key: "min.cleanable.dirty.ratio", Value: "0.2", Rule: AtMost, Advice: true,
			Why: "restores would read many outdated records"},
		{Key: "max.message.bytes", Value: strconv.Itoa(internalMaxMessage), Rule: AtLeast,
			Why: "a batch of changes may not fit"},
	}
}

// keep is a topic whose records go by age alone.
func keep(d time.Duration) []ConfigSpec {
	return []ConfigSpec{
		{Key: "cleanup.policy", Value: "delete", Rule: SameSet, Why: "records of one key would replace each other"},
		millis("retention.ms", d, "records would go too early", false),
		appendTime("retention would go by the producer's clock"),
	}
}

func segments() ConfigSpec {
	return ConfigSpec{Key: "segment.bytes", Value: strconv.Itoa(segmentBytes), Rule: AtMost, Advice: true,
		Why: "the segment being written is neither compacted nor deleted: large ones keep what is outdated"}
}

func millis(key string, d time.Duration, why string, advice bool) ConfigSpec {
	return ConfigSpec{Key: key, Value: strconv.FormatInt(d.Milliseconds(), 10), Rule: AtLeast, Why: why, Advice: advice}
}

func appendTime(why string) ConfigSpec {
	return ConfigSpec{Key: "message.timestamp.type", Value: "LogAppendTime", Why: why}
}
