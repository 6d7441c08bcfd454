package detect

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"time"

	"tocsin/state/window"
	"tocsin/topics"
)

// maxMatchers is the most different matchers an organisation's rules may have.
const maxMatchers = window.MaxSlots

// RuleSet is all effective rules. It never changes; safe for concurrent use.
type RuleSet struct {
	hash          [32]byte
	defaults      *OrgRules
	organizations map[string]*OrgRules
	grace         int64
	futureSkew    int64
	stateTTL      int64
	atoms         atoms
	longest       int64 // longest max(window, cooldown) of any rule of any organisation
}

// OrgRules are the effective rules of one organisation.
type OrgRules struct {
	rules     []*Rule // those that look at events: in the order of the built-in table, then copies by id
	integrity *Rule   // nil: disabled
	matchers  []matcher
	atoms     *atoms // of the set
}

// matcher is what rules with the same match share.
type matcher struct {
	cond    cond
	denials *denials
	hours   *hours
	except  []pattern
}

// Compile checks the configuration and computes the effective rules. Errors name the rule and the setting.
func Compile(c Config) (*RuleSet, error) {
	for _, d := range []struct {
		name string
		v    time.Duration
		min  time.Duration
	}{
		{"grace", c.Grace, 0}, {"future skew", c.FutureSkew, 0}, {"max episode", c.MaxEpisode, time.Minute},
		{"state ttl", c.StateTTL, time.Hour},
	} {
		if d.v < d.min || d.v > 400*24*time.Hour {
			return nil, fmt.Errorf("%s: %v is outside %v to 400 days", d.name, d.v, d.min)
		}
	}
	s := &RuleSet{grace: int64(c.Grace), futureSkew: int64(c.FutureSkew), stateTTL: int64(c.StateTTL),
		organizations: make(map[string]*OrgRules, len(c.Organizations))}
	var err error
	if s.defaults, err = s.compileOrg(c, Organization{}); err != nil {
		return nil, fmt.Errorf("rules: %w", err)
	}
	text := fmt.Appendf(nil, "tocsin rule set 1\ngrace=%d\nfuture=%d\nttl=%d\n", s.grace, s.futureSkew, s.stateTTL)
	text = s.defaults.appendText(text)
	for _, name := range slices.Sorted(maps.Keys(c.Organizations)) {
		o, err := s.compileOrg(c, c.Organizations[name])
		if err != nil {
			return nil, fmt.Errorf("organization %q: %w", name, err)
		}
		s.organizations[name] = o
		text = o.appendText(fmt.Appendf(text, "organization=%q\n", name))
	}
	s.hash = sha256.Sum256(text)
	return s, nil
}

func (s *RuleSet) compileOrg(c Config, org Organization) (*OrgRules, error) {
	hours, err := compileHours(org.Hours.over(c.Hours))
	if err != nil {
		return nil, fmt.Errorf("hours: %w", err)
	}
	den := compileDenials(c.DenialCodes, c.DenialPhrases)
	table, err := c.table()
	if err != nil {
		return nil, err
	}
	for _, m := range []map[string]Settings{c.Rules, org.Rules} {
		for _, id := range slices.Sorted(maps.Keys(m)) {
			if !slices.ContainsFunc(table, func(b builtin) bool { return b.id == id }) {
				return nil, fmt.Errorf("rule %q does not exist: see `tocsin config print` for the rules there are", id)
			}
		}
	}
	o := &OrgRules{atoms: &s.atoms}
	for i := range table {
		b := &table[i]
		set := org.Rules[b.id].over(c.Rules[b.id].over(b.settings()))
		r, m, err := b.compile(set, den, hours, s.grace, int64(c.MaxEpisode))
		if err != nil {
			return nil, fmt.Errorf("rule %s: %w", b.id, err)
		}
		switch {
		case !set.enabled():
			continue
		case r.Kind == KindIntegrity:
			o.integrity = r
		default:
			o.add(r, m)
		}
		s.longest = max(s.longest, r.Window, r.Cooldown)
	}
	if len(o.matchers) > maxMatchers {
		return nil, fmt.Errorf("rules have %d different matches, at most %d are possible", len(o.matchers), maxMatchers)
	}
	return o, nil
}

func (o *OrgRules) add(r *Rule, m matcher) {
	for _, other := range o.rules {
		if other.Matcher == r.Matcher {
			r.matcher = other.matcher
			o.rules = append(o.rules, r)
			return
		}
	}
	r.matcher = uint(len(o.matchers))
	o.atoms.number(&m.cond)
	o.matchers = append(o.matchers, m)
	o.rules = append(o.rules, r)
}

