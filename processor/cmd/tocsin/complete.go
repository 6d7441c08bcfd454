package main

import (
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"tocsin/processor/app"
)

// suggestion is what could stand at the cursor.
type suggestion struct{ text, help string }

func (s suggestion) line() string {
	if s.help == "" {
		return s.text + "\n"
	}
	return s.text + "\t" + escape(s.help, false) + "\n"
}

// files asks the shell to offer paths.
var files = suggestion{text: ":files"}

// complete gives what could stand in the place of the last word, the one at the cursor.
func complete(root *kong.Node, words []string) []suggestion {
	if len(words) == 0 {
		words = []string{""}
	}
	last := words[len(words)-1]
	node, flags := root, slices.Clone(root.Flags)
	args, plain := 0, false // positional arguments so far; behind --
	var pending *kong.Flag  // the flag that the next word belongs to
	for _, w := range words[:len(words)-1] {
		switch {
		case pending != nil:
			pending = nil
		case plain || w == "-" || !strings.HasPrefix(w, "-"):
			switch child := childOf(node, w); {
			case child != nil:
				node = child
				flags = append(flags, child.Flags...)
			case len(node.Children) > 0:
				return nil // there is no such command
			default:
				args++
			}
		case w == "--":
			plain = true
		case !strings.Contains(w, "="):
			if f := flagOf(flags, w); f != nil && !f.IsBool() {
				pending = f
			}
		}
	}
	if pending != nil {
		return valuesOf(pending.Value, pending.PlaceHolder, "", last)
	}
	if name, value, ok := strings.Cut(last, "="); ok && !plain && strings.HasPrefix(name, "-") {
		if f := flagOf(flags, name); f != nil {
			return valuesOf(f.Value, f.PlaceHolder, name+"=", value)
		}
		return nil
	}
	if !plain && strings.HasPrefix(last, "-") {
		return flagNames(flags, last)
	}
	var out []suggestion
	for _, c := range node.Children {
		if !c.Hidden && strings.HasPrefix(c.Name, last) {
			out = append(out, suggestion{c.Name, c.Help})
		}
	}
	if n := len(node.Positional); n > 0 && len(node.Children) == 0 {
		arg := node.Positional[min(args, n-1)]
		if args < n || arg.IsSlice() {
			placeholder := ""
			if arg.Name == "paths" {
				placeholder = "FILE"
			}
			return valuesOf(arg, placeholder, "", last)
		}
	}
	return out
}

func childOf(n *kong.Node, name string) *kong.Node {
	for _, c := range n.Children {
		if c.Name == name {
			return c
		}
	}
	return nil
}

// flagOf finds a flag as it was written: --name, -n.
func flagOf(flags []*kong.Flag, word string) *kong.Flag {
	for _, f := range flags {
		if word == "--"+f.Name || f.Short != 0 && word == "-"+string(f.Short) || word == "--no-"+f.Name {
			return f
		}
	}
	return nil
}

func flagNames(flags []*kong.Flag, prefix string) (out []suggestion) {
	for _, f := range flags {
		if f.Hidden {
			continue
		}
		if name := "--" + f.Name; strings.HasPrefix(name, prefix) {
			out = append(out, suggestion{name, f.Help})
		}
		if name := "--no-" + f.Name; f.Tag != nil && f.Tag.Negatable != "" && strings.HasPrefix(name, prefix) {
			out = append(out, suggestion{text: name})
		}
	}
	return out
}

// valuesOf gives what a flag or argument takes. before stands before each; of a list with commas the last item counts.
func valuesOf(v *kong.Value, placeholder, before, prefix string) (out []suggestion) {
	if placeholder == "FILE" || placeholder == "DIR" {
		return []suggestion{files}
	}
	words := known(v)
	if v.IsSlice() && v.Name != "set" {
		if i := strings.LastIndex(prefix, ","); i >= 0 {
			before, prefix = before+prefix[:i+1], prefix[i+1:]
		}
	}
	for _, w := range words {
		if strings.HasPrefix(w, prefix) {
			out = append(out, suggestion{text: before + w})
		}
	}
	return out
}

// known are the words that a value may be.
func known(v *kong.Value) []string {
	switch v.Name {
	case "rule":
		return app.RuleIDs()
	case "severity":
		return app.Severities()
	case "status":
		return []string{"open", "acknowledged", "resolved", "dismissed"}
	case "state":
		return []string{"open", "closed", "merged"}
	case "roles":
		return []string{"processor", "sink", "counters"}
	case "reason":
		return app.Reasons()
	case "set":
		keys := app.SettingKeys()
		for i := range keys {
			keys[i] += "="
		}
		return keys
	}
	if v.Enum == "" {
		return nil
	}
	return v.EnumSlice()
}
