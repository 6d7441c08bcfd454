package app

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"tocsin/processor/live"
	"tocsin/topics"
)

// openLive makes what keeps the live numbers in Redis, and the connections for it.
func openLive(
	ctx context.Context, cfg *Loaded, o Options, registry *prometheus.Registry, admin *admin, cl *closers,
) (func(context.Context) error, error) {
	client, err := cfg.redisClient()
	if err != nil {
		return nil, err
	}
	cl.add("connections to Redis", closePool, func(context.Context) error { return client.Close() })
	instance, err := cfg.instance()
	if err != nil {
		return nil, err
	}
	roles := o.Roles.names()
	lc := live.Config{
		Redis: client, Prefix: cfg.Redis.Prefix, Instance: instance,
		KeepMinutes: time.Duration(cfg.Redis.KeepMinutes), KeepHours: time.Duration(cfg.Redis.KeepHours),
		Sample: func() (live.Sample, error) { return sample(registry, roles) }, Every: time.Duration(cfg.Redis.Interval),
		Log: o.Log.With("role", "counters"), Registerer: registry, Now: o.Now,
		Explain: func(err error) error {
			if refused(err) {
				return cfg.named(ctx, err, topics.DutyCounters)
			}
			return cfg.Redis.explain(err)
		},
	}
	if o.Roles.Counters {
		kafka, err := cfg.KafkaOptions()
		if err != nil {
			return nil, err
		}
		lc.Alerts = &live.Alerts{
			Kafka: kafka, Topic: cfg.Topics.Alerts, Group: cfg.countersGroup(),
			Member:  cfg.countersGroup() + "-" + instance,
			Session: time.Duration(cfg.Kafka.SessionTimeout), Heartbeat: time.Duration(cfg.Kafka.HeartbeatInterval),
		}
	}
	c, err := live.New(lc)
	if err != nil {
		return nil, err
	}
	admin.live = c.Health
	return c.Run, nil
}

// sample reads how this process fares from its own metrics.
func sample(from prometheus.Gatherer, roles []string) (live.Sample, error) {
	s := live.Sample{Roles: strings.Join(roles, ",")}
	families, err := from.Gather()
	if err != nil {
		return s, fmt.Errorf("gather metrics: %w", err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			add(&s, f.GetName(), m)
		}
	}
	return s, nil
}

func add(s *live.Sample, name string, m *dto.Metric) {
	label := ""
	if l := m.GetLabel(); len(l) > 0 {
		label = l[0].GetValue()
	}
	n := int64(m.GetCounter().GetValue())
	switch name {
	case "tocsin_processor_records_total":
		for _, l := range m.GetLabel() {
			if l.GetName() != "verdict" {
				continue
			}
			switch l.GetValue() {
			case "judged":
				s.Judged += n
			case "duplicate":
				s.Duplicates += n
			case "dead_letter":
				s.DeadLetters += n
			case "tick":
				s.Ticks += n
			}
		}
	case "tocsin_processor_verifications_total":
		switch label {
		case topics.OutcomeTampered.String(), topics.OutcomeForged.String(), topics.OutcomeUnverifiable.String():
			s.IntegrityViolations += n
		}
	case "tocsin_processor_alert_revisions_total":
		s.AlertRevisions += n
	case "tocsin_processor_lag_records":
		s.Lag += max(int64(m.GetGauge().GetValue()), 0)
	case "tocsin_processor_transaction_seconds":
		s.Transactions += int64(m.GetHistogram().GetSampleCount())
		s.TransactionSeconds += m.GetHistogram().GetSampleSum()
	}
}

// LiveNumbers are what Redis holds.
type LiveNumbers = live.Numbers

// liveWithin bounds the reading of live numbers.
const liveWithin = 10 * time.Second

// Live reads the live numbers from Redis: alerts of the last time, of one organisation if it is named.
func Live(ctx context.Context, c *Config, last time.Duration, organization *string, now time.Time) (
	n *LiveNumbers, err error,
) {
	if c.Redis.Address == "" {
		return nil, Usagef("redis.address is not set: there are no live numbers; `tocsin health` asks one process")
	}
	if most := max(c.Redis.KeepMinutes, c.Redis.KeepHours); last <= 0 || last > time.Duration(most) {
		return nil, Usagef("--last %s: alerts are counted for 1s to %s (redis.keep_hours)", Duration(last), most)
	}
	client, err := c.redisClient()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, client.Close()) }()
	ctx, cancel := context.WithTimeout(ctx, liveWithin)
	defer cancel()
	n, err = live.Read(ctx, live.Query{
		Redis: client, Prefix: c.Redis.Prefix, Last: last, Organization: organization, Now: now,
		KeepMinutes: time.Duration(c.Redis.KeepMinutes), KeepHours: time.Duration(c.Redis.KeepHours),
	})
	if err != nil {
		return nil, c.Redis.explain(err)
	}
	return n, nil
}
