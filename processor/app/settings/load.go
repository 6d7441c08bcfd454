package settings

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// Input is where values come from, in ascending order of weight.
type Input struct {
	// Name and Data are the YAML file; nil Data is no file. At most MaxFile bytes.
	Name string
	Data []byte
	// Env holds NAME=value pairs (os.Environ).
	Env []string
	// Prefix begins the names of variables that are settings, as in TOCSIN_KAFKA__BROKERS for kafka.brokers.
	Prefix string
	// Aliases are variables by other names, and the setting each gives. They weigh less than those with the prefix.
	Aliases map[string]string
	// Flags are from the command line.
	Flags []Flag
}

// Flag is a value given on the command line.
type Flag struct {
	Name  string // as the user wrote it: --brokers, --set
	Path  string // kafka.brokers
	Value string
}

// MaxFile is the size of the largest file accepted.
const MaxFile = 4 << 20

// Source says where a value came from.
type Source struct {
	layer int
	where string
}

// The layers, by weight.
const (
	layerDefault = iota
	layerFile
	layerAlias
	layerEnv
	layerFlag
)

// String gives default, file:line, "env NAME" or "flag --name".
func (s Source) String() string {
	if s.layer == layerDefault {
		return "default"
	}
	return s.where
}

// IsDefault says whether nobody has set the value.
func (s Source) IsDefault() bool { return s.layer == layerDefault }

// Error is a fault of one value.
type Error struct {
	Where   string // file:line, env NAME, flag --name; empty for a default
	Path    string
	Message string
}

// Error implements error.
func (e *Error) Error() string {
	switch {
	case e.Where == "":
		return fmt.Sprintf("%s: %s", e.Path, e.Message)
	case e.Path == "":
		return fmt.Sprintf("%s: %s", e.Where, e.Message)
	}
	return fmt.Sprintf("%s: %s: %s", e.Where, e.Path, e.Message)
}

// Settings is a filled struct and where its values came from.
type Settings struct {
	root    reflect.Value
	sources map[string]Source
}

// Load fills target, a pointer to a struct that holds the defaults. The error joins one [Error] per fault.
func Load(target any, in Input) (*Settings, error) {
	s := &Settings{root: reflect.ValueOf(target).Elem(), sources: map[string]Source{}}
	var errs []error
	if in.Data != nil {
		errs = append(errs, s.loadFile(in.Name, in.Data)...)
	}
	errs = append(errs, s.loadEnv(in)...)
	for _, f := range in.Flags {
		errs = append(errs, s.loadFlag(f)...)
	}
	if len(errs) == 0 {
		errs = s.loadSecretFiles()
	}
	return s, errors.Join(errs...)
}

// Source tells where the value of a setting came from.
func (s *Settings) Source(path string) Source { return s.sources[path] }

// Fault makes an error about the value of a setting, with its place. It shows the value unless it is a secret.
func (s *Settings) Fault(path, format string, args ...any) error {
	e := &Error{Path: path, Message: fmt.Sprintf(format, args...)}
	if src := s.sources[path]; !src.IsDefault() {
		e.Where = src.String()
	}
	return e
}

// Setting is one leaf.
type Setting struct {
	Path   string
	Value  string // as it would be written; secrets masked
	Set    bool   // false: not set, what it inherits from counts
	Secret bool   // no flag takes it
	Source Source
}

// List gives all leaves in the order of the struct. Optional ones that nobody has set are left out.
func (s *Settings) List() []Setting {
	var out []Setting
	each(s.root, "", func(path string, v reflect.Value) {
		value, set := text(v)
		if set || !s.sources[path].IsDefault() {
			out = append(out, Setting{Path: path, Value: value, Set: set, Secret: isSecret(v.Type()),
				Source: s.sources[path]})
		}
	})
	return out
}

// each visits the leaves below v.
func each(v reflect.Value, path string, visit func(path string, v reflect.Value)) {
	names, member := section(v)
	for _, name := range names {
		m, _ := member(name)
		p := joinPath(path, name)
		if isSection(m) {
			each(m, p, visit)
		} else {
			visit(p, m)
		}
	}
}

