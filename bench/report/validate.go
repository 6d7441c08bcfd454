package report

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"strings"
	"unicode"
)

var (
	scenarioForm = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)
	commitForm   = regexp.MustCompile(`^([0-9a-f]{7,64})?$`)
)

// maxSamples bounds a result. It is far above what anybody has the patience to measure.
const maxSamples = 10_000

// maxTrace bounds a trace: a day of ten points a minute.
const maxTrace = 15_000

// Validate says what is wrong with the first thing that is.
func (r *Result) Validate() error {
	switch {
	case r.Version != Version:
		return fmt.Errorf("version %d: this program knows version %d only", r.Version, Version)
	case !scenarioForm.MatchString(r.Scenario) || len(r.Scenario) > 64:
		return fmt.Errorf("scenario %q: want lower-case letters, digits and hyphens, up to 64", r.Scenario)
	case !commitForm.MatchString(r.Commit):
		return fmt.Errorf("commit %q: want 7 to 64 hexadecimal digits, or nothing", r.Commit)
	case r.Date.IsZero():
		return errors.New("date: missing")
	case len(r.Samples) > maxSamples:
		return fmt.Errorf("samples: %d are more than %d", len(r.Samples), maxSamples)
	}
	texts := append([]string{r.Machine.CPU, r.Machine.Kernel, r.Machine.Go}, r.Notes...)
	for k, v := range r.Settings {
		texts = append(texts, k, v)
	}
	axes := []*Axis{r.Parameter, r.Latency}
	if r.Trace != nil {
		texts, axes = append(texts, r.Trace.Title), append(axes, &r.Trace.X, &r.Trace.Y)
	}
	for _, axis := range axes {
		if axis != nil {
			texts = append(texts, axis.Name, axis.Unit)
		}
	}
	for _, text := range texts {
		if !printable(text) {
			return fmt.Errorf("%q: has characters that cannot be printed", text)
		}
	}
	known, err := r.metricNames()
	if err != nil {
		return err
	}
	for i := range r.Samples {
		if err := r.checkSample(&r.Samples[i], known); err != nil {
			return fmt.Errorf("sample %d: %w", i, err)
		}
	}
	return nil
}

func (r *Result) metricNames() (map[string]bool, error) {
	known := make(map[string]bool, len(r.Metrics))
	headlines := 0
	for _, m := range r.Metrics {
		switch {
		case m.Name == "" || known[m.Name]:
			return nil, fmt.Errorf("metric %q: a name must be there, once", m.Name)
		case !printable(m.Name + m.Unit):
			return nil, fmt.Errorf("metric %q: has characters that cannot be printed", m.Name)
		case m.Better != Lower && m.Better != Higher && m.Better != Neither:
			return nil, fmt.Errorf("metric %s: better %q: want %s, %s or %s", m.Name, m.Better, Lower, Higher, Neither)
		}
		known[m.Name] = true
		if m.Headline {
			headlines++
		}
	}
	if headlines > 1 {
		return nil, fmt.Errorf("metrics: %d headlines, at most one can be", headlines)
	}
	return known, nil
}

func (r *Result) checkSample(s *Sample, known map[string]bool) error {
	switch {
	case s.Kind == "" || !printable(s.Kind+s.Void):
		return fmt.Errorf("kind %q, void %q: a kind must be there, and both be printable", s.Kind, s.Void)
	case s.Round < 0:
		return fmt.Errorf("round %d: rounds are counted from 0", s.Round)
	case s.At != nil && (r.Parameter == nil || !finite(*s.At)):
		return errors.New("at: only of a result with a parameter, and finite")
	case len(s.Tail) > 0 && r.Latency == nil:
		return errors.New("latencies: the result does not say what of")
	}
	for name, v := range s.Values {
		if !known[name] {
			return fmt.Errorf("value %q: no such metric", name)
		}
		if !finite(v) {
			return fmt.Errorf("value %s: %v is no figure up to 1e15", name, v)
		}
	}
	last := 0.0
	for _, p := range s.Tail {
		if !(p.Percent > last && p.Percent <= 100) || !finite(p.Value) {
			return fmt.Errorf("latency at %v %%: %v: percents must ascend, up to 100", p.Percent, p.Value)
		}
		last = p.Percent
	}
	return r.checkTrace(s.Trace)
}

func (r *Result) checkTrace(trace []Point) error {
	switch {
	case len(trace) > 0 && r.Trace == nil:
		return errors.New("trace: the result does not say what of")
	case len(trace) > maxTrace:
		return fmt.Errorf("trace: %d points are more than %d", len(trace), maxTrace)
	}
	for i, p := range trace {
		if !finite(p.X) || !finite(p.Y) || i > 0 && p.X < trace[i-1].X {
			return fmt.Errorf("trace: point %d (%v, %v): want finite figures, X ascending", i, p.X, p.Y)
		}
	}
	return nil
}

// finite also refuses what no measurement gives and plots and tables would choke on.
func finite(v float64) bool { return math.Abs(v) <= 1e15 } // false of what is no number

// printable keeps what steers a terminal out of what is shown on one.
func printable(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}
