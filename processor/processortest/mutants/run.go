package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// result is what became of one mutant, or of the code as it is.
type result struct {
	mutant *mutant
	failed []string // tests, the innermost ones
	why    string   // empty: caught, or for the code as it is: green
	output string
	took   time.Duration
}

// runner builds and runs tests.
type runner struct {
	root, tmp string
	patience  time.Duration // after which a test that still runs is ended: no catch
}

// green builds every package once as it is and runs the tests in it that are to catch something.
func (r *runner) green(ctx context.Context, pkg string, ms []*mutant) result {
	began := time.Now()
	binary := filepath.Join(r.tmp, strings.NewReplacer("/", "-", ".", "").Replace(pkg))
	res := result{}
	if out, err := r.build(ctx, pkg, binary, ""); err != nil {
		res.why, res.output = "does not compile", out
	}
	done := map[string]bool{}
	for _, m := range ms {
		key := m.run + strings.Join(m.env, " ")
		if done[key] || res.why != "" {
			continue
		}
		done[key] = true
		out, err := r.test(ctx, m, binary)
		switch {
		case err != nil:
			res.why, res.output = m.run+" fails without any mutant", out
		case !strings.Contains(out, "--- PASS"):
			res.why, res.output = m.run+" names no test", out
		}
	}
	res.took = time.Since(began)
	return res
}

// try puts the fault in and wants to see its test fail.
func (r *runner) try(ctx context.Context, m *mutant) (res result) {
	began := time.Now()
	res.mutant = m
	defer func() { res.took = time.Since(began) }()
	overlay, err := r.overlay(m)
	if err != nil {
		res.why = err.Error()
		return res
	}
	binary := filepath.Join(r.tmp, m.name+".test")
	defer os.Remove(binary) //nolint:errcheck // the folder goes too
	if res.output, err = r.build(ctx, m.pkg, binary, overlay); err != nil {
		res.why = "does not compile"
		return res
	}
	res.output, err = r.test(ctx, m, binary)
	res.failed = failures(res.output)
	var exit *exec.ExitError
	switch {
	case err == nil:
		res.why = "SURVIVED"
	case !errors.As(err, &exit):
		res.why = err.Error()
	case timedOut.MatchString(res.output):
		res.why = "was noticed by a time-out only"
	case !m.sees.MatchString(res.output):
		res.why = "the test fails, but says nothing like " + m.sees.String()
	}
	return res
}

// timedOut matches what tests and the testing package say when they have waited in vain.
var timedOut = regexp.MustCompile(
	`panic: test timed out|Condition never satisfied|virtual time stands still|waited in vain`)

// overlay writes the patched files and the list that the compiler wants.
func (r *runner) overlay(m *mutant) (string, error) {
	texts, err := m.apply(r.root)
	if err != nil {
		return "", err
	}
	list := struct{ Replace map[string]string }{map[string]string{}}
	for path, text := range texts {
		name := filepath.Join(r.tmp, m.name+"-"+strings.ReplaceAll(path, "/", "-"))
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			return "", err
		}
		list.Replace[filepath.Join(r.root, path)] = name
	}
	b, err := json.Marshal(list)
	if err != nil {
		return "", err
	}
	name := filepath.Join(r.tmp, m.name+".json")
	return name, os.WriteFile(name, b, 0o644)
}

func (r *runner) build(ctx context.Context, pkg, binary, overlay string) (string, error) {
	args := []string{"test", "-c", "-vet=off", "-ldflags=-s -w", "-o", binary}
	if overlay != "" {
		args = append(args, "-overlay", overlay)
	}
	cmd := exec.CommandContext(ctx, "go", append(args, pkg)...)
	cmd.Dir = r.root
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (r *runner) test(ctx context.Context, m *mutant, binary string) (string, error) {
	cmd := exec.CommandContext(ctx, binary, "-test.run", anchored(m.run), "-test.v", "-test.failfast",
		"-test.timeout", r.patience.String())
	cmd.Dir = filepath.Join(r.root, m.pkg)
	cmd.Env = append(os.Environ(), m.env...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	return out.String(), err
}

// anchored makes each name of a test and its subtests an exact one.
func anchored(run string) string {
	names := strings.Split(run, "/")
	for i, n := range names {
		names[i] = "^(" + n + ")$"
	}
	return strings.Join(names, "/")
}

var failLine = regexp.MustCompile(`(?m)^\s*--- FAIL: (\S+)`)

// failures lists the tests that failed, without those that only contain one.
func failures(output string) (names []string) {
	for _, found := range failLine.FindAllStringSubmatch(output, -1) {
		names = append(names, found[1])
	}
	return slices.DeleteFunc(slices.Clone(names), func(n string) bool {
		return slices.ContainsFunc(names, func(other string) bool { return strings.HasPrefix(other, n+"/") })
	})
}

// summary is the end of an output, for a person to look at.
func summary(output string) string {
	const most = 3000
	if len(output) > most {
		output = "…" + output[len(output)-most:]
	}
	return fmt.Sprintf("\n%s\n", output)
}
