package main

import (
	"bytes"
	"fmt"
	"os"
)

// builtin is what copies are made of: the rules that count events, with their thresholds.
var builtin = []struct {
	id        string
	threshold int
}{{"failed-auth-burst", 5}, {"unauthorized-access", 3}, {"data-velocity", 50}, {"bulk-operation", 100}}

// builtinRules is how many there are without copies, those that do not count included.
const builtinRules = 6

// writeRules writes a configuration file with copies of the built-in rules, n rules in all. The k-th copy of a rule has
// k+1 times its threshold: what is measured is what it costs to ask a rule, not what its alerts do.
func writeRules(path string, n int) error {
	var copies, settings bytes.Buffer
	for i := range n - builtinRules {
		of, k := builtin[i%len(builtin)], 1+i/len(builtin)
		name := fmt.Sprintf("%s-%d", of.id, k)
		fmt.Fprintf(&copies, "    %s: %s\n", name, of.id)
		fmt.Fprintf(&settings, "  %s: {threshold: %d}\n", name, of.threshold*(k+1))
	}
	var text bytes.Buffer
	if copies.Len() > 0 {
		fmt.Fprintf(&text, "detection:\n  copies:\n%srules:\n%s", &copies, &settings)
	}
	return os.WriteFile(path, text.Bytes(), 0o600)
}
