package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"tocsin/processor/processortest/program"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "readme:", err)
		os.Exit(1) //nolint:forbidigo,gocritic // this is main, and the signal handler goes with the process
	}
}

// first are the pages in the order in which somebody new reads them; the others follow by name.
var first = []string{"README.md", "deploy/docs/first-hour.md", "deploy/docs/first-events.md"}

func run(ctx context.Context) error {
	only := flag.String("only", "", "pages, separated by commas, as in deploy/docs/first-hour.md; all by default")
	transcripts := flag.String("transcripts", "", "folder for what was run and printed; .cache/transcripts by default")
	flag.Parse()
	root, err := program.Root()
	if err != nil {
		return err
	}
	if *transcripts == "" {
		*transcripts = filepath.Join(root, ".cache", "transcripts")
	}
	if err := os.MkdirAll(*transcripts, 0o755); err != nil {
		return fmt.Errorf("make folder for transcripts: %w", err)
	}
	c, err := open(ctx, root)
	if err != nil {
		return err
	}
	commit, err := c.git(ctx, "rev-parse", "--short", "HEAD")
	if err != nil {
		return fmt.Errorf("ask for the commit: %w", err)
	}
	if changed, err := c.git(ctx, "status", "--porcelain"); err != nil || changed != "" {
		fmt.Printf("what is not committed is not looked at (%v):\n%s\n", err, changed)
	}
	names, err := pages(ctx, c)
	if err != nil {
		return err
	}
	if *only != "" {
		names = strings.Split(*only, ",")
	}
	s := session{c: c, commit: commit, transcripts: *transcripts}
	for _, name := range names {
		if err := s.page(ctx, name); err != nil {
			return err
		}
	}
	if err := s.calls(ctx); err != nil {
		return err
	}
	fmt.Printf("\n%d blocks run, %d not run; %d commands named elsewhere exist; transcripts in %s\n", s.run, s.skipped,
		s.named, *transcripts)
	return s.summary()
}

// pages lists what is committed.
func pages(ctx context.Context, c *checkout) ([]string, error) {
	listed, err := c.git(ctx, "ls-files", "README.md", "deploy/docs/*.md")
	if err != nil {
		return nil, fmt.Errorf("list pages: %w", err)
	}
	all := strings.Fields(listed)
	slices.SortStableFunc(all, func(a, b string) int { return rank(a) - rank(b) })
	return all, nil
}

func rank(name string) int {
	if i := slices.Index(first, name); i >= 0 {
		return i
	}
	return len(first)
}

// session is one look at all pages.
type session struct {
	c           *checkout
	commit      string
	transcripts string

	parsed              []*page
	run, skipped, named int
	faults              []error
}

// summary is an error with a line for each fault, which have been printed in full.
func (s *session) summary() error {
	if len(s.faults) == 0 {
		return nil
	}
	text := fmt.Sprintf("faults: %d", len(s.faults))
	for _, fault := range s.faults {
		line, _, _ := strings.Cut(fault.Error(), "\n")
		text += "\n  " + line
	}
	return errors.New(text)
}

func (s *session) fault(p *page, line int, err error) {
	fmt.Printf("  %s:%d: %v\n", p.name, line, err)
	s.faults = append(s.faults, fmt.Errorf("%s:%d: %w", p.name, line, err))
}

// page runs a page. The error is not the page's: those are kept in faults.
func (s *session) page(ctx context.Context, name string) error {
	text, err := s.c.git(ctx, "show", "HEAD:"+name)
	if err != nil {
		return fmt.Errorf("read page: %w", err)
	}
	p, err := parse(name, text)
	if err != nil {
		fmt.Println(err)
		s.faults = append(s.faults, err)
		return nil
	}
	s.parsed = append(s.parsed, p)
	if len(p.blocks) == 0 {
		return nil
	}
	fmt.Printf("\n%s\n", name)
	dir, env, err := s.c.fresh(ctx, p)
	if err != nil {
		return err
	}
	began := time.Now()
	results, walkErr := walk(ctx, p, dir, env)
	if err := s.c.keepBin(dir); err != nil {
		return err
	}
	for i := range results {
		s.report(p, &p.blocks[i], &results[i])
	}
	fmt.Printf("  the page took %s\n", time.Since(began).Round(100*time.Millisecond))
	if walkErr != nil && ctx.Err() == nil {
		s.faults = append(s.faults, fmt.Errorf("%s: %w", name, walkErr))
	}
	file := filepath.Join(s.transcripts, strings.ReplaceAll(strings.TrimSuffix(name, ".md"), "/", "-")+".txt")
	return errors.Join(ctx.Err(), os.WriteFile(file, []byte(transcript(p, results, s.commit)), 0o644))
}

// report says what became of a block.
func (s *session) report(p *page, b *block, r *ran) {
	say := func(what string) {
		command, _, more := strings.Cut(strings.TrimSpace(b.text), "\n")
		if more {
			command += " …"
		}
		fmt.Printf("  line %-4d %-9s %s\n", b.line, what, command)
	}
	for _, known := range ranByCI {
		for _, line := range known.line.FindAllString(b.text, -1) {
			s.skipped++
			fmt.Printf("  line %-4d not run   %s: %s\n", b.line, strings.TrimSpace(strings.Split(line, "#")[0]), known.reason)
		}
	}
	switch {
	case b.reason != "":
		s.skipped++
		say("not run")
		fmt.Printf("            %s\n", b.reason)
	case !r.began:
		say("not come to")
	case !r.ended:
		say("FAILED")
		s.fault(p, b.line, fmt.Errorf("failed; the last it printed:\n%s", tail(string(r.printed), 30)))
	default:
		s.run++
		say(r.took.Round(100 * time.Millisecond).String())
		for _, shown := range b.shown {
			if err := shows(shown.text, string(r.printed)); err != nil {
				s.fault(p, shown.line, err)
			}
		}
	}
}

func tail(text string, lines int) string {
	all := strings.Split(strings.TrimRight(text, "\n"), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}
