package live

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics of this part; a nil registerer leaves them working and unseen.
type metrics struct {
	counted  prometheus.Counter
	passed   *prometheus.CounterVec // reason
	begun    prometheus.Counter
	reports  prometheus.Counter
	failures *prometheus.CounterVec // concern
	healthy  prometheus.Gauge
}

// Why a record of the alerts topic is not counted.
const (
	passedRevision = "revision" // not the first of its alert
	passedReplay   = "replay"   // a judging again
	passedOld      = "old"      // its buckets are gone already
	passedSeen     = "seen"     // counted before
	passedUnread   = "unread"   // no alert that this version reads
)

func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: "tocsin_live_" + name, Help: help})
	}
	vec := func(name, help, label string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "tocsin_live_" + name, Help: help}, []string{label})
	}
	m := &metrics{
		counted: counter("alerts_counted_total", "Alerts counted in Redis."),
		passed: vec("alerts_passed_total", "Records of the alerts topic that were not counted, by reason (revision, replay, "+
			"old, seen, unread).", "reason"),
		begun: counter("restarts_total", "Times that counting began anew, because Redis held no position or another one: "+
			"after a loss of its data, or because another process took over."),
		reports: counter("reports_total", "Times that the process told Redis how it fares."),
		failures: vec("failures_total", "Requests to Redis or Kafka that failed, by what they were for (counting, reading, "+
			"reporting). Counting is tried again; a report that failed is dropped, the next says all.", "concern"),
		healthy: prometheus.NewGauge(prometheus.GaugeOpts{Name: "tocsin_live_healthy",
			Help: "1 while the numbers in Redis are kept up to date, 0 while something is in the way."}),
	}
	if reg == nil {
		return m, nil
	}
	var errs []error
	for _, c := range []prometheus.Collector{m.counted, m.passed, m.begun, m.reports, m.failures, m.healthy} {
		errs = append(errs, reg.Register(c))
	}
	return m, wrap("register metrics", errors.Join(errs...))
}