// joinPath puts names with a dot in quotes, as Go writes them, so that a path can be read back.
func joinPath(path, name string) string {
	if name == "" || strings.ContainsAny(name, `."`) {
		name = fmt.Sprintf("%q", name)
	}
	if path == "" {
		return name
	}
	return path + "." + name
}

// splitPath is the inverse of joining names.
func splitPath(path string) ([]string, error) {
	var names []string
	for {
		if strings.HasPrefix(path, `"`) {
			quoted, err := strconv.QuotedPrefix(path)
			if err != nil {
				return nil, fmt.Errorf("a quote is not closed")
			}
			name, _ := strconv.Unquote(quoted) // a quoted prefix is one that can be
			names, path = append(names, name), path[len(quoted):]
			if path == "" {
				return names, nil
			}
			if path[0] != '.' {
				return nil, fmt.Errorf("a dot is missing after a quote")
			}
			path = path[1:]
			continue
		}
		name, rest, more := strings.Cut(path, ".")
		names = append(names, name)
		if !more {
			return names, nil
		}
		path = rest
	}
}

// assign sets the leaf at names. match finds the name of a member among those there are.
func (s *Settings) assign(
	names []string, value string, src Source, match func(have []string, want string) string,
) error {
	var down func(v reflect.Value, path string, names []string) error
	down = func(v reflect.Value, path string, names []string) error {
		have, member := section(v)
		name := match(have, names[0])
		if name == "" {
			if !isOpen(v) || src.layer != layerFlag {
				message := unknown(names[0], have, isOpen(v))
				return &Error{Where: src.String(), Path: joinPath(path, names[0]), Message: message}
			}
			name = names[0]
		}
		m, put := member(name)
		p := joinPath(path, name)
		switch {
		case isSection(m) && len(names) == 1:
			have, _ := section(m)
			return &Error{Where: src.String(), Path: p, Message: "is a section: set one of " + strings.Join(have, ", ")}
		case isSection(m):
			if err := down(m, p, names[1:]); err != nil {
				return err
			}
			put()
			return nil
		case len(names) > 1:
			return &Error{Where: src.String(), Path: p, Message: "is a value and has no members"}
		case src.layer == layerFlag && isSecret(m.Type()):
			return &Error{Where: src.String(), Path: p, Message: "a secret on the command line can be read by every user" +
				" of the machine: set it in the environment, or in a file named by " + p + "_file"}
		}
		if err := setText(m, value); err != nil {
			return &Error{Where: src.String(), Path: p, Message: shown(m, value) + err.Error()}
		}
		put()
		s.sources[p] = src
		return nil
	}
	return down(s.root, "", names)
}

// shown gives the value for a message, unless it is a secret.
func shown(v reflect.Value, value string) string {
	if isSecret(v.Type()) {
		return ""
	}
	if len(value) > 100 {
		value = value[:100] + "…"
	}
	return fmt.Sprintf("%q: ", value)
}

// unknown says that there is no such key, and which one may be meant.
func unknown(name string, have []string, open bool) string {
	if open {
		return fmt.Sprintf("there is no %q in the file: name it there first", name)
	}
	msg := "unknown key"
	if best := nearest(strings.ToLower(name), have); best != "" {
		msg += fmt.Sprintf(" (did you mean %s?)", best)
	}
	sorted := slices.Sorted(slices.Values(have))
	return msg + "; there are: " + strings.Join(sorted, ", ")
}

// nearest is the name that differs least, if it differs little.
func nearest(name string, have []string) string {
	best, least := "", 1+len(name)/3
	for _, h := range have {
		if d := distance(name, h); d <= least {
			best, least = h, d-1
		}
	}
	return best
}

// distance is the number of letters to insert, remove or replace to get from a to b.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		last := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := last
			if a[i] != b[j] {
				cost++
			}
			last = row[j+1]
			row[j+1] = min(cost, row[j]+1, last+1)
		}
	}
	return row[len(b)]
}
