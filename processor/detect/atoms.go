package detect

import "tocsin/topics"

// atoms are the conditions of a rule set that look at an event's action alone. There are few different actions, so what
// they meet is remembered by action instead of searched for in each event.
type atoms struct{ list []cond }

// maxAtoms are remembered as bits of a word; further ones are looked at each time.
const maxAtoms = 64

// number gives each condition on the action in c a number, the same for equal ones.
func (a *atoms) number(c *cond) {
	for i := range c.sub {
		a.number(&c.sub[i])
	}
	if c.op != opContains && c.op != opPrefix || c.field != fieldAction {
		return
	}
	for i := range a.list {
		if a.list[i].op == c.op && string(a.list[i].text) == string(c.text) {
			c.atom = uint8(i + 1)
			return
		}
	}
	if len(a.list) < maxAtoms {
		a.list = append(a.list, cond{op: c.op, field: c.field, text: c.text})
		c.atom = uint8(len(a.list))
	}
}

// met gives the set of atoms that an action meets: bit i for number i+1.
func (a *atoms) met(e *topics.Event) (set uint64) {
	for i := range a.list {
		if a.list[i].match(e, nil, 0) {
			set |= 1 << i
		}
	}
	return set
}

// Memo remembers for one goroutine what actions meet, by the rule set it was last used with. The zero value is ready.
type Memo struct {
	of    *atoms
	known map[string]uint64
}

const (
	memoActions = 4096 // remembered at most: actions come from outside
	memoLength  = 128  // bytes of the longest action that is remembered
)

func (m *Memo) met(a *atoms, e *topics.Event) uint64 {
	if m.of != a {
		m.of, m.known = a, nil
	}
	if set, ok := m.known[string(e.Action)]; ok {
		return set
	}
	set := a.met(e)
	if len(e.Action) > memoLength {
		return set
	}
	if m.known == nil || len(m.known) == memoActions {
		m.known = make(map[string]uint64)
	}
	m.known[string(e.Action)] = set
	return set
}
