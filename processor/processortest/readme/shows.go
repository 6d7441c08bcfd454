package main

import (
	"fmt"
	"regexp"
	"strings"
)

// What differs from one run to the next. Counts and thresholds are none of these: a page must have them right.
var (
	escapes = regexp.MustCompile("\x1b\\[[0-9;?]*[A-Za-z]|\x1b[()][A-Z0-9]")
	varying = []struct {
		what *regexp.Regexp
		by   string
	}{
		{regexp.MustCompile(`127\.0\.0\.1:\d+`), "ADDRESS"},
		{regexp.MustCompile(`\b\d{4}-\d\d-\d\d\b`), "DATE"},
		{regexp.MustCompile(`\b(Mon|Tue|Wed|Thu|Fri|Sat|Sun)\b`), "DAY"},
		{regexp.MustCompile(`\b\d{1,2} (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)\b`), "DATE"},
		{regexp.MustCompile(`\d{1,2}:\d\d(:\d\d)?(\.\d+)?`), "TIME"},
		{regexp.MustCompile(`\b[0-9a-f]{12,}\b`), "ID"},
		{regexp.MustCompile(`\b(\d+(\.\d+)?(h|m|s|ms|µs))+\b`), "DURATION"},
		{regexp.MustCompile(`\b\d+(\.\d+)? (min|s|ms)\b`), "DURATION"},
		{regexp.MustCompile(`[─━]+`), "─"},
		{regexp.MustCompile(`\s+`), " "},
	}
)

// plain is a line as it stands on the terminal in the end.
func plain(line string) string {
	line = strings.TrimRight(escapes.ReplaceAllString(line, ""), "\r")
	return line[strings.LastIndex(line, "\r")+1:]
}

// masked is a line without what differs from run to run.
func masked(line string) string {
	for _, v := range varying {
		line = v.what.ReplaceAllString(line, v.by)
	}
	return strings.TrimSpace(line)
}

func maskedLines(text string) (all []string) {
	for line := range strings.Lines(text) {
		if line = masked(plain(strings.TrimSuffix(line, "\n"))); line != "" {
			all = append(all, line)
		}
	}
	return all
}

// shows says whether text shows what was printed: its lines stand there one below the other, in this order, but for
// times, dates, identifiers and widths. A line … stands for any lines, an … within a line for any text.
func shows(text, printed string) error {
	rest := maskedLines(printed)
	var run []string // lines that must follow one another
	for _, line := range append(maskedLines(text), "…") {
		if line != "…" {
			run = append(run, line)
			continue
		}
		at := find(rest, run)
		if at < 0 {
			return fmt.Errorf("the page shows, and this was not printed so (times and ids aside):\n  %s",
				strings.Join(run, "\n  "))
		}
		rest, run = rest[at+len(run):], nil
	}
	return nil
}

// find is where the lines of run stand, one below the other; -1: nowhere.
func find(lines, run []string) int {
next:
	for at := 0; at+len(run) <= len(lines); at++ {
		for i, want := range run {
			if !alike(want, lines[at+i]) {
				continue next
			}
		}
		return at
	}
	return -1
}

// alike compares two lines; … in want is any text.
func alike(want, got string) bool {
	parts := strings.Split(want, "…")
	if len(parts) == 1 {
		return want == got
	}
	first, last := parts[0], parts[len(parts)-1]
	if !strings.HasPrefix(got, first) {
		return false
	}
	got = got[len(first):]
	for _, part := range parts[1 : len(parts)-1] {
		_, after, found := strings.Cut(got, part)
		if !found {
			return false
		}
		got = after
	}
	return strings.HasSuffix(got, last)
}
