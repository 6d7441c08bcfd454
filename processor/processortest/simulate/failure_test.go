package simulate

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// report fails the test for what was violated, stores what happened, and says how to see it again.
func report(t *testing.T, r *Result, again string) {
	t.Helper()
	if len(r.Violations) > 0 {
		t.Error(failure(t, r, again))
	}
}

// failure stores what happened, and says what was violated, and how to see it again.
func failure(t *testing.T, r *Result, again string) string {
	t.Helper()
	name := historyName(t, "")
	if err := store(name, r.Plan, r.History); err != nil {
		name = err.Error()
	}
	return fmt.Sprintf("%s\n%s\nhistory: %s\nagain: %s", r.Plan, strings.Join(r.Violations[:min(len(r.Violations), 10)], "\n"),
		name, again)
}

// historyName is the file for a test's history.
func historyName(t *testing.T, suffix string) string {
	t.Helper()
	name := strings.NewReplacer("/", "-", " ", "-").Replace(t.Name())
	if suffix != "" {
		name += "-" + suffix
	}
	return filepath.Join(os.TempDir(), "tocsin-simulate", name+".txt")
}

// store writes down what happened.
func store(name string, p *Plan, h *History) (err error) {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if _, err := fmt.Fprint(f, p); err != nil {
		return err
	}
	_, err = h.WriteTo(f)
	return err
}
