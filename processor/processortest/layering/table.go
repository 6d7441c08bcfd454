package layering

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Module is the path of this module.
const Module = "tocsin"

// Layer is one line of the table.
type Layer struct {
	Path    string   // without the module's; may end in /...
	Pure    bool     // held to the rules of pure.go
	Ours    []string // packages of this module that it may import
	Modules []string // modules of others
}

// Table is the whole, in the order of the file.
type Table []Layer

// ParseTable reads the text of layers.txt. Every package must be listed after those it imports: so there is no
// cycle and the file reads from the bottom to the top.
func ParseTable(text string) (Table, error) {
	var t Table
	for n, line := range strings.Split(text, "\n") {
		line, _, _ = strings.Cut(line, "#")
		if strings.TrimSpace(line) == "" {
			continue
		}
		layer, err := t.parseLine(line)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n+1, err)
		}
		t = append(t, layer)
	}
	return t, nil
}

func (t Table) parseLine(line string) (Layer, error) {
	head, rest, ok := strings.Cut(line, ":")
	ours, modules, ok2 := strings.Cut(rest, "|")
	names := strings.Fields(head)
	if !ok || !ok2 || len(names) == 0 || len(names) > 2 {
		return Layer{}, errors.New("want: path [pure] : our packages | modules")
	}
	l := Layer{Path: names[0], Ours: strings.Fields(ours), Modules: strings.Fields(modules)}
	if len(names) == 2 {
		if names[1] != "[pure]" {
			return l, fmt.Errorf("unknown mark %s", names[1])
		}
		l.Pure = true
	}
	if len(l.Ours) == 0 || len(l.Modules) == 0 {
		return l, errors.New("nothing is written as none")
	}
	if t.line(l.Path) != nil {
		return l, fmt.Errorf("%s occurs twice", l.Path)
	}
	for _, p := range l.Ours {
		known := p == l.Path || p == "any" || p == "none" ||
			slices.ContainsFunc(t, func(o Layer) bool { return o.Path == p || covers(p, o.Path) })
		if !known {
			return l, fmt.Errorf("%s may import %s, which has no line above it", l.Path, p)
		}
		if other := t.line(p); l.Pure && other != nil && !other.Pure {
			return l, fmt.Errorf("%s is pure and may not import %s, which is not", l.Path, p)
		}
	}
	return l, nil
}

// line is the line with exactly this path.
func (t Table) line(path string) *Layer {
	if i := slices.IndexFunc(t, func(l Layer) bool { return l.Path == path }); i >= 0 {
		return &t[i]
	}
	return nil
}

// Layer is the line for a package: its own, or else the longest one that ends in /... and covers it; nil if there
// is none.
func (t Table) Layer(path string) *Layer {
	if l := t.line(path); l != nil {
		return l
	}
	var best *Layer
	for i := range t {
		if covers(t[i].Path, path) && (best == nil || len(t[i].Path) > len(best.Path)) {
			best = &t[i]
		}
	}
	return best
}

// Allows says whether a package of this layer may import another package, named as in Go source.
func (l *Layer) Allows(imported string) bool {
	if own, ok := strings.CutPrefix(imported, Module+"/"); ok {
		return slices.ContainsFunc(l.Ours, func(p string) bool { return p == "any" || p == own || covers(p, own) })
	}
	first, _, _ := strings.Cut(imported, "/")
	if !strings.Contains(first, ".") { // the standard library
		return !l.Pure || pureImports[imported]
	}
	return slices.ContainsFunc(l.Modules, func(m string) bool {
		return m == "any" || m == imported || strings.HasPrefix(imported, m+"/")
	})
}

// covers says whether a pattern that ends in /... covers a path.
func covers(pattern, path string) bool {
	root, ok := strings.CutSuffix(pattern, "/...")
	return ok && strings.HasPrefix(path, root+"/")
}
