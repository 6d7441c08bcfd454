package generate

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"time"

	"tocsin/processor/processortest/oracle"
	"tocsin/topics"
)

// Record is one record of a stream. Key and Value belong to the cursor until its next At.
type Record struct {
	Key, Value []byte
	Timestamp  int64 // record time, Unix nanoseconds, whole milliseconds
	Class      oracle.Record
}

// Cursor makes records; it is for one goroutine.
type Cursor struct {
	g         *Generator
	good, bad hash.Hash // HMACs
	canonical []byte
	stamp     []byte
	digest    []byte
	integrity [1]oracle.Integrity
}

// Cursor makes a new cursor.
func (g *Generator) Cursor() *Cursor {
	return &Cursor{g: g, good: hmac.New(sha256.New, g.cfg.Secret),
		bad: hmac.New(sha256.New, []byte("somebody else's secret"))}
}

// At makes record i, 0 ≤ i < Records, in rec, whose memory it reuses. Class.Offset is left 0.
func (c *Cursor) At(i int, rec *Record) {
	e := c.write(i, rec)
	rec.Class = c.class(&e)
	rec.Class.Timestamp = rec.Timestamp
}

// Write makes record i as At does, but leaves Class as it was: for those who send records and do not look at them.
func (c *Cursor) Write(i int, rec *Record) { c.write(i, rec) }

func (c *Cursor) write(i int, rec *Record) event {
	e := c.g.slot(i, true)
	if c.g.cfg.Secret == nil && (e.signing == signed || e.signing == forged || e.signing == unchecked) {
		e.signing = hashed // nobody has a key: then verification has none to compare with either
	}
	rec.Timestamp = c.g.recordTime(i)
	who := e.principal
	if who == "" {
		who = e.address
	}
	if who == "" {
		who = "unknown"
	}
	rec.Key = append(append(append(rec.Key[:0], e.org...), '/'), who...)
	rec.Value = c.value(rec.Value[:0], &e)
	return e
}

// class is the answer key of an event whose canonical text was just made.
func (c *Cursor) class(e *event) oracle.Record {
	class := oracle.Record{Time: e.time, Outcome: e.signing.outcome(), Source: e.source, Matched: e.matched()}
	switch {
	case e.principal != "":
		class.Key = oracle.Key{Space: oracle.SpacePrincipal, Org: e.org, Value: e.principal}
	case e.address != "":
		class.Key = oracle.Key{Space: oracle.SpaceIP, Org: e.org, Value: e.address}
	default:
		class.Key = oracle.Key{Space: oracle.SpaceUnknown, Org: e.org}
	}
	if e.fault != sound {
		class.Reason = faultReasons[e.fault]
		return class
	}
	binary.BigEndian.PutUint64(class.Identity[:], e.ordinal)
	class.Identity[15] = 1
	if !e.named {
		class.Identity[15] = 2
	}
	class.Hash = sha256.Sum256(c.canonical)
	kind := e.integrity
	switch class.Outcome {
	case topics.OutcomeTampered:
		class.Reason, kind = topics.ReasonTampered, "tampered"
	case topics.OutcomeForged:
		class.Reason, kind = topics.ReasonForged, "forged"
	case topics.OutcomeUnverifiable:
		class.Reason, kind = topics.ReasonUnverifiable, "unverifiable"
	}
	if kind != "" {
		c.integrity[0] = oracle.Integrity{Kind: kind, Org: e.org, Source: e.source}
		class.Integrity = c.integrity[:]
	}
	return class
}

// TickAt is the record time of the closing ticks: after it every episode is closed.
func (g *Generator) TickAt() int64 {
	longest := int64(0)
	for _, r := range g.rules {
		longest = max(longest, r.Cooldown)
	}
	return g.recordTime(g.cfg.Records-1) + longest + int64(Grace) + int64(time.Second)
}
