package main

import (
	"fmt"
	"io"
	"time"
)

// progress tells on standard error how far something long has come, with rate and time left. It says nothing within the
// first two seconds. On a terminal it keeps to one line; elsewhere it writes a line every ten seconds.
type progress struct {
	w        io.Writer
	terminal bool
	now      func() time.Time

	phase string
	began time.Time
	said  time.Time
	open  bool // a line without its end is on the terminal
}

func (e *environment) progress() *progress {
	return &progress{w: e.stderr, terminal: e.stderrTerminal, now: e.now}
}

// at tells that done of total (0: not known) things of this phase are done.
func (p *progress) at(phase string, done, total int64, what string) {
	now := p.now()
	if phase != p.phase {
		p.end()
		p.phase, p.began, p.said = phase, now, now
	}
	every := 10 * time.Second
	if p.terminal {
		every = 200 * time.Millisecond
	}
	took := now.Sub(p.began)
	if took < 2*time.Second || now.Sub(p.said) < every {
		return
	}
	p.said = now
	rate := float64(done) / took.Seconds()
	line := fmt.Sprintf("%s: %d %s, %.0f/s", phase, done, what, rate)
	if total > 0 {
		line = fmt.Sprintf("%s: %d of %d %s (%d %%), %.0f/s", phase, done, total, what, 100*done/total, rate)
		if rate > 0 && done < total {
			left := time.Duration(float64(total-done) / rate * float64(time.Second))
			line += fmt.Sprintf(", %s left", left.Round(time.Second))
		}
	}
	if p.terminal {
		p.print("\r\x1b[K" + line)
		p.open = true
		return
	}
	p.print(line + "\n")
}

// end ends the line on the terminal.
func (p *progress) end() {
	if p.open {
		p.print("\r\x1b[K")
		p.open = false
	}
}

// print does not say when it fails: progress is for whoever looks on.
func (p *progress) print(s string) { _, _ = io.WriteString(p.w, s) }
