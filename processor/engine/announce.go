package engine

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"tocsin/processor/detect"
	"tocsin/state/window"
	"tocsin/topics"
)

// recentEvidence is how many of the last events an alert shows beside those of its crossing.
const recentEvidence = 10

// naming turns a group key into what alerts call it. Nothing is made until an alert needs it.
type naming struct {
	key       string
	partition int32
	resolved  bool

	space   topics.Space
	org     string
	groupBy string
	fields  []string
	values  []string
}

// of names another key.
func (n *naming) of(groupKey string) { n.key, n.resolved = groupKey, false }

func (n *naming) resolve() {
	if n.resolved {
		return
	}
	space, org, value, _, err := topics.ParseGroupKey([]byte(n.key))
	if err != nil {
		panic(fmt.Sprintf("engine: own group key %x: %v", n.key, err)) // a bug: the engine made it
	}
	n.resolved, n.space, n.org = true, space, string(org)
	n.fields, n.values = n.fields[:0], n.values[:0]
	if space == topics.SpaceIntegrity {
		kind, source, _ := strings.Cut(string(value), "\x00")
		n.fields = append(n.fields, "kind", "source", "partition")
		n.values = append(n.values, kind, source, strconv.Itoa(int(n.partition)))
	} else {
		n.fields = append(n.fields, space.String())
		n.values = append(n.values, string(value))
	}
	n.groupBy = strings.Join(n.fields, ",")
}

// id is the alert id of a crossing of the key.
func (n *naming) id(r *window.Rule, crossing int64) [16]byte {
	n.resolve()
	return topics.AlertID(r.ID, r.Version, n.org, n.groupBy, n.values, crossing)
}

// announce writes the revisions of a key into the effects.
func (p *Partition) announce(c *cached, ems []window.Emission, fx *Effects) {
	if len(ems) == 0 {
		return
	}
	p.naming.of(c.key)
	p.naming.resolve()
	for i := range ems {
		a := p.alert(c, &ems[i])
		p.encoded = a.Append(p.encoded[:0])
		value := slices.Clone(p.encoded) // once per revision
		fx.Alerts = append(fx.Alerts, AlertEffect{ID: a.ID, Value: value})
		fx.Bytes += len(value)
	}
}

// alert builds one revision.
func (p *Partition) alert(c *cached, em *window.Emission) *topics.Alert {
	ep, n := em.Episode, &p.naming
	rule := p.engine.cfg.Rules.For([]byte(n.org)).Find(ep.Rule)
	if rule == nil { // the rule was switched off while its episode was open
		rule = &detect.Rule{Severity: "MEDIUM", Type: "SECURITY", Title: ep.Rule, Verb: "matched " + ep.Rule}
	}
	a := &topics.Alert{
		Schema: topics.AlertSchema, ID: topics.FormatAlertID(ep.ID), Revision: int(ep.Revision), State: em.State,
		Rule:         topics.AlertRule{ID: ep.Rule, Version: hex.EncodeToString(ep.Version[:]), Kind: ep.Kind},
		Organization: show(n.org), OrganizationTrusted: n.space != topics.SpaceIntegrity,
		Group: make(map[string]string, len(n.fields)), Severity: rule.Severity, Type: rule.Type, Title: rule.Title,
		FirstSeen: topics.Timestamp(ep.FirstSeen), LastSeen: topics.Timestamp(ep.Last),
		Crossing: topics.Timestamp(ep.Crossing),
		Span:     topics.Span{First: topics.Timestamp(ep.First), Last: topics.Timestamp(ep.Last)},
		Count:    ep.Count, Approximate: ep.Approximate, Threshold: ep.Threshold, Window: time.Duration(ep.Window).String(),
		Verification: make(map[string]int64), Tags: rule.Tags, Runbook: rule.Runbook, Mode: p.engine.cfg.Mode,
	}
	if a.Tags == nil {
		a.Tags = []string{}
	}
	if em.State == topics.StateMerged {
		a.MergedInto = topics.FormatAlertID(em.MergedInto)
	}
	for i, f := range n.fields {
		a.Group[f] = show(n.values[i])
	}
	if n.space == topics.SpaceIntegrity {
		a.Severity = detect.IntegritySeverity(rule, n.values[0])
	}
	for o, count := range ep.Outcomes {
		if count != 0 {
			a.Verification[topics.Outcome(o).String()] = count
		}
	}
	if ep.Trace != [16]byte{} {
		a.TraceID = hex.EncodeToString(ep.Trace[:])
	}
	a.Sentence = sentence(a, n, rule)
	p.evidence(a, c, ep)
	return a
}

