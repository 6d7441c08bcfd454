package settings

import (
	"fmt"
	"io"
	"os"
	"reflect"
	"strings"
)

// maxSecretFile is the size of the largest file a secret is read from.
const maxSecretFile = 64 << 10

// loadSecretFiles fills secrets from files: beside a secret x, x_file names a file that holds it. One set in a later
// layer than the other wins; both in the same layer are a fault. One line feed at the end of the file is not part of
// the secret.
func (s *Settings) loadSecretFiles() []error {
	var errs []error
	s.eachSection(s.root, "", func(path string, names []string, member func(string) (reflect.Value, func())) {
		for _, name := range names {
			m, put := member(name)
			if !isSecret(m.Type()) {
				continue
			}
			file, _ := member(name + "_file")
			if !file.IsValid() || file.String() == "" {
				continue
			}
			p, pf := joinPath(path, name), joinPath(path, name+"_file")
			own, of := s.sources[p], s.sources[pf]
			switch {
			case own.layer > of.layer:
				continue
			case own.layer == of.layer && !own.IsDefault() && !m.IsZero(): // one that is written out as empty is none
				errs = append(errs, s.Fault(pf, "%s is set too (%s): leave one of them out", p, own))
				continue
			}
			text, err := readSecret(file.String())
			if err != nil {
				errs = append(errs, s.Fault(pf, "%s", err.Error()))
				continue
			}
			if err := setText(m, text); err != nil {
				errs = append(errs, s.Fault(pf, "%s", err.Error()))
				continue
			}
			put()
			s.sources[p] = Source{layer: of.layer, where: of.String() + " (" + file.String() + ")"}
		}
	})
	return errs
}

// eachSection visits every section at and below v that is no leaf.
func (s *Settings) eachSection(v reflect.Value, path string,
	visit func(path string, names []string, member func(string) (reflect.Value, func())),
) {
	names, member := section(v)
	if v.Kind() == reflect.Struct {
		visit(path, names, member)
	}
	for _, name := range names {
		if m, put := member(name); isSection(m) {
			s.eachSection(m, joinPath(path, name), visit)
			put()
		}
	}
}

func readSecret(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close() //nolint:errcheck // read only: nothing is lost
	b, err := io.ReadAll(io.LimitReader(f, maxSecretFile+1))
	switch {
	case err != nil:
		return "", err
	case len(b) > maxSecretFile:
		return "", fmt.Errorf("%s has more than %d bytes: it is no secret", path, maxSecretFile)
	case len(strings.TrimSpace(string(b))) == 0:
		return "", fmt.Errorf("%s is empty", path)
	}
	return strings.TrimSuffix(strings.TrimSuffix(string(b), "\n"), "\r"), nil
}
