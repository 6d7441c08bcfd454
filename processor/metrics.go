package processor

import (
	"errors"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"tocsin/processor/engine"
	"tocsin/topics"
)

// metrics are the processor's; all names begin with tocsin_processor_.
type metrics struct {
	records      *prometheus.CounterVec // by verdict and reason
	outcomes     *prometheus.CounterVec // verification, by outcome
	keys         *prometheus.CounterVec // checked ones, by result
	alerts       prometheus.Counter
	outputBytes  prometheus.Counter
	transactions *prometheus.CounterVec // by outcome
	aborts       *prometheus.CounterVec // by reason
	unknown      prometheus.Counter
	restarts     prometheus.Counter
	endSeconds   prometheus.Histogram

	transactionSeconds prometheus.Histogram

	batchRecords    prometheus.Histogram
	lag             *prometheus.GaugeVec // by partition
	restoredRecords *prometheus.CounterVec
	restoreRetries  prometheus.Counter
	standbyLag      *prometheus.GaugeVec // by partition
	standbyRecords  prometheus.Counter
	stopped         *prometheus.CounterVec // by cause
	fetchErrors     prometheus.Counter
	version1        prometheus.Gauge
	createTime      prometheus.Gauge
}

func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: "tocsin_processor_" + name, Help: help})
	}
	vec := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "tocsin_processor_" + name, Help: help}, labels)
	}
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Name: "tocsin_processor_" + name, Help: help})
	}
	m := &metrics{
		records: vec("records_total", "Input records by verdict (judged, duplicate, dead_letter, tick) and reason, "+
			"committed ones only.", "verdict", "reason"),
		outcomes: vec("verifications_total", "Events by outcome of verification, committed ones only.", "outcome"),
		keys: vec("keys_checked_total", "Events (one offset of 64) whose partition was compared with that of their key, by "+
			"result (right, wrong), committed ones only.", "result"),
		alerts:       counter("alert_revisions_total", "Alert revisions written and committed."),
		outputBytes:  counter("output_bytes_total", "Bytes of all records produced and committed, before compression."),
		transactions: vec("transactions_total", "Transactions by outcome (committed, aborted, unknown).", "outcome"),
		aborts:       vec("aborts_total", "Aborted transactions by reason.", "reason"),
		unknown: counter("unknown_outcomes_total", "Transactions whose outcome could not be learned from the broker's "+
			"answer; it was read from the log."),
		restarts: counter("client_restarts_total", "Kafka clients given up and replaced."),
		endSeconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "tocsin_processor_transaction_end_seconds",
			Help:    "Time from the last record judged to the outcome of the transaction.",
			Buckets: prometheus.ExponentialBuckets(0.001, 2, 16),
		}),
		transactionSeconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "tocsin_processor_transaction_seconds",
			Help: "Time from the first record of a transaction to its outcome: what a result waits for at most, once its " +
				"event has been polled.",
			Buckets: prometheus.ExponentialBuckets(0.001, 2, 16),
		}),
		batchRecords: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "tocsin_processor_transaction_records", Help: "Input records per committed transaction.",
			Buckets: prometheus.ExponentialBuckets(1, 4, 9),
		}),
		lag: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "tocsin_processor_lag_records", Help: "Input records behind the end of the partition, as of its last fetch.",
		}, []string{"partition"}),
		restoredRecords: vec("restored_records_total", "Changelog records read by restores, by mode (tail, full).", "mode"),
		standbyLag: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "tocsin_processor_standby_lag_records",
			Help: "Changelog offsets behind the end of the partition, of those that are followed for other processes.",
		}, []string{"partition"}),
		standbyRecords: counter("standby_records_total", "Changelog records read for partitions of other processes."),
		restoreRetries: counter("restore_retries_total", "Restores that failed and were tried again."),
		stopped:        vec("partition_stops_total", "Partitions stopped, by cause. Each needs an operator.", "cause"),
		fetchErrors:    counter("fetch_errors_total", "Errors of fetches, which are tried again."),
		version1: gauge("transaction_version_1", "1 while the brokers speak transaction.version 1 only "+
			"(kafka.allow_transaction_v1)."),
		createTime: gauge("trusts_create_time", "1 while the input topic lets producers set record times "+
			"(input.trust_create_time)."),
	}
	if reg == nil {
		return m, nil
	}
	var errs []error
	for _, c := range []prometheus.Collector{m.records, m.outcomes, m.keys, m.alerts, m.outputBytes, m.transactions,
		m.aborts, m.unknown, m.restarts, m.endSeconds, m.transactionSeconds, m.batchRecords, m.lag,
		m.restoredRecords, m.restoreRetries,
		m.standbyLag, m.standbyRecords,
		m.stopped,
		m.fetchErrors, m.version1, m.createTime} {
		errs = append(errs, reg.Register(c))
	}
	return m, errors.Join(errs...)
}

// observe counts a committed transaction.
func (m *metrics) observe(fx *engine.Effects, records, bytes int) {
	add := func(n int64, verdict, reason string) {
		if n > 0 {
			m.records.WithLabelValues(verdict, reason).Add(float64(n))
		}
	}
	add(fx.Counts.Judged, "judged", "")
	add(fx.Counts.Duplicates, "duplicate", "")
	add(fx.Counts.Ticks, "tick", "")
	for r, n := range fx.Counts.DeadLetters {
		add(n, "dead_letter", topics.Reason(r).String())
	}
	for o, n := range fx.Outcomes {
		if n > 0 {
			m.outcomes.WithLabelValues(topics.Outcome(o).String()).Add(float64(n))
		}
	}
	if fx.KeysChecked > 0 {
		m.keys.WithLabelValues("right").Add(float64(fx.KeysChecked - int64(len(fx.MisKeyed))))
		m.keys.WithLabelValues("wrong").Add(float64(len(fx.MisKeyed)))
	}
	m.alerts.Add(float64(len(fx.Alerts)))
	m.outputBytes.Add(float64(bytes))
	m.batchRecords.Observe(float64(records))
}

func (m *metrics) partition(id int32) string { return strconv.Itoa(int(id)) }

// forget drops the gauges of a partition that is no longer ours.
func (m *metrics) forget(id int32) { m.lag.DeleteLabelValues(m.partition(id)) }
