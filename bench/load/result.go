package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"tocsin/bench/report"
)

// measured is a metric with where it comes from.
type measured struct {
	report.Metric
	value func(*sample) float64 // 0: not measured, where one way is better
}

// metrics are all that a run gives, in the order in which they are shown.
func metrics() []measured {
	lower := func(name, unit string) report.Metric {
		return report.Metric{Name: name, Unit: unit, Better: report.Lower, Drifts: true}
	}
	higher := func(name string) report.Metric {
		return report.Metric{Name: name, Unit: "events/s", Better: report.Higher, Drifts: true}
	}
	neither := func(name, unit string) report.Metric {
		return report.Metric{Name: name, Unit: unit, Better: report.Neither}
	}
	headline := lower("CPU", "s/million")
	headline.Headline = true
	return []measured{
		{headline, (*sample).cpuPerMillion},
		{lower("warm CPU", "s/million"), (*sample).warmCPUPerMillion},
		{higher("rate"), (*sample).rate},
		{higher("steady rate"), (*sample).steady},
		{higher("warm rate"), (*sample).warm},
		{lower("broker CPU", "s/million"), (*sample).brokerPerMillion},
		{report.Metric{Name: "peak RSS", Unit: "MiB", Better: report.Lower}, (*sample).megabytes},
		{neither("first commit", "s"), func(s *sample) float64 { return s.First.Seconds() }},
		{neither("events", ""), func(s *sample) float64 { return float64(s.Events) }},
		{neither("seconds", ""), func(s *sample) float64 { return s.Total.Seconds() }},
		{neither("other cores", ""), (*sample).disturbed},
		{neither("stolen", "cores"), (*sample).stolen},
	}
}

// result is what is reported of the samples.
func (o *options) result(samples []sample) *report.Result {
	r := &report.Result{Version: report.Version, Scenario: "throughput", Date: o.began, Commit: o.commit, Dirty: o.dirty,
		Machine: report.ReadMachine(os.DirFS("/proc")), Settings: o.recorded()}
	if o.peer != "" {
		r.Notes = append(r.Notes, "Kafka Streams does a reduced job: no de-duplication, lateness, evidence, episodes.")
	}
	for kind, bin := range map[string]string{"job": o.bin, kindOther: o.other} {
		if bin != "" {
			r.Notes = append(r.Notes, kind+" is a program given by its path, and need not be of this commit.")
		}
	}
	slices.Sort(r.Notes)
	all := metrics()
	for _, m := range all {
		r.Metrics = append(r.Metrics, m.Metric)
	}
	for i := range samples {
		s := &samples[i]
		out := report.Sample{Kind: s.Kind, Round: s.Round, Void: void(samples, s), Values: map[string]float64{}}
		for _, m := range all {
			if v := m.value(s); v != 0 || m.Better == report.Neither {
				out.Values[m.Name] = v
			}
		}
		r.Samples = append(r.Samples, out)
	}
	return r
}

// recorded are the settings that influence the figures. Addresses and folders say nothing to others.
func (o *options) recorded() map[string]string {
	broker := o.kafka
	if o.brokers != "" {
		broker = "running cluster"
	}
	settings := map[string]string{"kafka": broker}
	for name, v := range map[string]int{"records": o.records, "principals": o.principals, "partitions": o.partitions,
		"warm": o.warm, "workers": o.workers, "job-workers": o.jobWorkers} {
		settings[name] = fmt.Sprint(v)
	}
	settings["seed"] = fmt.Sprint(o.seed)
	if o.rest > 0 {
		settings["rest"] = o.rest.String()
	}
	for name, value := range map[string]string{"bin": o.bin, "other": o.other} {
		if value != "" {
			settings[name] = filepath.Base(value)
		}
	}
	for name, list := range map[string][]string{"set": o.set, "peer-set": o.peerSet} {
		for _, s := range list {
			key, value, _ := strings.Cut(s, "=")
			settings[name+":"+key] = withoutSecret(key, value)
		}
	}
	return settings
}

// withoutSecret keeps what gives access out of a file that is there to be shown.
func withoutSecret(key, value string) string {
	key = strings.ToLower(key)
	for _, part := range []string{"secret", "password", "jaas", "token"} {
		if strings.Contains(key, part) {
			return "***"
		}
	}
	if strings.Contains(value, "://") { // it may have a password in it
		return "***"
	}
	return value
}
