package soak

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kadm"

	"tocsin/processor"
	"tocsin/state"
	"tocsin/state/window"
)

// stormMember is a processor with one worker that comes and goes.
type stormMember struct {
	name string
	dir  string

	store    *state.Store // nil: it is not here
	proc     *processor.Processor
	log      *os.File
	registry *prometheus.Registry
	seen     *rebalances
	cancel   context.CancelFunc
	done     chan error
}

func (m *stormMember) here() bool { return m.store != nil }

func (m *stormMember) start(s *storm) (err error) {
	if m.store, err = state.Open(state.Config{Dir: m.dir, HeadIndex: window.HeadIndex, Now: time.Now}); err != nil {
		return err
	}
	if m.log, err = os.OpenFile(m.dir+".log", os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600); err != nil {
		return err
	}
	m.registry, m.seen = prometheus.NewRegistry(), newRebalances()
	m.proc, err = processor.New(processor.Config{
		App: s.app.ID, Instance: m.name, Kafka: s.app.Kafka(),
		Topics: processor.Topics{Input: s.app.Input(), Alerts: s.app.Alerts(), DeadLetter: s.app.DeadLetters(),
			Changelog: s.app.Changelog(), Seals: s.app.ID + "-seals"},
		Engine: s.engine, Store: m.store, Registerer: m.registry,
		Log:     slog.New(noting{m.seen, slog.NewJSONHandler(m.log, nil)}),
		Workers: 1, TrustCreateTime: true,
		Session: session, Heartbeat: 250 * time.Millisecond, Transaction: 4 * time.Second, EndTimeout: 15 * time.Second,
	})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	m.cancel, m.done = cancel, make(chan error, 1)
	go func() { m.done <- m.proc.Run(ctx) }()
	return nil
}

// stop ends the processor in order, leaves the group, and looks at what it counted.
func (m *stormMember) stop(ctx context.Context, s *storm) error {
	if !m.here() {
		return nil
	}
	m.cancel()
	var err error
	select {
	case err = <-m.done:
	case <-time.After(time.Minute):
		return fmt.Errorf("member %s does not end", m.name)
	}
	err = errors.Join(err, m.store.Close(), m.log.Close())
	m.store = nil
	if err != nil {
		return err
	}
	leaving := kadm.LeaveGroup(s.app.ID).InstanceIDs(fmt.Sprintf("%s-%s-0", s.app.ID, m.name))
	if _, err := s.adm.LeaveGroup(ctx, leaving); err != nil {
		return fmt.Errorf("%s leaves the group: %w", m.name, err)
	}
	if n := m.count("tocsin_processor_partition_stops_total"); n > 0 {
		s.report.fail("member %s stopped %d partitions, see its log %s", m.name, n, m.log.Name())
	}
	aborted, replaced := m.count("tocsin_processor_aborts_total"), m.count("tocsin_processor_client_restarts_total")
	generations, noted, surplus := m.seen.sum()
	s.report.Rebalances += generations
	s.report.Aborted += aborted
	s.report.Replaced += replaced
	s.report.Surplus += surplus
	if surplus > 0 {
		s.report.fail("member %s aborted %d transactions or replaced its client beyond one in each of %d rebalances, see "+
			"its log %s; aborts within each generation: %v", m.name, surplus, generations, m.log.Name(), m.seen.aborts)
	}
	if noted != aborted+replaced {
		s.report.fail("member %s logged %d aborts and new clients, and counted %d and %d", m.name, noted, aborted, replaced)
	}
	return nil
}

func (m *stormMember) count(name string) (n int64) {
	families, err := m.registry.Gather()
	if err != nil {
		return 0 // ours do not fail
	}
	for _, f := range families {
		if f.GetName() == name {
			for _, metric := range f.GetMetric() {
				n += int64(metric.GetCounter().GetValue())
			}
		}
	}
	return n
}
