package live

import (
	"context"
	"fmt"
	"strconv"
	"time"
)

// Sample is how a process fares. Numbers count from its start.
type Sample struct {
	Roles               string // separated by commas
	Judged              int64  // events
	Duplicates          int64
	DeadLetters         int64
	Ticks               int64
	IntegrityViolations int64 // events that failed verification
	AlertRevisions      int64
	Lag                 int64 // records of the input not yet judged, of the partitions that this process has
	// Transactions and the seconds they took together, from the first record polled to the outcome: an alert is written
	// within one.
	Transactions       int64
	TransactionSeconds float64
}

// events are all that got a verdict.
func (s *Sample) events() int64 { return s.Judged + s.Duplicates + s.DeadLetters }

// rates are what only two samples can tell.
type rates struct {
	perSecond float64
	latency   time.Duration // mean of the transactions between them
	known     bool          // whether there were any
}

func ratesOf(before, now *Sample, took time.Duration) (r rates) {
	if took > 0 {
		r.perSecond = float64(now.events()-before.events()) / took.Seconds()
	}
	if n := now.Transactions - before.Transactions; n > 0 {
		r.latency = time.Duration((now.TransactionSeconds - before.TransactionSeconds) / float64(n) * float64(time.Second))
		r.known = true
	}
	return r
}

// report tells Redis how the process fares, now and again until ctx ends. What cannot be told is dropped: the next
// report says all.
func (c *Counters) report(ctx context.Context) error {
	again := time.NewTicker(c.cfg.Every)
	defer again.Stop()
	var last Sample
	told := c.began
	for {
		switch s, err := c.cfg.Sample(); {
		case err != nil:
			c.ill(reporting, fmt.Errorf("read the process's own numbers: %w", err))
		default:
			now := c.cfg.Now()
			err := c.tell(ctx, &s, ratesOf(&last, &s, now.Sub(told)), now)
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if err != nil {
				c.ill(reporting, err)
				break
			}
			last, told = s, now
			c.metrics.reports.Inc()
			c.well(reporting)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-again.C:
		}
	}
}

// silent is how long a process that is not heard of still counts as there.
func (c *Counters) silent() time.Duration { return max(time.Minute, 3*c.cfg.Every) }

// tell sends one report; see scripts/report.lua.
func (c *Counters) tell(ctx context.Context, s *Sample, r rates, now time.Time) error {
	latency := ""
	if r.known {
		latency = strconv.FormatFloat(float64(r.latency)/float64(time.Millisecond), 'f', 3, 64)
	}
	keys := append([]string{c.keys.process(c.cfg.Instance), c.keys.processes(), c.keys.lags()},
		c.keys.metrics(metricEvents, metricErrors, metricErrorRate, metricIntegrity, metricLatency, metricQueue,
			metricTimestamp)...)
	args := []any{
		c.cfg.Instance, c.run, now.UnixMilli(), now.Add(-c.silent()).UnixMilli(), seconds(c.cfg.keepAll()),
		s.events(), s.DeadLetters, s.IntegrityViolations, latency, s.Lag,
		"run", c.run, "updated", now.UnixMilli(), "roles", s.Roles, "events", s.events(), "judged", s.Judged,
		"duplicates", s.Duplicates, "dead_letters", s.DeadLetters, "ticks", s.Ticks,
		"integrity_violations", s.IntegrityViolations, "alert_revisions", s.AlertRevisions, "lag", s.Lag,
		"events_per_second", strconv.FormatFloat(r.perSecond, 'f', 1, 64), "latency_ms", latency,
	}
	asking, cancel := c.request(ctx)
	defer cancel()
	return wrap("report", c.scripts.report.Run(asking, c.cfg.Redis, keys, args...).Err())
}
