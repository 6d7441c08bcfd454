package detect

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"

	"tocsin/state/window"
)

// The kinds of rules.
const (
	KindCount     = "count"     // N matches within W
	KindOffHours  = "off_hours" // a match outside working hours
	KindIntegrity = "integrity" // an event that failed verification
)

// Rule is an effective rule: what it is after all overrides for one organisation. It never changes.
type Rule struct {
	window.Rule
	Type     string // SECURITY, COMPLIANCE, PERFORMANCE, SYSTEM, CUSTOM
	Severity string // LOW, MEDIUM, HIGH, CRITICAL
	Title    string
	Verb     string // completes "<who> … <n> times within <window>"
	Runbook  string
	Tags     []string

	canonical string
	copied    bool
	matcher   uint // bit in the organisation's masks
}

// Canonical is the text whose SHA-256 gives the rule's version: everything that decides what the rule finds, and
// nothing that only says how it is shown.
func (r *Rule) Canonical() string { return r.canonical }

// builtin describes a rule before overrides.
type builtin struct {
	id, kind         string
	match            cond
	threshold        int64
	window, cooldown int64 // seconds; window 0: none
	severity, typ    string
	title, verb      string
	hours            bool // the match is restricted to off-hours
	copied           bool // see Config.Copies
	tags             []string
}

func builtins() []builtin {
	const minute = 60
	dataAction := anyOf(actionContains("data."), actionContains("fhir."))
	return []builtin{
		{id: "failed-auth-burst", kind: KindCount, threshold: 5, window: 5 * minute, cooldown: 15 * minute,
			match:    allOf(actionContains("auth.login.failure"), status("failure")),
			severity: "HIGH", typ: "SECURITY", title: "Burst of failed logins", verb: "failed to log in",
			tags: []string{"authentication"}},
		{id: "unauthorized-access", kind: KindCount, threshold: 3, window: 10 * minute, cooldown: 15 * minute,
			match:    allOf(status("failure"), denial()),
			severity: "CRITICAL", typ: "SECURITY", title: "Repeated denied access", verb: "was denied access",
			tags: []string{"authorization"}},
		{id: "data-velocity", kind: KindCount, threshold: 50, window: minute, cooldown: 15 * minute,
			match: allOf(status("success"), not(prefix(fieldAction, "auth.")),
				anyOf(actionContains("data.read"), actionContains("fhir."), exists(fieldTargetResourceType))),
			severity: "MEDIUM", typ: "SECURITY", title: "Unusual rate of data access", verb: "accessed data",
			tags: []string{"data-access"}},
		{id: "bulk-operation", kind: KindCount, threshold: 100, window: 5 * minute, cooldown: 15 * minute,
			match: anyOf(actionContains("data.export"), actionContains("data.import"),
				actionContains("bulk"), recordsOver(10)),
			severity: "MEDIUM", typ: "SECURITY", title: "Bulk operations", verb: "ran bulk operations",
			tags: []string{"data-access", "exfiltration"}},
		{id: "off-hours-access", kind: KindOffHours, threshold: 1, cooldown: 8 * 60 * minute, hours: true,
			match:    allOf(status("success"), dataAction),
			severity: "LOW", typ: "SECURITY", title: "Data access outside working hours",
			verb: "accessed data outside working hours", tags: []string{"data-access"}},
		{id: "integrity-violation", kind: KindIntegrity, threshold: 1, cooldown: 60 * minute,
			severity: "CRITICAL", typ: "SECURITY", title: "Integrity violation", tags: []string{"integrity"}},
	}
}

// IntegritySeverity gives the severity of an integrity alert of this kind: of what is certainly wrong the rule's own,
// of what may be a mistake one step less.
func IntegritySeverity(rule *Rule, kind string) string {
	if kind == "tampered" || kind == "forged" || rule.Severity != "CRITICAL" {
		return rule.Severity
	}
	return "HIGH"
}

// seal computes canonical form, version and matcher id. hours is the canonical form of the working hours when the rule
// looks at them.
func (r *Rule) seal(b *builtin, except []string, lists, hours string, grace int64) {
	var m strings.Builder
	fmt.Fprintf(&m, "kind=%s\nmatch=%s\n", r.Kind, b.match.canonical())
	if lists != "" {
		m.WriteString(lists)
	}
	if hours != "" {
		m.WriteString(hours)
	}
	for _, p := range except {
		fmt.Fprintf(&m, "except=%s\n", strconv.Quote(p))
	}
	match := m.String()
	h := sha256.Sum256([]byte("tocsin matcher 1\n" + match))
	r.Matcher = binary.BigEndian.Uint64(h[:])
	group := "principal"
	if r.Kind == KindIntegrity {
		group = "kind,source,partition"
	}
	r.canonical = fmt.Sprintf("tocsin rule 1\n%sgroup=%s\nthreshold=%d\nwindow=%d\ncooldown=%d\nmax_episode=%d\n"+
		"grace=%d\n",
		match, group, r.Threshold, r.Window, r.Cooldown, r.MaxEpisode, grace)
	v := sha256.Sum256([]byte(r.canonical))
	copy(r.Version[:], v[:])
}
