package steady

import (
	"fmt"
	"strings"
	"time"
)

// Result is what a run showed.
type Result struct {
	*Config
	Complete  bool // all events were sent
	GivenUp   bool // it fell too far behind
	events    int  // that were measured
	pacer     *pacer
	probes    *probes
	usage     usage
	peak      int64 // resident size of the processor, bytes
	ownBroker bool  // in a process of its own
	inProcess bool  // in this one: kfake
}

// sent is the rate at which the measured events were handed over.
func (r *Result) sent() float64 {
	over := max(r.pacer.last.Sub(r.pacer.due(r.pacer.from)), r.pacer.after(r.events-1))
	return float64(r.events-1) / over.Seconds()
}

// over is how long the readings are apart.
func (u *usage) over() float64 { return u.end.at.Sub(u.begin.at).Seconds() }

func (u *usage) judged() float64 { return float64(u.end.judged-u.begin.judged) / u.over() }

// cores is how many cores had been used.
func (u *usage) cores(of func(*reading) time.Duration) float64 {
	return (of(&u.end) - of(&u.begin)).Seconds() / u.over()
}

// NotHeld says why the rate was not held; empty: it was.
func (r *Result) NotHeld() string {
	if r.GivenUp {
		return fmt.Sprintf("given up when more than %s worth of events waited", r.Behind)
	}
	var why []string
	if r.sent() < 0.99*float64(r.Rate) {
		why = append(why, fmt.Sprintf("only %.0f events/s could be sent", r.sent()))
	}
	if waits := float64(r.usage.end.waiting) / float64(r.Rate); waits > 1 {
		why = append(why, fmt.Sprintf("%.1f s worth of events waited at the end", waits))
	}
	return strings.Join(why, " and ")
}

// Text shows the result on a terminal.
func (r *Result) Text() string {
	var b strings.Builder
	line := func(name, format string, values ...any) {
		fmt.Fprintf(&b, "%-10s"+format+"\n", append([]any{name}, values...)...)
	}
	line("rate", "%d events/s offered, %.0f sent, %.0f judged, over %s", r.Rate, r.sent(), r.usage.judged(), r.Duration)
	if why := r.NotHeld(); why != "" {
		line("", "NOT HELD: %s; the latencies grow with the duration", why)
	}
	late := r.pacer.late
	line("sender", "late by p50 %.1f  p99 %.1f  max %.1f ms", ms(quantile(late, 50)), ms(quantile(late, 99)),
		ms(quantile(late, 100)))
	h := r.probes.latency
	line("latency", "p50 %.1f  p90 %.1f  p99 %.1f  p99.9 %.1f  max %.1f ms, of %d probes", ms(quantile(h, 50)),
		ms(quantile(h, 90)), ms(quantile(h, 99)), ms(quantile(h, 99.9)), ms(quantile(h, 100)), h.TotalCount())
	sent, seen, _ := r.probes.state()
	line("probes", "%d sent, %d alerts seen, warm-up included", sent, seen)
	line("backlog", "%d events at the end, %d at most", r.usage.end.waiting, r.usage.most)
	u := &r.usage
	measured := u.cores(func(r *reading) time.Duration { return r.measured })
	broker := u.cores(func(r *reading) time.Duration { return r.broker })
	own := u.cores(func(r *reading) time.Duration { return r.own })
	line(r.name(), "%.2f cores, %.2f CPU s/million events, peak RSS %.0f MB", measured, r.CPUPerMillion(),
		float64(r.peak)/(1<<20))
	what := ""
	if r.inProcess {
		what = ", the broker included"
	}
	line("generator", "%.2f cores, the reader of alerts included%s", own, what)
	if r.ownBroker {
		line("broker", "%.2f cores", broker)
	}
	line("machine", "%.2f cores used by others, %.2f stolen by its host", r.others(),
		u.cores(func(r *reading) time.Duration { return r.stolen }))
	return b.String()
}

func (r *Result) name() string {
	if r.Streams {
		return "streams"
	}
	return "processor"
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
