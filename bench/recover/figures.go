package main

import (
	"os"
	"time"

	"tocsin/bench/report"
	"tocsin/bench/run"
)

// values are the figures of a run, by name of the metric.
type values map[string]float64

// since notes the seconds between two moments, if both were.
func (v values) since(name string, begin, end time.Time) {
	if !begin.IsZero() && !end.IsZero() {
		v[name] = max(0, end.Sub(begin).Seconds())
	}
}

func seconds(name string) report.Metric {
	return report.Metric{Name: name, Unit: "s", Better: report.Lower, Drifts: true}
}

func headline(m report.Metric) report.Metric {
	m.Headline = true
	return m
}

func perSecond(name, unit string) report.Metric {
	return report.Metric{Name: name, Unit: unit + "/s", Better: report.Higher, Drifts: true}
}

func lower(name, unit string) report.Metric {
	return report.Metric{Name: name, Unit: unit, Better: report.Lower}
}

// about says something of the run and not of what ran.
func about(name, unit string) report.Metric {
	return report.Metric{Name: name, Unit: unit, Better: report.Neither}
}

// disturbance says how many cores something else used, and how many the machine's host gave to others.
func disturbance() []report.Metric {
	return []report.Metric{about("other cores", ""), about("stolen", "cores")}
}

// usage is what had been used at a moment by everything but what is measured.
type usage struct {
	at                       time.Time
	all, broker, own, stolen time.Duration
}

func (w *world) usage() usage {
	m := run.ReadMachine(w.cluster.PID)
	return usage{time.Now(), m.All, m.Process, run.ReadMachine(os.Getpid()).Process, m.Stolen}
}

// disturbed notes what else went on from then to now, while what is measured used so much CPU time.
func (v values) disturbed(then, now usage, measured time.Duration) {
	span := now.at.Sub(then.at).Seconds()
	others := now.all - then.all - (now.broker - then.broker) - (now.own - then.own) - measured
	v["other cores"] = max(0, others.Seconds()) / span
	v["stolen"] = (now.stolen - then.stolen).Seconds() / span
}

func mebibytes(bytes int64) float64 { return float64(bytes) / (1 << 20) }
