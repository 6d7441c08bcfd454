package steady

import (
	"context"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"tocsin/bench/run"
)

// schedule says when each event is due.
type schedule struct {
	start time.Time
	rate  int // events/s
}

// after is how long after the start event i is due.
func (s schedule) after(i int) time.Duration {
	whole, rest := i/s.rate, i%s.rate
	return time.Duration(whole)*time.Second + time.Duration(rest)*time.Second/time.Duration(s.rate)
}

func (s schedule) due(i int) time.Time { return s.start.Add(s.after(i)) }

// first is the first event due at or after a time since the start.
func (s schedule) first(after time.Duration) int {
	whole, rest := after/time.Second, after%time.Second
	return int(whole)*s.rate + int((rest*time.Duration(s.rate)+time.Second-1)/time.Second)
}

// pacer holds back each event until it is due. It belongs to the goroutine that sends.
type pacer struct {
	schedule
	from int                     // the first event that is measured
	late *hdrhistogram.Histogram // microseconds from due to handed over to the client, of those measured
	last time.Time               // when the last one was handed over
}

// pace is the least time that the sender sleeps: an event is handed over that much late at most, unless something is
// slow, and the sender wakes up that often and not for each event.
const pace = time.Millisecond

// before returns when event i is to be sent, which is at once when it is late.
func (p *pacer) before(ctx context.Context, i int) error {
	due := p.due(i)
	now := time.Now()
	for now.Before(due) {
		if !run.Pause(ctx, max(due.Sub(now), pace)) {
			return ctx.Err()
		}
		now = time.Now()
	}
	if i >= p.from {
		record(p.late, now.Sub(due))
	}
	p.last = now
	return nil
}

// day is how far the times of events are moved so that a run of at most four hours is in the daytime of
// off-hours-access, 06:00 to 22:00 UTC.
func day(start time.Time, length time.Duration) time.Duration {
	const begin, end = 6 * time.Hour, 22 * time.Hour
	start = start.UTC()
	at := start.Sub(start.Truncate(24 * time.Hour))
	if at >= begin && at+length < end {
		return 0
	}
	return -12 * time.Hour
}

// longest is what a histogram can hold: more is counted as this.
const longest = 2 * time.Hour

func newHistogram() *hdrhistogram.Histogram {
	return hdrhistogram.New(1, longest.Microseconds(), 3)
}

func record(h *hdrhistogram.Histogram, d time.Duration) {
	_ = h.RecordValue(max(0, min(d, longest)).Microseconds()) // it is within the bounds
}

// quantile is a percentile of a histogram.
func quantile(h *hdrhistogram.Histogram, percent float64) time.Duration {
	return time.Duration(h.ValueAtQuantile(percent)) * time.Microsecond
}
