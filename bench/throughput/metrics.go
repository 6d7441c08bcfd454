package throughput

import "tocsin/bench/report"

// metric is one with where it comes from.
type metric struct {
	report.Metric
	value func(*Sample) float64 // 0: not measured, where one way is better
}

// Names of metrics.
const (
	CPU        = "CPU"
	Rate       = "rate"
	SteadyRate = "steady rate"
	WarmRate   = "warm rate"
	PeakRSS    = "peak RSS"
)

func metrics() []metric {
	lower := func(name, unit string) report.Metric {
		return report.Metric{Name: name, Unit: unit, Better: report.Lower, Drifts: true}
	}
	higher := func(name string) report.Metric {
		return report.Metric{Name: name, Unit: "events/s", Better: report.Higher, Drifts: true}
	}
	neither := func(name, unit string) report.Metric {
		return report.Metric{Name: name, Unit: unit, Better: report.Neither}
	}
	return []metric{
		{lower(CPU, "s/million"), (*Sample).CPUPerMillion},
		{lower("warm CPU", "s/million"), (*Sample).warmCPUPerMillion},
		{higher(Rate), (*Sample).Rate},
		{higher(SteadyRate), (*Sample).Steady},
		{higher(WarmRate), (*Sample).Warm},
		{lower("broker CPU", "s/million"), (*Sample).brokerPerMillion},
		{report.Metric{Name: PeakRSS, Unit: "MiB", Better: report.Lower}, (*Sample).Megabytes},
		{neither("first commit", "s"), func(s *Sample) float64 { return s.First.Seconds() }},
		{neither("events", ""), func(s *Sample) float64 { return float64(s.Events) }},
		{neither("seconds", ""), func(s *Sample) float64 { return s.Total.Seconds() }},
		{neither("other cores", ""), (*Sample).disturbed},
		{neither("stolen", "cores"), (*Sample).stolen},
	}
}

// Metrics are all that a run gives, in the order in which they are shown; headline is the name of the one that the
// result is about, or empty.
func Metrics(headline string) (list []report.Metric) {
	for _, m := range metrics() {
		m.Headline = m.Name == headline
		list = append(list, m.Metric)
	}
	return list
}

// Values are what a run gave, by name of the metric. What could not be measured is absent.
func (s *Sample) Values() map[string]float64 {
	values := map[string]float64{}
	for _, m := range metrics() {
		if v := m.value(s); v != 0 || m.Better == report.Neither {
			values[m.Name] = v
		}
	}
	return values
}
