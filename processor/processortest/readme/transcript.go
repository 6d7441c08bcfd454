package main

import (
	"fmt"
	"runtime"
	"strings"
	"time"
)

// transcript is what was run on a page and what was printed, as on a terminal that somebody watched.
func transcript(p *page, results []ran, commit string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s at %s, run on %s: %s/%s, %d cores, a fresh clone, an empty home folder\n", p.name, commit,
		time.Now().UTC().Format("2006-01-02 15:04 MST"), runtime.GOOS, runtime.GOARCH, runtime.NumCPU())
	for i, block := range p.blocks {
		b.WriteString("\n")
		for line := range strings.Lines(block.text) {
			b.WriteString("$ " + line)
		}
		r := results[i]
		if block.reason != "" || !r.began {
			fmt.Fprintf(&b, "[not run: %s]\n", or(block.reason, "an earlier one failed"))
			continue
		}
		for _, known := range ranByCI {
			for range known.line.FindAllString(block.text, -1) {
				fmt.Fprintf(&b, "[not run, one line of these: %s]\n", known.reason)
			}
		}
		for line := range strings.Lines(string(r.printed)) {
			b.WriteString(plain(strings.TrimSuffix(line, "\n")) + "\n")
		}
		fmt.Fprintf(&b, "[%s%s]\n", r.took.Round(100*time.Millisecond), map[bool]string{false: ", failed"}[r.ended])
	}
	return b.String()
}

func or(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}
