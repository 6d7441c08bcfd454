package steady

import (
	"math"
	"time"

	"tocsin/bench/report"
)

// Percents are the percentiles that are reported of the latency; 100 is the longest.
func Percents() []float64 { return []float64{50, 90, 99, 99.9, 100} }

// Axis is what they are of.
func Axis() *report.Axis { return &report.Axis{Name: "latency", Unit: "ms"} }

type metric struct {
	report.Metric
	value func(*Result) float64
}

func metrics() []metric {
	of := func(name, unit string, better report.Better) report.Metric {
		return report.Metric{Name: name, Unit: unit, Better: better, Drifts: better == report.Lower && unit != "MiB"}
	}
	cores := func(used func(*reading) time.Duration) func(*Result) float64 {
		return func(r *Result) float64 { return r.usage.cores(used) }
	}
	return []metric{
		{of("CPU at rate", "s/million", report.Lower), (*Result).CPUPerMillion},
		{of("peak RSS at rate", "MiB", report.Lower), func(r *Result) float64 { return float64(r.peak) / (1 << 20) }},
		{of("sent", "events/s", report.Neither), (*Result).sent},
		{of("judged", "events/s", report.Neither), func(r *Result) float64 { return r.usage.judged() }},
		{of("most waiting", "events", report.Neither), func(r *Result) float64 { return float64(r.usage.most) }},
		{of("sender late p99", "ms", report.Neither), func(r *Result) float64 { return ms(quantile(r.pacer.late, 99)) }},
		{of("probes", "", report.Neither), func(r *Result) float64 { return float64(r.probes.latency.TotalCount()) }},
		{of("broker at rate", "cores", report.Neither), cores(func(r *reading) time.Duration { return r.broker })},
		{of("generator", "cores", report.Neither), cores(func(r *reading) time.Duration { return r.own })},
		{of("others at rate", "cores", report.Neither), (*Result).others},
		{of("stolen at rate", "cores", report.Neither), cores(func(r *reading) time.Duration { return r.stolen })},
	}
}

// Metrics are all that a complete run gives, in the order in which they are shown. Their names differ from those of
// package throughput, so that a result can have both.
func Metrics() (list []report.Metric) {
	for _, m := range metrics() {
		list = append(list, m.Metric)
	}
	return list
}

// Values are what a run gave, by name of the metric. What has no figure is absent: of a run that was given up there may
// be one reading alone, and nothing may have been judged between two.
func (r *Result) Values() map[string]float64 {
	values := map[string]float64{}
	for _, m := range metrics() {
		if v := m.value(r); !math.IsNaN(v) && !math.IsInf(v, 0) {
			values[m.Name] = v
		}
	}
	return values
}

// Tail is the latency by [Percents]; nil where no alert came.
func (r *Result) Tail() (tail []report.Percentile) {
	if r.probes.latency.TotalCount() == 0 {
		return nil
	}
	for _, percent := range Percents() {
		tail = append(tail, report.Percentile{Percent: percent, Value: ms(quantile(r.probes.latency, percent))})
	}
	return tail
}

// Latency is a percentile of the latency.
func (r *Result) Latency(percent float64) time.Duration { return quantile(r.probes.latency, percent) }

// CPUPerMillion is CPU seconds of the measured process per million events.
func (r *Result) CPUPerMillion() float64 {
	return r.usage.cores(func(r *reading) time.Duration { return r.measured }) / r.usage.judged() * 1e6
}

// others is how many cores something else on the machine had.
func (r *Result) others() float64 {
	return max(0, r.usage.cores(func(r *reading) time.Duration { return r.all - r.measured - r.broker - r.own }))
}
