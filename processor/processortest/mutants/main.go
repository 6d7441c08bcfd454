package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"tocsin/processor/processortest/program"
)

const patches = "processor/processortest/mutants/testdata"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		os.Exit(1) //nolint:forbidigo,gocritic // this is main, and the signal handler goes with the process
	}
}

func run(ctx context.Context) error {
	only := flag.String("only", "", "names of mutants, separated by commas; all by default")
	table := flag.String("table", "", "write what caught which to this file")
	part := flag.String("part", "", "n/m: only every m-th mutant, from the n-th on")
	jobs := flag.Int("jobs", runtime.GOMAXPROCS(0), "so many at once")
	patience := flag.Duration("patience", 90*time.Second, "end a test that takes longer; it counts as not caught")
	verbose := flag.Bool("v", false, "show the output of every test")
	flag.Parse()
	root, err := program.Root()
	if err != nil {
		return err
	}
	all, err := load(filepath.Join(root, patches))
	if err != nil {
		return err
	}
	if all, err = selected(all, *only, *part); err != nil {
		return err
	}
	tmp, err := os.MkdirTemp("", "tocsin-mutants-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp) //nolint:errcheck // it is a temporary folder
	r := &runner{root: root, tmp: tmp, patience: *patience}
	began := time.Now()
	if err := r.unmodified(ctx, all, *jobs); err != nil {
		return err
	}
	fmt.Printf("the tests are green without mutants (%s)\n", time.Since(began).Round(time.Second))
	results := make([]result, len(all))
	var group errgroup.Group
	group.SetLimit(*jobs)
	for i, m := range all {
		group.Go(func() error {
			results[i] = r.try(ctx, m)
			fmt.Println(results[i].line())
			if *verbose || results[i].why != "" {
				fmt.Println(summary(results[i].output))
			}
			return nil
		})
	}
	_ = group.Wait() // none of them returns an error
	took := time.Since(began)
	if *table != "" {
		if err := os.WriteFile(*table, []byte(markdown(results, took)), 0o644); err != nil {
			return err
		}
	}
	bad := slices.DeleteFunc(slices.Clone(results), func(r result) bool { return r.why == "" })
	fmt.Printf("%d of %d mutants caught in %s\n", len(results)-len(bad), len(results), took.Round(time.Second))
	if len(bad) > 0 {
		return fmt.Errorf("%d mutants were not caught as they should be", len(bad))
	}
	return ctx.Err()
}

// selected are the mutants asked for.
func selected(all []*mutant, only, part string) (some []*mutant, err error) {
	if only != "" {
		names := strings.Split(only, ",")
		all = slices.DeleteFunc(all, func(m *mutant) bool { return !slices.Contains(names, m.name) })
		if len(all) != len(names) {
			return nil, fmt.Errorf("-only %s: not all of these are there", only)
		}
	}
	if part == "" {
		return all, nil
	}
	var n, of int
	if _, err := fmt.Sscanf(part, "%d/%d", &n, &of); err != nil || n < 1 || n > of {
		return nil, fmt.Errorf("-part %s: want 1/3, 2/3 or 3/3, say", part)
	}
	for i := n - 1; i < len(all); i += of {
		some = append(some, all[i])
	}
	return some, nil
}

// unmodified runs the tests on the code as it is.
func (r *runner) unmodified(ctx context.Context, all []*mutant, jobs int) error {
	byPackage := map[string][]*mutant{}
	for _, m := range all {
		byPackage[m.pkg] = append(byPackage[m.pkg], m)
	}
	var group errgroup.Group
	group.SetLimit(jobs)
	for pkg, ms := range byPackage {
		group.Go(func() error {
			if res := r.green(ctx, pkg, ms); res.why != "" {
				return fmt.Errorf("%s: %s%s", pkg, res.why, summary(res.output))
			}
			return nil
		})
	}
	return group.Wait()
}

func (r *result) line() string {
	if r.why != "" {
		return fmt.Sprintf("%-32s %s", r.mutant.name, r.why)
	}
	return fmt.Sprintf("%-32s caught by %s (%s)", r.mutant.name, strings.Join(r.failed, ", "), r.took.Round(time.Second))
}

// markdown is the table of what caught which.
func markdown(results []result, took time.Duration) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Mutants\n\nFaults put into the code one at a time, and the tests that fail with them. `make "+
		"mutants` writes this page: %d mutants in\n%s on %d cores, builds included; %s.\n\n", len(results),
		took.Round(time.Second),
		runtime.NumCPU(), runtime.Version())
	b.WriteString("| mutant | what it would break | where | caught by |\n|---|---|---|---|\n")
	for i := range results {
		r := &results[i]
		caught := "**" + r.why + "**"
		if r.why == "" {
			caught = "`" + strings.Join(r.failed, "`, `") + "`"
		}
		var where []string
		for _, f := range r.mutant.files {
			where = append(where, "`"+f.path+"`")
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s: %s |\n", r.mutant.name, r.mutant.breaks, strings.Join(where, ", "),
			strings.TrimPrefix(r.mutant.pkg, "./"), caught)
	}
	return b.String()
}
