package sink

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics of the sink; a nil registerer leaves them working and unseen.
type metrics struct {
	applied    prometheus.Counter
	duplicates prometheus.Counter
	rejects    *prometheus.CounterVec // reason: decode or the class of the SQLSTATE
	retries    prometheus.Counter
	fenced     prometheus.Counter
	batch      prometheus.Histogram
	lag        *prometheus.GaugeVec // partition
	healthy    prometheus.Gauge
	evidence   *prometheus.CounterVec // status
	pending    prometheus.Gauge
}

func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	const ns, sub = "tocsin", "sink"
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Namespace: ns, Subsystem: sub, Name: name, Help: help})
	}
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Namespace: ns, Subsystem: sub, Name: name, Help: help})
	}
	m := &metrics{
		applied:    counter("applied_total", "Alert revisions stored."),
		duplicates: counter("duplicates_ignored_total", "Alert revisions not higher than the stored one."),
		rejects: prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: ns, Subsystem: sub, Name: "rejects_total",
			Help: "Records set aside in alert_rejects, by reason: decode, or the class of the SQLSTATE."},
			[]string{"reason"}),
		retries: counter("retries_total", "Tries that failed and were made again."),
		fenced:  counter("fenced_total", "Batches rolled back because somebody else had moved the position."),
		batch: prometheus.NewHistogram(prometheus.HistogramOpts{Namespace: ns, Subsystem: sub, Name: "batch_seconds",
			Help:    "Time of a stored batch, from begin to commit.",
			Buckets: []float64{.001, .002, .005, .01, .02, .05, .1, .2, .5, 1, 2, 5, 10, 30}}),
		lag: prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: ns, Subsystem: sub, Name: "lag_records",
			Help: "Offsets between the position and the end of the committed log."}, []string{"partition"}),
		healthy: gauge("healthy", "1 while alerts are stored as they come, 0 while something is in the way."),
		evidence: prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: ns, Subsystem: sub, Name: "evidence_total",
			Help: "Evidence records dealt with, by status: copied, digest (too large) or gone."}, []string{"status"}),
		pending: gauge("evidence_pending", "Evidence records that wait to be copied, at most 10,000 are counted."),
	}
	if reg == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{m.applied, m.duplicates, m.rejects, m.retries, m.fenced, m.batch, m.lag,
		m.healthy, m.evidence, m.pending} {
		if err := reg.Register(c); err != nil {
			return nil, wrap("register metrics", err)
		}
	}
	return m, nil
}

func (m *metrics) setLag(partition int32, lag int64) {
	m.lag.WithLabelValues(strconv.Itoa(int(partition))).Set(float64(lag))
}

func (m *metrics) dropLag(partition int32) { m.lag.DeleteLabelValues(strconv.Itoa(int(partition))) }

// rejectReason is the label of a rejection.
func rejectReason(sqlstate string) string {
	if len(sqlstate) < 2 {
		return "decode"
	}
	return "sqlstate_" + sqlstate[:2]
}
