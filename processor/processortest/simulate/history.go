package simulate

import (
	"fmt"
	"io"
	"sync"
	"time"
)

// historyLimit bounds what one run remembers; a run that does not end would fill the memory.
const historyLimit = 200_000

// History is what happened in a run, in the order in which it happened: points reached, requests and answers, faults,
// log lines. Lines are formatted only when they are read, which is when a check has failed.
type History struct {
	mu      sync.Mutex
	began   time.Time
	lines   []line
	dropped int
	live    io.Writer // gets each line at once, for a process that may not live to the end; nil: none
}

type line struct {
	at     time.Time
	who    string
	format string
	args   []any
}

// addf notes something about somebody: a process, the cluster, the world. The arguments must not change afterwards.
func (h *History) addf(who, format string, args ...any) {
	at := time.Now()
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.lines) == historyLimit {
		h.dropped++
		return
	}
	l := line{at, who, format, args}
	h.lines = append(h.lines, l)
	if h.live != nil {
		_, _ = l.write(h.live, h.began) // the lines are kept besides
	}
}

func (l line) write(w io.Writer, began time.Time) (int, error) {
	return fmt.Fprintf(w, "%13.6fs  %-8s %s\n", l.at.Sub(began).Seconds(), l.who, fmt.Sprintf(l.format, l.args...))
}

// WriteTo implements io.WriterTo: one line per entry, with the virtual time since the run began.
func (h *History) WriteTo(w io.Writer) (n int64, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, l := range h.lines {
		m, err := l.write(w, h.began)
		n += int64(m)
		if err != nil {
			return n, err
		}
	}
	if h.dropped > 0 {
		m, err := fmt.Fprintf(w, "%d more entries were not kept\n", h.dropped)
		return n + int64(m), err
	}
	return n, nil
}
