package topics

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
)

// CoverageSchema is the version of the coverage record's JSON form.
const CoverageSchema = 1

// Coverage is a record of the seals topic: it says what was judged of one stretch of one input partition. The records
// of a partition form a chain: each begins where the one before ends, and hashes it.
type Coverage struct {
	Partition int32
	TopicID   [16]byte // of the input topic
	From      int64    // first input offset
	To        int64    // the offset after the last; as many records were judged as Counts says, the rest are gaps
	FromTime  Timestamp
	ToTime    Timestamp // record times at both ends
	Counts    Counts
	RuleSet   [32]byte // hash of the rule set that judged all of them
	Chain     [32]byte // set by Link
}

// CoverageKey is the key of a partition's coverage records: its number in decimal.
func CoverageKey(partition int32) []byte { return strconv.AppendInt(nil, int64(partition), 10) }

// Link sets c.Chain: SHA-256(chain of the record before ‖ JSON of this one without its chain). prev is zero for the
// first record of a partition.
func (c *Coverage) Link(prev [32]byte) { c.Chain = c.chain(prev) }

// Follows says whether c is what came after a record with the chain hash prev.
func (c *Coverage) Follows(prev [32]byte) bool { return c.Chain == c.chain(prev) }

func (c *Coverage) chain(prev [32]byte) [32]byte {
	return sha256.Sum256(append(c.appendBody(prev[:]), '}'))
}

// Append appends the JSON form: fields in the order below, no spaces, reasons that did not occur left out. The topic id
// is written as Kafka's tools print it, hashes in hex.
func (c *Coverage) Append(dst []byte) []byte {
	dst = append(c.appendBody(dst), `,"chain":"`...)
	dst = hex.AppendEncode(dst, c.Chain[:])
	return append(dst, `"}`...)
}

func (c *Coverage) appendBody(dst []byte) []byte {
	number := func(name string, n int64) {
		dst = append(append(dst, name...), ':')
		dst = strconv.AppendInt(dst, n, 10)
	}
	number(`{"schema"`, CoverageSchema)
	number(`,"partition"`, int64(c.Partition))
	dst = append(append(append(dst, `,"topic_id":"`...), FormatTopicID(c.TopicID)...), '"')
	number(`,"from"`, c.From)
	number(`,"to"`, c.To)
	dst = append(append(append(dst, `,"from_time":"`...), c.FromTime.String()...), '"')
	dst = append(append(append(dst, `,"to_time":"`...), c.ToTime.String()...), '"')
	number(`,"counts":{"judged"`, c.Counts.Judged)
	number(`,"duplicates"`, c.Counts.Duplicates)
	number(`,"ticks"`, c.Counts.Ticks)
	number(`,"exempted"`, c.Counts.Exempted)
	number(`,"id_conflicts"`, c.Counts.IDConflicts)
	dst = append(dst, `,"dead_letters":{`...)
	comma := ""
	for r, n := range c.Counts.DeadLetters {
		if n != 0 {
			number(comma+`"`+Reason(r).String()+`"`, n)
			comma = ","
		}
	}
	dst = append(dst, `}},"rule_set":"`...)
	dst = hex.AppendEncode(dst, c.RuleSet[:])
	return append(dst, '"')
}

// DecodeCoverage reads what [Coverage.Append] wrote, and nothing else: not a byte may differ.
func DecodeCoverage(b []byte) (Coverage, error) {
	var j struct {
		Schema    int       `json:"schema"`
		Partition int32     `json:"partition"`
		TopicID   string    `json:"topic_id"`
		From      int64     `json:"from"`
		To        int64     `json:"to"`
		FromTime  Timestamp `json:"from_time"`
		ToTime    Timestamp `json:"to_time"`
		Counts    struct {
			Judged      int64            `json:"judged"`
			Duplicates  int64            `json:"duplicates"`
			Ticks       int64            `json:"ticks"`
			Exempted    int64            `json:"exempted"`
			IDConflicts int64            `json:"id_conflicts"`
			DeadLetters map[string]int64 `json:"dead_letters"`
		} `json:"counts"`
		RuleSet string `json:"rule_set"`
		Chain   string `json:"chain"`
	}
	if err := json.Unmarshal(b, &j); err != nil {
		return Coverage{}, fmt.Errorf("coverage: %w", err)
	}
	if j.Schema != CoverageSchema {
		return Coverage{}, fmt.Errorf("coverage: schema %d, this program knows %d", j.Schema, CoverageSchema)
	}
	c := Coverage{
		Partition: j.Partition, From: j.From, To: j.To, FromTime: j.FromTime, ToTime: j.ToTime,
		Counts: Counts{
			Judged: j.Counts.Judged, Duplicates: j.Counts.Duplicates, Ticks: j.Counts.Ticks,
			Exempted: j.Counts.Exempted, IDConflicts: j.Counts.IDConflicts,
		},
	}
	for _, name := range slices.Sorted(maps.Keys(j.Counts.DeadLetters)) {
		r, ok := ParseReason(name)
		if !ok {
			return Coverage{}, fmt.Errorf("coverage: unknown reason %q: written by a newer version", name)
		}
		c.Counts.DeadLetters[r] = j.Counts.DeadLetters[name]
	}
	var err error
	if c.TopicID, err = ParseTopicID(j.TopicID); err != nil {
		return Coverage{}, fmt.Errorf("coverage: %w", err)
	}
	if err := errors.Join(parseHash(&c.RuleSet, j.RuleSet), parseHash(&c.Chain, j.Chain)); err != nil {
		return Coverage{}, fmt.Errorf("coverage: %w", err)
	}
	if c.Partition < 0 || c.From < 0 || c.To < c.From {
		return Coverage{}, fmt.Errorf("coverage: partition %d, offsets %d to %d", c.Partition, c.From, c.To)
	}
	if !bytes.Equal(c.Append(nil), b) {
		return Coverage{}, errors.New("coverage: not in the form that is written: a field is missing, unknown or misplaced")
	}
	return c, nil
}

func parseHash(dst *[32]byte, s string) error {
	if n, err := hex.Decode(dst[:], []byte(s[:min(len(s), 2*len(dst))])); err != nil || n != len(dst) {
		return errors.New("a hash is not 64 hex digits")
	}
	return nil
}

// FormatTopicID writes a topic id as Kafka's tools do: base64 for URLs, without padding.
func FormatTopicID(id [16]byte) string { return base64.RawURLEncoding.EncodeToString(id[:]) }

// ParseTopicID is the inverse of [FormatTopicID].
func ParseTopicID(s string) (id [16]byte, err error) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err != nil || len(b) != len(id) {
		return id, fmt.Errorf("topic id %q: 22 characters of URL base64 expected", s)
	}
	return [16]byte(b), nil
}
