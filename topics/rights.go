package topics

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Operation is what a right allows, in the words of Kafka's access control lists.
type Operation string

// The operations. Read, Write and Delete allow Describe too, and AlterConfigs allows DescribeConfigs.
const (
	OpRead            Operation = "Read"
	OpWrite           Operation = "Write"
	OpCreate          Operation = "Create"
	OpDelete          Operation = "Delete"
	OpDescribe        Operation = "Describe"
	OpDescribeConfigs Operation = "DescribeConfigs"
	OpAlterConfigs    Operation = "AlterConfigs"
)

// Allows says whether whoever may do o may do other as well.
func (o Operation) Allows(other Operation) bool {
	switch other {
	case OpDescribe:
		return o == OpRead || o == OpWrite || o == OpDelete || o == other
	case OpDescribeConfigs:
		return o == OpAlterConfigs || o == other
	}
	return o == other
}

// ResourceType is what a right is about.
type ResourceType string

// The resource types.
const (
	ResourceTopic         ResourceType = "Topic"
	ResourceGroup         ResourceType = "Group"
	ResourceTransactionID ResourceType = "TransactionalId"
)

// Duty is something that a process does at the cluster: a role of `run`, or a command.
type Duty string

// The duties.
const (
	DutyProcessor    Duty = "processor"     // run: judge events
	DutySink         Duty = "sink"          // run: store alerts
	DutyCounters     Duty = "counters"      // run: count alerts
	DutyIngest       Duty = "ingest"        // write events
	DutyVerdicts     Duty = "verdicts"      // ingest: wait for the verdicts
	DutyReplay       Duty = "replay"        // judge again
	DutyDeadLetters  Duty = "deadletter"    // read dead letters
	DutyTopicsInit   Duty = "topics-init"   // create topics
	DutyTopicsCheck  Duty = "topics-check"  // compare topics
	DutyOffsetsPlan  Duty = "offsets-plan"  // compare offsets with the state
	DutyOffsetsApply Duty = "offsets-apply" // mend offsets or state
)

// Duties lists them all.
func Duties() []Duty {
	return []Duty{
		DutyProcessor, DutySink, DutyCounters, DutyIngest, DutyVerdicts, DutyReplay, DutyDeadLetters, DutyTopicsInit,
		DutyTopicsCheck, DutyOffsetsPlan, DutyOffsetsApply,
	}
}

// Right is one thing that must be allowed: an operation on a resource.
type Right struct {
	Operation Operation
	Type      ResourceType
	Name      string
	Prefix    bool   // Name is how the names of the resources begin
	For       []Duty // what it is needed for
	Why       string // what is done with it
}

// String is how people say it: Write on topic audit.alerts.
func (r Right) String() string {
	kind := map[ResourceType]string{
		ResourceTopic: "topic", ResourceGroup: "group", ResourceTransactionID: "transactional id",
	}[r.Type]
	if r.Prefix {
		kind += "s beginning with"
	}
	return fmt.Sprintf("%s on %s %s", r.Operation, kind, r.Name)
}

// RightsConfig names what rights are about.
type RightsConfig struct {
	App           string // application id, the name of the processor's group
	SinkGroup     string
	CountersGroup string
	Names         Names
}

// Rights gives the least that these duties need, each right once, with the duties that need it; what another one of
// them allows anyway is left out. The order is that of the resources.
func Rights(c RightsConfig, duties ...Duty) []Right {
	var all []Right
	for _, d := range duties {
		for _, r := range c.of(d) {
			r.For = []Duty{d}
			all = add(all, r)
		}
	}
	implied := make([]bool, len(all))
	for w, weak := range all {
		for i := range all {
			s := &all[i]
			implied[w] = implied[w] || i != w && s.Operation.Allows(weak.Operation) && s.sameResource(&weak)
		}
	}
	// What concerns one resource comes together.
	var least []Right
	for i := range all {
		for j := range all {
			first := slices.IndexFunc(all, func(r Right) bool { return r.sameResource(&all[j]) })
			if first == i && !implied[j] {
				least = append(least, all[j])
			}
		}
	}
	return least
}

func (r *Right) sameResource(o *Right) bool {
	return r.Type == o.Type && r.Name == o.Name && r.Prefix == o.Prefix
}

