package soak

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"tocsin/processor/processortest/program"
	"tocsin/topics"
)

// nextFormat is what the build with the tag [program.NextFormat] can write beside the releases' format.
const nextFormat = 2

// Upgrade is a run in which every process is upgraded under load, one after the other, in two rounds as a release with
// a new format of the state asks for it: first to the build next, which goes on writing the old format, then to the new
// format. One process of each round is killed instead of being stopped, and all leave their groups: their partitions go
// to the others and come back, so that each build and each setting reads what the others have written.
//
// Beside what must hold for every run: the digest of each partition is that of the input judged again by the build of
// before, both formats are in the state in the end, and the build of before refuses what it cannot read by name.
func Upgrade(ctx context.Context, cfg Config, next string) (*UpgradeReport, error) {
	cfg.Kills = 2
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	w := &world{cfg: cfg, report: newReport(&cfg)}
	u := &UpgradeReport{Report: w.report}
	_, err := w.run(ctx, func(ctx context.Context) error { return w.upgrade(ctx, next) }, w.check,
		func(ctx context.Context) error { return w.checkFormats(ctx, u) })
	return u, err
}

// UpgradeReport is what happened in an [Upgrade].
type UpgradeReport struct {
	*Report
	Values map[string]int64 `json:"values"` // in the end, by format
}

// upgrade does the two rounds.
func (w *world) upgrade(ctx context.Context, next string) error {
	events, steps, step := int64(w.generator.Records()), int64(2*(members-1)), int64(0)
	for round, format := range []int{topics.DefaultValueFormat, nextFormat} {
		for _, m := range w.members[:members-1] {
			w.load.ceiling.Store(events * (step + 2) / (steps + 2))
			f := Fault{Wait: time.Second, Breathe: true}
			if err := w.between(ctx, &f, events*(step+1)/(steps+2)); err != nil {
				return err
			}
			step++
			kill := (m.number+round)%(members-1) == 1
			w.cfg.Say("upgrade: %s, to write format %d", m.Instance, format)
			if err := w.replace(ctx, m, next, format, kill); err != nil {
				return fmt.Errorf("upgrade %s: %w", m.Instance, err)
			}
		}
	}
	w.load.ceiling.Store(events)
	return nil
}

// replace stops a process, lets the others have its partitions, and starts it as another build.
func (w *world) replace(ctx context.Context, m *member, build string, format int, kill bool) error {
	if kill {
		m.kill()
		w.report.Killed++
	} else if err := m.drain(ctx); err != nil {
		return err
	}
	if err := m.leave(ctx); err != nil {
		return err
	}
	committed := w.changelog.transactions()
	goneOn := func() bool { return w.changelog.transactions() > committed }
	if err := w.until(ctx, "the others have gone on", goneOn); err != nil {
		return err
	}
	app := w.app
	app.Extra += fmt.Sprintf("state: {write_format: %d}\n", format)
	if err := os.WriteFile(m.config, app.Configuration(&m.Member), 0o600); err != nil {
		return err
	}
	m.program = build
	if err := m.start(ctx); err != nil {
		return err
	}
	return w.until(ctx, m.Instance+" has partitions again", func() bool { return m.said("restored") })
}

// checkFormats looks at the state of the processes, which have ended.
func (w *world) checkFormats(ctx context.Context, u *UpgradeReport) (err error) {
	if u.Values, err = w.compareDigests(ctx); err != nil {
		return err
	}
	refused := false
	for _, m := range w.members[:members-1] {
		if err := os.WriteFile(m.config, w.app.Configuration(&m.Member), 0o600); err != nil { // without the setting
			return err
		}
		_, err := program.Call(ctx, w.cfg.Program, m.config, "state", "inspect", "--digest", "--output", "json")
		refused = refused || err != nil && strings.Contains(err.Error(), (&topics.FormatError{What: "value",
			Format: nextFormat, Oldest: 1, Newest: 1}).Error())
	}
	if u.Values["1"] == 0 || u.Values["2"] == 0 || len(u.Values) != 2 {
		w.report.fail("values by format in the end: %v; there must be some of 1 and of 2", u.Values)
	}
	if !refused {
		w.report.fail("the build of before refuses no state of format %d by name", nextFormat)
	}
	return nil
}
