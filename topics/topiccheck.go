package topics

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Description is a topic as a cluster has it.
type Description struct {
	ID         [16]byte
	Partitions int32
	Replicas   int16             // the fewest of any partition
	Configs    map[string]string // effective values, defaults included
}

// Difference is one way in which a live topic is not as it must be.
type Difference struct {
	Topic  string
	Role   Role
	What   string // the configuration key, "partitions", "replicas", or "topic" when it does not exist
	Want   string
	Have   string
	Why    string // what goes wrong
	Remedy string // what to do, a command where there is one
	Advice bool   // costs speed or space, not correctness: no reason to refuse to start
}

func (d Difference) String() string {
	return fmt.Sprintf("topic %s: %s is %s, must be %s: %s. %s", d.Topic, d.What, d.Have, d.Want, d.Why, d.Remedy)
}

// Check compares live topics, by name, with the specs. What agrees gives nothing; the order is that of the specs.
func Check(specs []Spec, live map[string]Description) []Difference {
	var out []Difference
	for i := range specs {
		s := &specs[i]
		d, ok := live[s.Name]
		if !ok {
			out = append(out, s.missing())
			continue
		}
		out = s.checkShape(out, &d)
		for _, c := range s.Configs {
			have, ok := d.Configs[c.Key]
			if ok && c.holds(have) {
				continue
			}
			if !ok {
				have = "not set"
			}
			out = append(out, Difference{
				Topic: s.Name, Role: s.Role, What: c.Key, Want: c.want(), Have: have, Why: c.Why, Advice: c.Advice,
				Remedy: fmt.Sprintf("Remedy: kafka-configs.sh --alter --entity-type topics --entity-name %s --add-config %s",
					s.Name, c.setting()),
			})
		}
	}
	return out
}

func (s *Spec) missing() Difference {
	d := Difference{
		Topic: s.Name, Role: s.Role, What: "topic", Have: "missing",
		Want: fmt.Sprintf("there, with %d partitions", s.Partitions),
		Why:  "nothing can be read from it or written to it", Remedy: "Remedy: tocsin topics init",
	}
	if s.External {
		d.Remedy = "Remedy: create it as your producers need it, or let tocsin topics init do it"
	}
	return d
}

func (s *Spec) checkShape(out []Difference, d *Description) []Difference {
	if s.SamePartitions && d.Partitions != s.Partitions {
		out = append(out, Difference{
			Topic: s.Name, Role: s.Role, What: "partitions",
			Want: strconv.Itoa(int(s.Partitions)), Have: strconv.Itoa(int(d.Partitions)),
			Why: "partition p of a changelog belongs to partition p of the input; with other counts keys would be looked for " +
				"where they are not",
			Remedy: "Remedy: begin with another application id (app.id), which starts without state, and replay the input; " +
				"a partition count cannot be lowered, and to raise it re-hashes the keys",
		})
	}
	if d.Replicas < s.Replicas {
		out = append(out, Difference{
			Topic: s.Name, Role: s.Role, What: "replicas",
			Want: "at least " + strconv.Itoa(int(s.Replicas)), Have: strconv.Itoa(int(d.Replicas)),
			Why:    "the loss of a broker can lose records",
			Remedy: "Remedy: kafka-reassign-partitions.sh, or lower kafka.replication_factor", Advice: true,
		})
	}
	return out
}

// holds says whether a live value is as it must be.
func (c *ConfigSpec) holds(have string) bool {
	switch c.Rule {
	case SameSet:
		return slices.Equal(set(have), set(c.Value))
	case AtLeast, AtMost:
		h, err := strconv.ParseFloat(strings.TrimSpace(have), 64)
		w, _ := strconv.ParseFloat(c.Value, 64) // ours; a test reads them all
		switch {
		case err != nil:
			return false
		case c.Rule == AtLeast:
			return h >= w || h == -1
		}
		return h <= w && h >= 0
	}
	return have == c.Value
}

func (c *ConfigSpec) want() string {
	switch c.Rule {
	case AtLeast:
		return "at least " + c.Value
	case AtMost:
		return "at most " + c.Value
	}
	return c.Value
}

// setting is the form of the entry on a command line; a list needs brackets there.
func (c *ConfigSpec) setting() string {
	if strings.Contains(c.Value, ",") {
		return c.Key + "=[" + c.Value + "]"
	}
	return c.Key + "=" + c.Value
}

func set(list string) []string {
	items := strings.Split(list, ",")
	for i := range items {
		items[i] = strings.TrimSpace(items[i])
	}
	slices.Sort(items)
	return slices.Compact(items)
}
