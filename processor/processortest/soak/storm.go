package soak

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"tocsin/bench/generate"
	"tocsin/bench/produce"
	"tocsin/processor/detect"
	"tocsin/processor/engine"
	"tocsin/processor/processortest/program"
	"tocsin/processor/verify"
	"tocsin/topics"
	"tocsin/topics/provision"
)

// StormConfig says how a rebalance storm goes.
type StormConfig struct {
	Brokers []string
	Dir     string
	Seed    uint64
	Every   time.Duration // between two changes of the group
	Lasting time.Duration
	Rate    int    // events a second
	Commit  string // goes into the report
	Say     func(format string, args ...any)
}

// StormReport is what happened in a storm.
type StormReport struct {
	Report `json:"output"`

	Joins      int     `json:"joins"`
	Leaves     int     `json:"leaves"`
	Rebalances int64   `json:"rebalances"` // generations of the group that members were part of, added up
	Committed  int     `json:"committed"`  // transactions, in each changelog partition
	Aborted    int64   `json:"aborted"`    // transactions
	Replaced   int64   `json:"replaced"`   // clients given up
	Surplus    int64   `json:"surplus"`    // aborted or given up beyond one in each rebalance of each member
	Gap        float64 `json:"gap"`        // longest time without a commit, in seconds
}

// stormMembers is the number of processors that come and go, each with one worker; at least one stays.
const stormMembers = 6

// storm is a group that never comes to rest, in one process.
type storm struct {
	*world

	cfg     StormConfig
	engine  *engine.Engine
	members [stormMembers]*stormMember
	report  *StormReport
}

// Storm runs processors as members of one group, each with its own state, under steady load, and lets one join or leave
// at every interval. A member that leaves is stopped in order, and says so to the group.
func Storm(ctx context.Context, cfg StormConfig) (r *StormReport, err error) {
	events := cfg.Rate * int(cfg.Lasting/time.Second)
	run := Config{Seed: cfg.Seed, Events: events, Rate: cfg.Rate, Say: cfg.Say, Dir: cfg.Dir, Commit: cfg.Commit}
	s := &storm{cfg: cfg, report: &StormReport{Report: *newReport(&run)}}
	s.world = &world{cfg: run, report: &s.report.Report, load: &load{rate: cfg.Rate}}
	s.load.ceiling.Store(int64(events))
	used := cpuTime()
	defer func() {
		for _, m := range s.members {
			if m != nil {
				err = errors.Join(err, m.stop(ctx, s))
			}
		}
		err = errors.Join(err, s.tearDown())
		s.report.CPUSeconds = int((cpuTime() - used).Seconds())
		r = s.report
	}()
	if err := s.setUp(ctx); err != nil {
		return nil, fmt.Errorf("set up: %w", err)
	}
	g, working := errgroup.WithContext(ctx)
	g.Go(func() error { return s.offer(working) })
	g.Go(func() error { return s.blow(working) })
	g.Go(func() error { return s.measure(working) })
	if err := g.Wait(); err != nil {
		return nil, err
	}
	if err := s.judged(ctx); err != nil {
		for _, m := range s.members {
			if m.here() {
				err = fmt.Errorf("%w\n%s: %+v", err, m.name, m.proc.Health())
			}
		}
		return nil, err
	}
	s.report.Committed = s.changelog.transactions()
	if _, err := s.checkOutput(ctx); err != nil {
		return nil, err
	}
	s.report.Seconds = int(s.report.elapsed())
	if want := int(cfg.Lasting * 9 / 10 / cfg.Every); s.report.Joins+s.report.Leaves < want {
		s.report.fail("%d joins and %d leaves in %s: one every %s was wanted, at least %d", s.report.Joins, s.report.Leaves,
			cfg.Lasting, cfg.Every, want)
	}
	return nil, nil //nolint:nilnil // the deferred function returns the report
}

