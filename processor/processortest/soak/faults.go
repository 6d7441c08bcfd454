package soak

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"time"

	"tocsin/processor/processortest/program"
)

// inflict does what a fault says. The result is the number of kills for which nobody was up.
func (w *world) inflict(ctx context.Context, f *Fault) (short int, err error) {
	if f.Kind != Join {
		w.report.Faults[f.Kind]++
	}
	switch f.Kind {
	case Kill:
		return w.kill(ctx, f)
	case Broker:
		w.cfg.Say("broker: away for %s", f.Down.Round(time.Millisecond))
		return 0, w.restartBroker(ctx, f.Down)
	case Database:
		w.cfg.Say("database: away for %s", f.Down.Round(time.Millisecond))
		return 0, w.restartDatabase(ctx, f.Down)
	case Join:
		m := w.members[members-1]
		m.leaves = time.Now().Add(f.Down)
		if m.condition == away && m.back.IsZero() {
			w.report.Faults[Join]++
			w.cfg.Say("join: %s", m.Instance)
			return 0, m.start(ctx)
		}
		return 0, nil // it is here already and stays for longer: nobody joins
	case Pause, Stop, Leave:
	}
	m, err := w.victim(ctx, f)
	if err != nil {
		return 0, err
	}
	w.cfg.Say("%s: %s for %s", f.Kind, m.Instance, f.Down.Round(time.Millisecond))
	if f.Kind == Pause {
		m.condition, m.back = paused, time.Now().Add(f.Down)
		return 0, m.proc.Signal(syscall.SIGSTOP)
	}
	if err := m.drain(ctx); err != nil {
		return 0, err
	}
	m.back = time.Now().Add(f.Down)
	if f.Kind == Leave {
		return 0, m.leave(ctx)
	}
	return 0, nil
}

// victim waits for a process that is up, other than the one that comes and goes by itself.
func (w *world) victim(ctx context.Context, f *Fault) (m *member, err error) {
	err = w.until(ctx, "a process is up", func() bool {
		for _, v := range f.Victims {
			if v < members-1 && w.members[v].condition == up {
				m = w.members[v]
				return true
			}
		}
		return false
	})
	return m, err
}

func (w *world) kill(ctx context.Context, f *Fault) (short int, err error) {
	if _, err := w.victim(ctx, f); err != nil {
		return 0, err
	}
	if f.Aim {
		began := time.Now()
		if err := w.until(ctx, "a transaction is open", func() bool {
			return w.open(ctx) > 0 || time.Since(began) > 3*time.Second
		}); err != nil {
			return 0, err
		}
	}
	var hit []*member
	for _, v := range f.Victims {
		if m := w.members[v]; len(hit) < f.Hits && m.condition == up {
			hit = append(hit, m)
		}
	}
	now := make([]string, 0, len(hit))
	for _, m := range hit {
		rss, err := program.PeakRSS(m.proc.PID())
		if err == nil {
			w.report.PeakMB = max(w.report.PeakMB, rss>>20)
		}
		m.kill()
		m.back = time.Now().Add(f.Down)
		now = append(now, m.Instance)
	}
	record := KillRecord{Second: w.report.elapsed(), Processes: now, Open: w.open(ctx),
		DownMS: f.Down.Milliseconds(), Offered: w.load.at.Load()}
	if record.Outstanding, err = w.unread(ctx); err != nil {
		return 0, fmt.Errorf("offsets outstanding: %w", err)
	}
	w.report.Kills = append(w.report.Kills, record)
	w.report.Killed += len(hit)
	w.cfg.Say("kill %d: %s for %s, %d offsets outstanding, %d changelog partitions in an open transaction",
		w.report.Killed, strings.Join(now, ", "), f.Down.Round(time.Millisecond), record.Outstanding, record.Open)
	return f.Hits - len(hit), nil
}

// open counts the changelog partitions in an open transaction, as far as the broker tells.
func (w *world) open(ctx context.Context) int {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	n, err := w.app.OpenTransactions(ctx, w.adm)
	if err != nil {
		return 0
	}
	return n
}

// restartBroker stops Kafka in order while transactions are open, and starts it again.
//
// None may be ending at that moment. A broker that stands alone gives up its leaderships before it goes; if it then has
// markers to write, it says that "these partitions are likely deleted already and hence can be skipped", and the
// transaction stays open for ever in the partitions skipped (seen with 4.3.1). So all processes are halted,
// transactions that are ending are waited for, and only then the broker is stopped: what is open is aborted after its
// timeout.
func (w *world) restartBroker(ctx context.Context, down time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	if err := w.hold(ctx); err != nil {
		return err
	}
	defer w.load.held.Store(false)
	// A process that finds no broker when it starts says so and ends: whoever started it looks after that.
	if err := w.until(ctx, "all processes that were started have found the broker", w.allRun); err != nil {
		return err
	}
	if err := w.signal(syscall.SIGSTOP); err != nil {
		return err
	}
	err := w.noneEnding(ctx)
	if err == nil {
		err = w.broker.Stop(ctx)
	}
	if err := errors.Join(err, w.signal(syscall.SIGCONT)); err != nil {
		return err
	}
	if err := pause(ctx, down); err != nil {
		return err
	}
	return w.broker.Restart(ctx)
}

// allRun tells whether the processes that are up have come so far as to work.
func (w *world) allRun() bool {
	for _, m := range w.members {
		if m.condition == up && !m.said("processor runs") {
			return false
		}
	}
	return true
}

// signal sends a signal to all processes that are up.
func (w *world) signal(sig syscall.Signal) error {
	for _, m := range w.members {
		if m.condition == up {
			if err := m.proc.Signal(sig); err != nil {
				return err
			}
		}
	}
	return nil
}

// noneEnding waits until no transaction is between its end and its markers.
func (w *world) noneEnding(ctx context.Context) error {
	for quiet := 0; quiet < 3; {
		ending, err := w.adm.ListTransactions(ctx, nil, []string{"PrepareCommit", "PrepareAbort"})
		if err != nil {
			return fmt.Errorf("transactions that are ending: %w", err)
		}
		quiet++
		if len(ending) > 0 {
			quiet = 0
		}
		if err := pause(ctx, tick); err != nil {
			return err
		}
	}
	return nil
}

func (w *world) restartDatabase(ctx context.Context, down time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	port := w.postgres.Port()
	if err := w.postgres.Stop(ctx); err != nil {
		return err
	}
	if err := pause(ctx, down); err != nil {
		return err
	}
	return w.startPostgres(ctx, port)
}
