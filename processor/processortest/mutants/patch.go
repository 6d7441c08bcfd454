package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// mutant is one fault.
type mutant struct {
	name   string // of the file, without its ending
	breaks string
	env    []string // of the test
	pkg    string
	run    string // -test.run
	sees   *regexp.Regexp
	files  []patched
}

// patched is what happens to one file.
type patched struct {
	path  string // from the root of the module
	hunks []hunk
}

type hunk struct {
	behind   string // the hunk stands behind a line that begins so; empty: anywhere
	old, new []string
}

// load reads all mutants of a folder.
func load(dir string) ([]*mutant, error) {
	paths, err := filepath.Glob(filepath.Join(dir, "*.patch"))
	if err != nil {
		return nil, err
	}
	all := make([]*mutant, 0, len(paths))
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		m, err := parse(strings.TrimSuffix(filepath.Base(path), ".patch"), string(text))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		all = append(all, m)
	}
	return all, nil
}

func parse(name, text string) (*mutant, error) {
	m := &mutant{name: name}
	for i, line := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		if err := m.line(line); err != nil {
			return nil, fmt.Errorf("line %d: %w", i+1, err)
		}
	}
	if m.breaks == "" || m.pkg == "" || m.sees == nil || len(m.files) == 0 {
		return nil, fmt.Errorf("breaks, test, sees and a change are needed")
	}
	return m, nil
}

func (m *mutant) line(line string) error {
	field, value, _ := strings.Cut(line, ":")
	value = strings.TrimSpace(value)
	switch {
	case strings.HasPrefix(line, "--- "):
		m.files = append(m.files, patched{path: strings.TrimPrefix(line, "--- ")})
	case len(m.files) > 0:
		return m.files[len(m.files)-1].line(line)
	case field == "breaks":
		m.breaks = value
	case field == "sees":
		var err error
		m.sees, err = regexp.Compile(value)
		return err
	case field == "test":
		words := strings.Fields(value)
		for len(words) > 0 && strings.Contains(words[0], "=") {
			m.env, words = append(m.env, words[0]), words[1:]
		}
		if len(words) != 2 {
			return fmt.Errorf("test: want variables, a package and a -run")
		}
		m.pkg, m.run = words[0], words[1]
	default:
		return fmt.Errorf("%q is not a field: want breaks, test or sees", field)
	}
	return nil
}

func (p *patched) line(line string) error {
	if behind, ok := strings.CutPrefix(line, "@@"); ok {
		p.hunks = append(p.hunks, hunk{behind: strings.TrimSpace(behind)})
		return nil
	}
	if len(p.hunks) == 0 {
		return fmt.Errorf("%q stands before the first @@", line)
	}
	h := &p.hunks[len(p.hunks)-1]
	switch rest := line[min(1, len(line)):]; {
	case line == "" || line[0] == ' ':
		h.old, h.new = append(h.old, rest), append(h.new, rest)
	case line[0] == '-':
		h.old = append(h.old, rest)
	case line[0] == '+':
		h.new = append(h.new, rest)
	default:
		return fmt.Errorf("%q begins with neither a space, - nor +", line)
	}
	return nil
}

// apply gives the text of each patched file, by its path from root.
func (m *mutant) apply(root string) (map[string]string, error) {
	texts := map[string]string{}
	for _, p := range m.files {
		b, err := os.ReadFile(filepath.Join(root, p.path))
		if err != nil {
			return nil, fmt.Errorf("mutant %s: %w", m.name, err)
		}
		lines := strings.Split(string(b), "\n")
		for i := range p.hunks {
			if lines, err = p.hunks[i].apply(lines); err != nil {
				return nil, fmt.Errorf("mutant %s: %s: hunk %d %w: the code has changed; write the patch anew", m.name, p.path,
					i+1, err)
			}
		}
		texts[p.path] = strings.Join(lines, "\n")
	}
	return texts, nil
}

func (h *hunk) apply(lines []string) ([]string, error) {
	from := 0
	if h.behind != "" {
		from = slices.IndexFunc(lines, func(l string) bool { return strings.HasPrefix(l, h.behind) })
		if from < 0 {
			return nil, fmt.Errorf("looks for %q, which is not there", h.behind)
		}
	}
	end := len(lines) // of the function: the next line that closes one
	if h.behind != "" {
		if n := slices.Index(lines[from:], "}"); n >= 0 {
			end = from + n + 1
		}
	}
	if len(h.old) == 0 {
		return nil, fmt.Errorf("has no line to hold on to")
	}
	at := -1
	for i := from; i+len(h.old) <= end; i++ {
		if !slices.Equal(lines[i:i+len(h.old)], h.old) {
			continue
		}
		if at >= 0 {
			return nil, fmt.Errorf("applies at lines %d and %d", at+1, i+1)
		}
		at = i
	}
	if at < 0 {
		return nil, fmt.Errorf("does not apply")
	}
	return slices.Replace(slices.Clone(lines), at, at+len(h.old), h.new...), nil
}
