package topics

import (
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func testSpecConfig() SpecConfig {
	return SpecConfig{
		App: "tocsin", Names: DefaultNames(), InputPartitions: 12, ReplicationFactor: 3, MinISR: 2,
		InputMaxMessageBytes: 1_048_588,
	}
}

// asSpecified is a cluster on which everything is as it should be.
func asSpecified(t *testing.T) ([]Spec, map[string]Description) {
	t.Helper()
	specs, err := Specs(testSpecConfig())
	require.NoError(t, err)
	live := make(map[string]Description)
	for _, s := range specs {
		d := Description{Partitions: s.Partitions, Replicas: s.Replicas, Configs: map[string]string{}}
		for _, c := range s.Configs {
			d.Configs[c.Key] = c.Value
			if c.Rule == AtLeast || c.Rule == AtMost {
				_, err := strconv.ParseFloat(c.Value, 64)
				require.NoError(t, err)
			}
		}
		live[s.Name] = d
	}
	return specs, live
}

func TestCheck(t *testing.T) {
	specs, live := asSpecified(t)
	require.Empty(t, Check(specs, live))
	for _, c := range []struct {
		name, topic string
		change      func(d *Description)
		want        string // beginning of the difference; empty: none
		advice      bool
	}{
		{"order of policies", "audit.alerts", set1("cleanup.policy", "delete, compact"), "", false},
		{"a policy is missing", "audit.alerts", set1("cleanup.policy", "compact"),
			"topic audit.alerts: cleanup.policy is compact, must be compact,delete: ", false},
		{"kept for ever", "tocsin-seals", set1("retention.ms", "-1"), "", false},
		{"kept longer", "tocsin-seals", set1("retention.ms", "99999999999999"), "", false},
		{"kept too short", "tocsin-seals", set1("retention.ms", "604800000"),
			"topic tocsin-seals: retention.ms is 604800000, must be at least 34560000000: ", false},
		{"changelog loses by age", "tocsin-window-changelog", set1("cleanup.policy", "compact,delete"),
			"topic tocsin-window-changelog: cleanup.policy is compact,delete, must be compact: ", false},
		{"smaller segments", "tocsin-window-changelog", set1("segment.bytes", "1048576"), "", false},
		{"large segments", "tocsin-window-changelog", set1("segment.bytes", "1073741824"),
			"topic tocsin-window-changelog: segment.bytes is 1073741824, must be at most 67108864: ", true},
		{"one partition too many", "tocsin-window-changelog", func(d *Description) { d.Partitions = 13 },
			"topic tocsin-window-changelog: partitions is 13, must be 12: ", false},
		{"any count will do", "audit.alerts", func(d *Description) { d.Partitions = 3 }, "", false},
		{"input grown", "audit.events", func(d *Description) { d.Partitions = 24 },
			"topic audit.events: partitions is 24, must be 12: ", false},
		{"CreateTime", "audit.events", set1("message.timestamp.type", "CreateTime"),
			"topic audit.events: message.timestamp.type is CreateTime, must be LogAppendTime: ", false},
		{"replicas", "tocsin-ops", func(d *Description) { d.Replicas = 1 },
			"topic tocsin-ops: replicas is 1, must be at least 3: ", true},
		{"not set", "audit.deadletter", func(d *Description) { delete(d.Configs, "max.message.bytes") },
			"topic audit.deadletter: max.message.bytes is not set, must be at least 2097164: ", false},
		{"not a number", "audit.deadletter", set1("max.message.bytes", "lots"),
			"topic audit.deadletter: max.message.bytes is lots, must be at least 2097164: ", false},
		{"no limit is too much here", "tocsin-window-changelog", set1("min.cleanable.dirty.ratio", "-1"),
			"topic tocsin-window-changelog: min.cleanable.dirty.ratio is -1, must be at most 0.2: ", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			specs, live := asSpecified(t)
			d := live[c.topic]
			c.change(&d)
			live[c.topic] = d
			got := Check(specs, live)
			if c.want == "" {
				require.Empty(t, got)
				return
			}
			require.Len(t, got, 1)
			require.True(t, strings.HasPrefix(got[0].String(), c.want), got[0].String())
			require.Contains(t, got[0].String(), "Remedy: ")
			require.Equal(t, c.advice, got[0].Advice)
		})
	}
	delete(live, "tocsin-rules")
	delete(live, "audit.events")
	got := Check(specs, live)
	require.Len(t, got, 2)
	require.Equal(t, "topic audit.events: topic is missing, must be there, with 12 partitions: nothing can be read "+
		"from it or written to it. Remedy: create it as your producers need it, or let tocsin topics init do it",
		got[0].String())
	require.Equal(t, RoleRules, got[1].Role)
}

func set1(key, value string) func(*Description) {
	return func(d *Description) { d.Configs[key] = value }
}

func TestRemedyOfAList(t *testing.T) {
	specs, live := asSpecified(t)
	live["audit.alerts"].Configs["cleanup.policy"] = "delete"
	require.Equal(t, "Remedy: kafka-configs.sh --alter --entity-type topics --entity-name audit.alerts --add-config "+
		"cleanup.policy=[compact,delete]", Check(specs, live)[0].Remedy)
}

func TestSpecsTrustCreateTime(t *testing.T) {
	c := testSpecConfig()
	c.TrustCreateTime = true
	specs, err := Specs(c)
	require.NoError(t, err)
	for _, e := range specs[0].Configs {
		require.NotEqual(t, "message.timestamp.type", e.Key)
	}
}

func TestSpecsRefuse(t *testing.T) {
	for name, change := range map[string]func(c *SpecConfig){
		"no application":  func(c *SpecConfig) { c.App = "" },
		"bad application": func(c *SpecConfig) { c.App = "a b" },
		"no input":        func(c *SpecConfig) { c.Names.Input = "" },
		"same topic":      func(c *SpecConfig) { c.Names.Alerts = c.Names.Input },
		"internal name":   func(c *SpecConfig) { c.Names.Alerts = "tocsin-seals" },
		"long name":       func(c *SpecConfig) { c.Names.Alerts = strings.Repeat("a", 250) },
		"no partitions":   func(c *SpecConfig) { c.InputPartitions = 0 },
		"no replicas":     func(c *SpecConfig) { c.ReplicationFactor = 0 },
		"min ISR":         func(c *SpecConfig) { c.MinISR = 4 },
		"no max message":  func(c *SpecConfig) { c.InputMaxMessageBytes = 0 },
	} {
		t.Run(name, func(t *testing.T) {
			c := testSpecConfig()
			change(&c)
			_, err := Specs(c)
			require.Error(t, err)
		})
	}
}
