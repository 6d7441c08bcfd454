package oracle

import (
	"encoding/binary"

	"tocsin/topics"
)

// Key is a group key: the name space of the value, the organisation and the value.
type Key struct {
	Space      byte
	Org, Value string
}

// The name spaces, numbered as group keys are in state.
const (
	SpacePrincipal byte = 1
	SpaceIP        byte = 2
	SpaceUnknown   byte = 3
	SpaceIntegrity byte = 16
)

// bytes is the encoding that orders timers due at the same time.
func (k Key) bytes() string {
	b := []byte{k.Space}
	b = append(binary.AppendUvarint(b, uint64(len(k.Org))), k.Org...)
	b = append(binary.AppendUvarint(b, uint64(len(k.Value))), k.Value...)
	return string(b)
}

// Integrity is one observation of an integrity episode: what is wrong, and the organisation and source claimed.
type Integrity struct{ Kind, Org, Source string }

func (i Integrity) key() Key { return Key{SpaceIntegrity, i.Org, i.Kind + "\x00" + i.Source} }

// Record is one record of the input partition with what decoder, verifier and rules must say of it. Times are Unix
// nanoseconds. Rules are numbered by their place in [Config.Rules]; bit i of a mask stands for rule i.
type Record struct {
	Offset    int64
	Timestamp int64         // record time as Kafka stores it
	Tick      bool          // moves record time only
	Reason    topics.Reason // set aside by decoder or verifier; the rest counts only for Integrity
	Time      int64         // event time
	Identity  [16]byte
	Hash      [32]byte // canonical hash
	Outcome   topics.Outcome
	Key       Key
	Source    string // claimed source, for id conflicts
	Matched   uint32 // rules that count it
	Exempted  uint32 // rules that would count it but for an exception
	Integrity []Integrity
}

// Rule is a threshold rule: N matches within W nanoseconds, episodes joined over gaps of up to Cooldown.
type Rule struct {
	ID          string
	N           int
	W, Cooldown int64
}

// Config is what the oracles need to know. All durations are nanoseconds.
type Config struct {
	Rules      []Rule            // in rule order
	ByOrg      map[string][]Rule // organisations with other settings: the same rules in the same order
	Integrity  int               // place of the integrity rule, −1 for none
	Grace      int64
	MaxEpisode int64
	Future     int64 // allowed skew ahead of record time
	Refresh    int64 // record time from the last growth to a refreshing revision
	TTL        int64 // record time after its last write at which a key is absent; 0 never
	Cap        int   // retained matches of a key that Peak is about; 0 means 10,000
}

func (c *Config) rules(org string) []Rule {
	if r, ok := c.ByOrg[org]; ok {
		return r
	}
	return c.Rules
}

// Verdict is the one answer on a record.
type Verdict uint8

// The verdicts. Set aside goes with a reason.
const (
	Judged Verdict = iota
	Duplicate
	SetAside
	Tick
)

// Ruling is a verdict with its details.
type Ruling struct {
	Verdict  Verdict
	Reason   topics.Reason
	Conflict bool // judged, and another event under the same id is retained
	Exempted bool // judged, and an exception kept it from a rule
}

// Counts adds up rulings.
type Counts struct {
	Judged, Duplicates, Ticks, Exempted, Conflicts int64
	DeadLetters                                    [topics.NumReasons]int64
}

// Add counts one ruling.
func (c *Counts) Add(r Ruling) {
	switch r.Verdict {
	case Judged:
		c.Judged++
	case Duplicate:
		c.Duplicates++
	case Tick:
		c.Ticks++
	case SetAside:
		c.DeadLetters[r.Reason]++
	}
	if r.Conflict {
		c.Conflicts++
	}
	if r.Exempted {
		c.Exempted++
	}
}

// Plus adds other counts.
func (c *Counts) Plus(o Counts) {
	c.Judged += o.Judged
	c.Duplicates += o.Duplicates
	c.Ticks += o.Ticks
	c.Exempted += o.Exempted
	c.Conflicts += o.Conflicts
	for i := range c.DeadLetters {
		c.DeadLetters[i] += o.DeadLetters[i]
	}
}

// Revision is one alert record that must appear.
type Revision struct {
	Rule       string
	Key        Key
	Crossing   int64
	Revision   int
	State      string // topics.StateOpen, StateClosed or StateMerged
	MergedInto int64  // crossing of the survivor; only when merged
	First      int64  // span
	Last       int64
	Count      int64
	FirstSeen  int64
	LastSeen   int64
	Outcomes   [topics.NumOutcomes]int64
	Evidence   []int64 // offsets of the events that made the crossing, at most 100
	Recent     []int64 // offsets of the last ten counted events, less those above
	At         int64   // offset of the record that caused it
}

const (
	maxEvidence = 100
	maxRecent   = 10
)