// evidence lists the events of the crossing and the last ones.
func (p *Partition) evidence(a *topics.Alert, c *cached, ep *window.Episode) {
	crossing := ep.Evidence()
	p.recent = c.k.Recent(p.recent[:0], ep, recentEvidence)
	a.Evidence = make([]topics.Evidence, 0, len(crossing)+len(p.recent))
	for i := range crossing {
		a.Evidence = append(a.Evidence, p.evidenceOf("crossing", &crossing[i]))
	}
next:
	for i := range p.recent {
		for j := range crossing {
			if crossing[j].Offset == p.recent[i].Offset {
				continue next
			}
		}
		a.Evidence = append(a.Evidence, p.evidenceOf("recent", &p.recent[i]))
	}
}

func (p *Partition) evidenceOf(role string, e *window.Entry) topics.Evidence {
	ev := topics.Evidence{Role: role, Topic: p.engine.cfg.Topic, Partition: p.cfg.Partition, Offset: e.Offset,
		Timestamp: topics.Timestamp(e.Time), Hash: hex.EncodeToString(e.Hash[:]), Outcome: e.Outcome.String()}
	if id, hashed := e.IDText(); hashed {
		ev.IDSHA256 = hex.EncodeToString(id)
	} else {
		ev.ID = topics.Escape(string(id))
	}
	return ev
}

// show makes text from an event safe for JSON and Postgres; long values were cut when the key was made.
func show(s string) string { return topics.Escape(s) }

// sentence says who did what how often within which time.
func sentence(a *topics.Alert, n *naming, r *detect.Rule) string {
	org := a.Organization
	if org == "" {
		org = "(none)"
	}
	if n.space == topics.SpaceIntegrity {
		return fmt.Sprintf("%d event(s) claiming organisation %s and source %q in partition %s: %s (%s to %s, record time)",
			a.Count, org, a.Group["source"], a.Group["partition"], integrityText(a.Group["kind"]), a.FirstSeen, a.LastSeen)
	}
	who := "an unknown principal"
	if n.space != topics.SpaceUnknown {
		who = n.fields[0] + " " + a.Group[n.fields[0]]
	}
	times := "times"
	if a.Count == 1 {
		times = "time"
	}
	s := fmt.Sprintf("%s of organisation %s %s %d %s between %s and %s", who, org, r.Verb, a.Count, times, a.FirstSeen,
		a.LastSeen)
	if a.Threshold > 1 {
		s += fmt.Sprintf(" (the rule asks for %d within %s)", a.Threshold, a.Window)
	}
	return s
}

func integrityText(kind string) string {
	switch kind {
	case "tampered":
		return "the stated hash is not that of the event"
	case "forged":
		return "the signature is not that of our key"
	case "unverifiable":
		return "the key or algorithm is unknown"
	case "id_conflict":
		return "the id of another event with other content"
	case "signing_downgrade":
		return "unsigned, after this source had signed at least 100"
	}
	return kind
}

func parseTrace(text []byte) (t [16]byte) {
	if len(text) == 32 {
		if _, err := hex.Decode(t[:], text); err != nil {
			return [16]byte{}
		}
	}
	return t
}