// compile makes the rule from settings that are complete.
func (b *builtin) compile(set Settings, den *denials, h *hours, grace, maxEpisode int64) (*Rule, matcher, error) {
	r := &Rule{
		Rule: window.Rule{ID: b.id, Kind: b.kind, Threshold: *set.Threshold, Window: int64(*set.Window),
			Cooldown: int64(*set.Cooldown), MaxEpisode: maxEpisode},
		Type: *set.Type, Severity: *set.Severity, Title: *set.Title, Runbook: set.runbook(), Verb: b.verb, Tags: set.Tags,
		copied: b.copied,
	}
	if err := r.check(); err != nil {
		return nil, matcher{}, err
	}
	except, err := compilePatterns(set.Except)
	if err != nil {
		return nil, matcher{}, err
	}
	m := matcher{cond: b.match, denials: den, except: except}
	var lists, hoursText string
	if b.match.uses(opDenial) {
		lists = den.text
	}
	if b.hours {
		m.hours, hoursText = h, h.text
	}
	r.seal(b, slices.Sorted(slices.Values(set.Except)), lists, hoursText, grace)
	return r, m, nil
}

func (r *Rule) check() error {
	const longest = int64(31 * 24 * time.Hour)
	switch {
	case r.Threshold < 1 || r.Threshold > 1_000_000:
		return fmt.Errorf("threshold: %d is outside 1 to 1000000", r.Threshold)
	case r.Window < 1 || r.Window > longest:
		return fmt.Errorf("window: %v is outside 1ns to 31 days", time.Duration(r.Window))
	case r.Window == 1 && r.Threshold > 1:
		return fmt.Errorf("window: a rule with threshold %d needs one", r.Threshold)
	case r.Cooldown < 0 || r.Cooldown > longest:
		return fmt.Errorf("cooldown: %v is outside 0 to 31 days", time.Duration(r.Cooldown))
	case !slices.Contains([]string{"LOW", "MEDIUM", "HIGH", "CRITICAL"}, r.Severity):
		return fmt.Errorf("severity: %q is not LOW, MEDIUM, HIGH or CRITICAL", r.Severity)
	case !slices.Contains([]string{"SECURITY", "COMPLIANCE", "PERFORMANCE", "SYSTEM", "CUSTOM"}, r.Type):
		return fmt.Errorf("type: %q is not SECURITY, COMPLIANCE, PERFORMANCE, SYSTEM or CUSTOM", r.Type)
	}
	return nil
}

// appendText writes all that the rule set's hash covers.
func (o *OrgRules) appendText(dst []byte) []byte {
	all := o.rules
	if o.integrity != nil {
		all = append(slices.Clone(all), o.integrity)
	}
	for _, r := range all {
		dst = fmt.Appendf(dst, "%x %q %q %q %q %q\n", r.Version, r.Severity, r.Type, r.Title, r.Runbook, r.Tags)
		if r.copied { // a built-in rule is known by its version
			dst = fmt.Appendf(dst, "copy %q\n", r.ID)
		}
	}
	return dst
}

// Hash identifies the whole set, titles and severities included.
func (s *RuleSet) Hash() [32]byte { return s.hash }

// Grace gives the grace in ns.
func (s *RuleSet) Grace() int64 { return s.grace }

// FutureSkew gives the allowed skew in ns.
func (s *RuleSet) FutureSkew() int64 { return s.futureSkew }

// Retention gives how long after its last write (record time, ns) a key is logically absent.
func (s *RuleSet) Retention() int64 { return s.longest + s.grace + s.stateTTL }

// LongestCooldown gives the longest time, in ns of record time, from an episode's last growth to its closing.
func (s *RuleSet) LongestCooldown() int64 { return s.longest + s.grace }

// For gives the rules of an organisation; nil or empty is an event without one.
func (s *RuleSet) For(org []byte) *OrgRules {
	if o, ok := s.organizations[string(org)]; ok {
		return o
	}
	return s.defaults
}

// Rules gives the rules that look at events, in order. Do not change it.
func (o *OrgRules) Rules() []*Rule { return o.rules }

// Integrity gives the rule for integrity observations; nil when it is disabled.
func (o *OrgRules) Integrity() *Rule { return o.integrity }

// Match gives the set of matchers that the event meets, and of those that an exception keeps it from.
func (o *OrgRules) Match(e *topics.Event, memo *Memo) (mask, exempted uint64) {
	met := memo.met(o.atoms, e)
	for i := range o.matchers {
		m := &o.matchers[i]
		if !m.cond.match(e, m.denials, met) || (m.hours != nil && !m.hours.off(e.Time)) {
			continue
		}
		mask |= 1 << i
		for _, p := range m.except {
			if p.match(e.PrincipalID) {
				mask, exempted = mask&^(1<<i), exempted|1<<i
				break
			}
		}
	}
	return mask, exempted
}

// Select appends the rules whose matcher is in the mask, in order.
func (o *OrgRules) Select(dst []*Rule, mask uint64) []*Rule {
	for _, r := range o.rules {
		if mask&(1<<r.matcher) != 0 {
			dst = append(dst, r)
		}
	}
	return dst
}

// Find gives the rule of that id; nil when it is disabled or unknown.
func (o *OrgRules) Find(id string) *Rule {
	for _, r := range o.rules {
		if r.ID == id {
			return r
		}
	}
	if o.integrity != nil && o.integrity.ID == id {
		return o.integrity
	}
	return nil
}
