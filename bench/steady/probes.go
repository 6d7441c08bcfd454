package steady

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"tocsin/bench/generate"
)

// probes waits for the alert of each probe. Its methods can be called at the same time.
type probes struct {
	schedule
	stream *generate.Generator
	first  int // the first event that is measured
	number int // the number of the first probe

	all chan struct{} // closed when all alerts are there

	mu      sync.Mutex
	seen    []bool
	left    int
	twice   []int
	moved   time.Time               // when the last alert came
	latency *hdrhistogram.Histogram // microseconds, of the probes that are measured
}

// newProbes expects the probes of a stream; measured are those whose alert is due by event first or a later one.
func newProbes(s schedule, g *generate.Generator, first int) *probes {
	from, to := g.Probes()
	p := &probes{schedule: s, stream: g, first: first, number: from, all: make(chan struct{}), seen: make([]bool, to-from),
		left: to - from, moved: s.start, latency: newHistogram()}
	if p.left == 0 {
		close(p.all)
	}
	return p
}

// found takes the alert of a probe that a reader was given at a time.
func (p *probes) found(n int, at time.Time) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n < p.number || n-p.number >= len(p.seen) {
		return fmt.Errorf("alert of probe %d: only %d to %d were sent", n, p.number, p.number+len(p.seen)-1)
	}
	if p.seen[n-p.number] {
		p.twice = append(p.twice, n)
		return nil
	}
	crossing := p.stream.Crossing(n)
	late := at.Sub(p.due(crossing))
	if late <= 0 {
		return fmt.Errorf("alert of probe %d: %s before its event was due", n, -late)
	}
	if crossing >= p.first {
		record(p.latency, late)
	}
	p.seen[n-p.number] = true
	p.moved = at
	if p.left--; p.left == 0 {
		close(p.all)
	}
	return nil
}

// state is how many probes there are, how many alerts of them came, and when the last one did.
func (p *probes) state() (sent, seen int, moved time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.seen), len(p.seen) - p.left, p.moved
}

// check fails when an alert is missing or came twice.
func (p *probes) check() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.twice) > 0 {
		return fmt.Errorf("%d alerts came twice: probes %s", len(p.twice), names(p.twice))
	}
	if p.left == 0 {
		return nil
	}
	missing := make([]int, 0, p.left)
	for i, seen := range p.seen {
		if !seen {
			missing = append(missing, p.number+i)
		}
	}
	return fmt.Errorf("%d of %d probes have no alert: probes %s", p.left, len(p.seen), names(missing))
}

// names shows the first of some numbers.
func names(n []int) string {
	const shown = 10
	text := strings.Trim(fmt.Sprint(n[:min(len(n), shown)]), "[]")
	if len(n) > shown {
		text += " …"
	}
	return text
}

// wait returns when all alerts are there, or when none has come for as long as stall since the last, or since the
// sending ended. Which of them it was, check says.
func (p *probes) wait(ctx context.Context, ended time.Time, stall time.Duration) error {
	poll := time.NewTicker(50 * time.Millisecond)
	defer poll.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-p.all:
			return nil
		case <-poll.C:
		}
		if _, _, moved := p.state(); time.Since(moved) > stall && time.Since(ended) > stall {
			return nil
		}
	}
}
