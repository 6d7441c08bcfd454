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
	h.lines = append(h.lines, line{at, who, format, args})
}

// WriteTo implements io.WriterTo: one line per entry, with the virtual time since the run began.
func (h *History) WriteTo(w io.Writer) (n int64, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, l := range h.lines {
		m, err := fmt.Fprintf(w, "%13.6fs  %-8s %s\n", l.at.Sub(h.began).Seconds(), l.who, fmt.Sprintf(l.format, l.args...))
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
