package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"tocsin/bench/report"
	"tocsin/bench/run"
	"tocsin/bench/throughput"
)

// result is what is reported of the samples.
func (o *options) result(samples []throughput.Sample) *report.Result {
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
	r.Metrics = throughput.Metrics(throughput.CPU)
	for i := range samples {
		s := &samples[i]
		r.Samples = append(r.Samples, report.Sample{Kind: s.Kind, Round: s.Round, Void: throughput.Void(samples, s),
			Values: s.Values()})
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
	run.ShowSettings(settings, "set", o.set)
	run.ShowSettings(settings, "peer-set", o.peerSet)
	return settings
}