func add(all []Right, r Right) []Right {
	for i := range all {
		if a := &all[i]; a.Operation == r.Operation && a.sameResource(&r) {
			a.For = union(a.For, r.For)
			if !strings.Contains(a.Why, r.Why) {
				a.Why += "; " + r.Why
			}
			return all
		}
	}
	return append(all, r)
}

func union(a, b []Duty) []Duty {
	all := slices.Concat(a, b)
	slices.SortFunc(all, func(x, y Duty) int {
		return cmp.Compare(slices.Index(Duties(), x), slices.Index(Duties(), y))
	})
	return slices.Compact(all)
}

// of gives what one duty needs, each operation that a request of it is checked for.
func (c *RightsConfig) of(d Duty) []Right {
	input, alerts, dead := c.Names.Input, c.Names.Alerts, c.Names.DeadLetter
	changelog, seals := Internal(c.App, RoleChangelog), Internal(c.App, RoleSeals)
	all := []string{input, alerts, dead, changelog, seals}
	var out []Right
	topic := func(op Operation, why string, names ...string) {
		for _, n := range names {
			out = append(out, Right{Operation: op, Type: ResourceTopic, Name: n, Why: why})
		}
	}
	group := func(op Operation, name, why string) {
		out = append(out, Right{Operation: op, Type: ResourceGroup, Name: name, Why: why})
	}
	const compare = "compare the topic with what it must be"
	switch d {
	case DutyProcessor:
		topic(OpRead, "read events", input)
		topic(OpRead, "restore the state", changelog)
		topic(OpWrite, "write results", alerts, dead, changelog, seals)
		topic(OpDescribeConfigs, compare, all...)
		group(OpRead, c.App, "share the partitions, read and commit offsets")
		out = append(out, Right{Operation: OpWrite, Type: ResourceTransactionID, Name: c.App + "-", Prefix: true,
			Why: "one transactional id for each worker: " + c.App + "-<instance>-<number>"})
	case DutySink:
		topic(OpRead, "read alerts", alerts)
		topic(OpRead, "copy the events behind an alert", input)
		group(OpRead, c.SinkGroup, "share the partitions")
	case DutyCounters:
		topic(OpRead, "read alerts", alerts)
		group(OpRead, c.CountersGroup, "share the partitions")
	case DutyIngest:
		topic(OpWrite, "write events", input)
		topic(OpDescribeConfigs, "learn what the topic takes", input)
	case DutyVerdicts:
		topic(OpRead, "read the verdicts", changelog, seals, dead)
		topic(OpDescribe, "read how far the processor is", input)
		group(OpDescribe, c.App, "read how far the processor is")
	case DutyReplay:
		topic(OpRead, "read events", input)
	case DutyDeadLetters:
		topic(OpRead, "read dead letters", dead)
	case DutyTopicsInit:
		topic(OpDescribe, "see whether the topic is there", all...)
		topic(OpDescribeConfigs, "learn what the topic takes", input)
		topic(OpCreate, "create the topic", all...)
	case DutyTopicsCheck:
		topic(OpDescribe, compare, all...)
		topic(OpDescribeConfigs, compare, all...)
	case DutyOffsetsPlan:
		topic(OpDescribe, "find the bounds of the log", input)
		topic(OpDescribeConfigs, "learn what the topic takes", input)
		topic(OpRead, "read the seals of the state", changelog)
		group(OpDescribe, c.App, "read the committed offsets")
	case DutyOffsetsApply:
		topic(OpRead, "judge events again", input)
		topic(OpDescribeConfigs, "learn what the topic takes", input)
		topic(OpRead, "read the seals of the state", changelog)
		topic(OpWrite, "write the new state", changelog)
		topic(OpDelete, "delete the records of the old state", changelog)
		topic(OpAlterConfigs, "let records be deleted", changelog)
		topic(OpRead, "read what was judged", seals)
		topic(OpWrite, "write down what was done", seals)
		group(OpRead, c.App, "commit offsets")
		out = append(out, Right{Operation: OpWrite, Type: ResourceTransactionID, Name: c.App + "-offsets",
			Why: "replace the state in one transaction"})
	}
	return out
}
