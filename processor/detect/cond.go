package detect

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	"tocsin/topics"
)

// cond is a condition on one event: a small tree, so that it has a canonical form as well as a meaning.
type cond struct {
	op     op
	field  eventField
	text   []byte
	number float64
	status topics.Status
	atom   uint8 // number among the set's atoms; 0: none
	sub    []cond
}

type op uint8

const (
	opAll op = iota
	opAny
	opNot
	opContains
	opPrefix
	opExists
	opStatus
	opDenial
	opRecordsOver
)

type eventField uint8

const (
	fieldAction eventField = iota
	fieldTargetResourceType
)

func (f eventField) String() string { return [...]string{"action", "targetResourceType"}[f] }

func (f eventField) of(e *topics.Event) []byte {
	if f == fieldAction {
		return e.Action
	}
	return e.TargetResourceType
}

func allOf(c ...cond) cond { return cond{op: opAll, sub: c} }
func anyOf(c ...cond) cond { return cond{op: opAny, sub: c} }
func not(c cond) cond      { return cond{op: opNot, sub: []cond{c}} }
func actionContains(text string) cond {
	return cond{op: opContains, text: []byte(text)}
}
func prefix(f eventField, text string) cond { return cond{op: opPrefix, field: f, text: []byte(text)} }
func exists(f eventField) cond              { return cond{op: opExists, field: f} }
func denial() cond                          { return cond{op: opDenial} }
func recordsOver(n float64) cond            { return cond{op: opRecordsOver, number: n} }
func status(s string) cond {
	if s == "failure" {
		return cond{op: opStatus, status: topics.StatusFailure}
	}
	return cond{op: opStatus, status: topics.StatusSuccess}
}

// match tells whether the event meets the condition. met are the atoms that it meets.
func (c *cond) match(e *topics.Event, d *denials, met uint64) bool {
	if c.atom != 0 {
		return met&(1<<(c.atom-1)) != 0
	}
	switch c.op {
	case opAll:
		for i := range c.sub {
			if !c.sub[i].match(e, d, met) {
				return false
			}
		}
		return true
	case opAny:
		for i := range c.sub {
			if c.sub[i].match(e, d, met) {
				return true
			}
		}
		return false
	case opNot:
		return !c.sub[0].match(e, d, met)
	case opContains:
		return bytes.Contains(c.field.of(e), c.text)
	case opPrefix:
		return bytes.HasPrefix(c.field.of(e), c.text)
	case opExists:
		return len(c.field.of(e)) > 0
	case opStatus:
		return e.Status == c.status
	case opDenial:
		return d.match(e)
	case opRecordsOver:
		return e.HasRecordCount && e.RecordCount > c.number
	}
	return false
}

// uses tells whether the condition asks for a denial, so that the lists are part of the rule.
func (c *cond) uses(o op) bool {
	if c.op == o {
		return true
	}
	for i := range c.sub {
		if c.sub[i].uses(o) {
			return true
		}
	}
	return false
}

// canonical writes the condition as an S-expression.
func (c *cond) canonical() string {
	list := func(name string) string {
		parts := make([]string, len(c.sub))
		for i := range c.sub {
			parts[i] = c.sub[i].canonical()
		}
		return "(" + name + " " + strings.Join(parts, " ") + ")"
	}
	switch c.op {
	case opAll:
		return list("all")
	case opAny:
		return list("any")
	case opNot:
		return list("not")
	case opContains:
		return fmt.Sprintf("(contains %s %s)", c.field, strconv.Quote(string(c.text)))
	case opPrefix:
		return fmt.Sprintf("(prefix %s %s)", c.field, strconv.Quote(string(c.text)))
	case opExists:
		return fmt.Sprintf("(exists %s)", c.field)
	case opStatus:
		return fmt.Sprintf("(status %s)", c.status)
	case opRecordsOver:
		return fmt.Sprintf("(over recordCount %s)", strconv.FormatFloat(c.number, 'g', -1, 64))
	default:
		return "(denial)"
	}
}
