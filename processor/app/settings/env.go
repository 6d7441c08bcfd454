package settings

import (
	"fmt"
	"slices"
	"strings"
)

// loadEnv takes the variables: first those by other names, then those with the prefix. A variable with the prefix but
// without two underscores is none of ours: a container platform makes such ones for services (TOCSIN_SERVICE_HOST).
func (s *Settings) loadEnv(in Input) []error {
	var errs []error
	env := slices.Sorted(slices.Values(in.Env))
	for _, pair := range env {
		name, value, _ := strings.Cut(pair, "=")
		path, ok := in.Aliases[name]
		if !ok || value == "" {
			continue
		}
		names, err := splitPath(path)
		if err == nil {
			err = s.assign(names, value, Source{layerAlias, "env " + name}, exact)
		}
		if err != nil {
			errs = append(errs, err)
		}
	}
	for _, pair := range env {
		name, value, _ := strings.Cut(pair, "=")
		rest, ok := strings.CutPrefix(name, in.Prefix)
		if !ok || in.Prefix == "" || !strings.Contains(rest, "__") {
			continue
		}
		if err := s.assign(strings.Split(rest, "__"), value, Source{layerEnv, "env " + name}, folded); err != nil {
			errs = append(errs, err)
		}
	}
	return errs
}

func (s *Settings) loadFlag(f Flag) []error {
	src := Source{layerFlag, "flag " + f.Name}
	names, err := splitPath(f.Path)
	if err != nil {
		return []error{&Error{Where: src.String(), Path: f.Path, Message: err.Error()}}
	}
	if err := s.assign(names, f.Value, src, exact); err != nil {
		return []error{err}
	}
	return nil
}

func exact(have []string, want string) string {
	if slices.Contains(have, want) {
		return want
	}
	return ""
}

// folded finds a name written in capitals, with underscores for everything that is neither letter nor digit.
func folded(have []string, want string) string {
	for _, h := range have {
		if strings.EqualFold(fold(h), want) {
			return h
		}
	}
	return ""
}

func fold(name string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return '_'
	}, name)
}

// EnvName is the variable that sets a path.
func EnvName(prefix, path string) (string, error) {
	names, err := splitPath(path)
	if err != nil {
		return "", fmt.Errorf("%s: %w", path, err)
	}
	for i, n := range names {
		names[i] = strings.ToUpper(fold(n))
	}
	return prefix + strings.Join(names, "__"), nil
}