func (s *storm) setUp(ctx context.Context) (err error) {
	mix := generate.Default(s.world.cfg.Events)
	mix.Seed = s.cfg.Seed
	if s.generator, err = generate.New(mix); err != nil {
		return err
	}
	s.app = program.Application{ID: "storm", Brokers: s.cfg.Brokers, Partitions: partitions}
	if s.client, err = kgo.NewClient(s.app.Kafka()...); err != nil {
		return err
	}
	s.adm = kadm.NewClient(s.client)
	if err := produce.CreateTopic(ctx, s.app.Kafka(), s.app.Input(), partitions); err != nil {
		return err
	}
	specs, err := topics.Specs(topics.SpecConfig{App: s.app.ID,
		Names:           topics.Names{Input: s.app.Input(), Alerts: s.app.Alerts(), DeadLetter: s.app.DeadLetters()},
		InputPartitions: partitions, ReplicationFactor: 1, MinISR: 1, InputMaxMessageBytes: 2 << 20, TrustCreateTime: true})
	if err != nil {
		return err
	}
	specs = provision.Only(specs, topics.RoleAlerts, topics.RoleDeadLetter, topics.RoleChangelog, topics.RoleSeals)
	if _, err := provision.Create(ctx, s.adm, specs, false); err != nil {
		return err
	}
	for _, spec := range specs {
		if err := provision.WaitVisible(ctx, s.adm, spec.Name); err != nil {
			return err
		}
	}
	rules, err := detect.Compile(detect.Default())
	if err != nil {
		return err
	}
	v, err := verify.New(verify.Config{Secret: mix.Secret})
	if err != nil {
		return err
	}
	s.engine, err = engine.New(engine.Config{Topic: s.app.Input(), Rules: rules, Verifier: v, Mode: topics.ModeLive,
		Ticks: true})
	if err != nil {
		return err
	}
	if s.changelog, err = follow(&s.app); err != nil {
		return err
	}
	for i := range s.members {
		s.members[i] = &stormMember{name: fmt.Sprintf("m%d", i), dir: filepath.Join(s.cfg.Dir, fmt.Sprintf("m%d", i))}
	}
	return errors.Join(s.members[0].start(s), s.members[1].start(s))
}

// blow makes one member join or leave at every interval until all is offered.
func (s *storm) blow(ctx context.Context) error {
	r := rand.New(rand.NewPCG(s.cfg.Seed, 2)) // to be repeated is what the seed is for
	next := time.Now()
	for s.load.at.Load() < int64(s.generator.Records()) {
		next = next.Add(s.cfg.Every)
		if err := pause(ctx, time.Until(next)); err != nil {
			return err
		}
		here := 0
		for _, m := range s.members {
			if m.here() {
				here++
			}
		}
		m := s.members[r.IntN(stormMembers)]
		for here == 1 && m.here() || here == stormMembers && !m.here() {
			m = s.members[r.IntN(stormMembers)]
		}
		if !m.here() {
			s.report.Joins++
			if err := m.start(s); err != nil {
				return err
			}
			continue
		}
		s.report.Leaves++
		if err := m.stop(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

// measure finds the longest time without a commit, from the first one until all is offered.
func (s *storm) measure(ctx context.Context) error {
	committed, moved := 0, time.Time{}
	for s.load.at.Load() < int64(s.generator.Records()) {
		if n := s.changelog.transactions(); n != committed {
			committed, moved = n, time.Now()
		}
		if !moved.IsZero() {
			s.report.Gap = max(s.report.Gap, time.Since(moved).Seconds())
		}
		if err := pause(ctx, tick); err != nil {
			return err
		}
	}
	return nil
}

// writeMarkdown writes the report as a table.
func (r *StormReport) writeMarkdown(path, broker string, gap float64) error {
	var b strings.Builder
	fmt.Fprintf(&b, "# A rebalance storm on %s\n\nBegan %s, commit %s, %s. The CPU time is that of the members, the load "+
		"and the test", broker, r.Began.Format("2006-01-02 15:04 MST"), cmp.Or(r.Commit, "not recorded"), r.Machine)
	if broker == "kafka" {
		b.WriteString("; the broker's is not in it")
	}
	b.WriteString(".\n\n| | |\n| --- | ---: |\n")
	for _, row := range []struct {
		name  string
		value any
	}{
		{"seed", r.Seed}, {"seconds", r.Seconds}, {"seconds of CPU time", r.CPUSeconds}, {"events", r.Events},
		{"joins", r.Joins}, {"leaves", r.Leaves}, {"rebalances gone through, by all members", r.Rebalances},
		{"transactions committed", r.Committed}, {"transactions aborted", r.Aborted}, {"clients given up", r.Replaced},
		{"of these beyond one in a rebalance", r.Surplus},
		{fmt.Sprintf("longest without a commit, seconds (at most %g)", gap), fmt.Sprintf("%.2f", r.Gap)},
		{"lost, or otherwise than the oracle says", r.Differences}, {"twice", r.Twice}, {"failures", len(r.Failures)},
	} {
		fmt.Fprintf(&b, "| %s | %v |\n", row.name, row.value)
	}
	return os.WriteFile(path, []byte(b.String()), 0o644)
}
