package detect

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// A copy matches what a built-in rule matches, under an id and with settings of its own: another threshold, another
// window, another severity. Rules with the same match share their entries, so a copy costs state for its episodes only.

// maxCopies bounds the rules of a configuration: every event asks all of them that match it.
const maxCopies = 1000

var copyForm = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)

// table is the built-in rules and then the copies by id.
func (c *Config) table() ([]builtin, error) {
	table := builtins()
	if len(c.Copies) > maxCopies {
		return nil, fmt.Errorf("copies: %d are more than %d", len(c.Copies), maxCopies)
	}
	n := len(table)
	for _, id := range slices.Sorted(maps.Keys(c.Copies)) {
		if !copyForm.MatchString(id) || len(id) > 64 {
			return nil, fmt.Errorf("copies: %q: a rule's id has lower-case letters, digits and hyphens, up to 64", id)
		}
		of := c.Copies[id]
		i := slices.IndexFunc(table[:n], func(b builtin) bool { return b.id == of && b.kind != KindIntegrity })
		if i < 0 {
			return nil, fmt.Errorf("copies: %s: %q is no rule that can be copied; there are: %s", id, of,
				strings.Join(copyable(table[:n]), ", "))
		}
		if slices.ContainsFunc(table[:n], func(b builtin) bool { return b.id == id }) {
			return nil, fmt.Errorf("copies: %s is a built-in rule: give the copy another id", id)
		}
		b := table[i]
		b.id, b.copied = id, true
		table = append(table, b)
	}
	return table, nil
}

// copyable are the ids of the rules that look at events.
func copyable(table []builtin) (ids []string) {
	for i := range table {
		if table[i].kind != KindIntegrity {
			ids = append(ids, table[i].id)
		}
	}
	return ids
}
