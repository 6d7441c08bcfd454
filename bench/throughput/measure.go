package throughput

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"tocsin/bench/run"
)

// Measure starts the process, waits for lag 0 and ends it. bin is the tocsin program for a job, or empty for this
// program itself. A group that has committed something goes on from there: then the topics are there already, and only
// what came since counts. It gives up when nothing is committed for as long as stall.
func Measure(ctx context.Context, s Settings, bin string, stall time.Duration) (Sample, error) {
	out := Sample{Kind: s.Kind}
	cl, err := kgo.NewClient(run.Reach(s.Brokers)...)
	if err != nil {
		return out, err
	}
	defer cl.Close()
	adm := kadm.NewClient(cl)
	done, err := s.extent(ctx, adm, &out)
	if err != nil {
		return out, err
	}
	if done == 0 {
		if err := s.makeTopics(ctx, adm); err != nil {
			return out, fmt.Errorf("make topics: %w", err)
		}
	}
	cmd, err := s.command(ctx, bin)
	if err != nil {
		return out, err
	}
	before := run.ReadMachine(s.BrokerPID)
	p, err := run.Start(cmd)
	if err != nil {
		return out, fmt.Errorf("start %s: %w", s.Kind, err)
	}
	err = out.watch(ctx, adm, &s, p, done, stall)
	if errors.Is(err, run.ErrEnded) {
		return out, err
	}
	if stopErr := p.Stop(); stopErr != nil {
		err = errors.Join(err, fmt.Errorf("%s: %w", s.Kind, stopErr))
	}
	cpu, peak := p.Usage()
	out.CPU = cpu
	after := run.ReadMachine(s.BrokerPID)
	out.Broker = after.Process - before.Process
	out.Stolen = after.Stolen - before.Stolen
	out.Others = max(after.All-before.All-out.Broker-out.CPU, 0)
	out.PeakRSS = out.End.RSS
	if out.PeakRSS == 0 {
		out.PeakRSS = peak
	}
	return out, err
}

// extent counts the events that are to be measured and those that were committed before.
func (s *Settings) extent(ctx context.Context, adm *kadm.Client, out *Sample) (done int64, err error) {
	ends, err := endOffsets(ctx, adm, s.Input)
	if err != nil {
		return 0, err
	}
	ends.Each(func(o kadm.ListedOffset) { out.Events += o.Offset })
	if done, err = s.committed(ctx, adm); err != nil {
		done = 0 // the group does not exist yet, and on a new cluster its coordinator does not either
	}
	if out.Events -= done; out.Events == 0 {
		return done, fmt.Errorf("%s: all %d records are committed already: there is nothing to measure", s.Input, done)
	}
	return done, nil
}

// endOffsets asks more than once: a broker that is short of time may lose the lead of its own partitions for a moment.
func endOffsets(ctx context.Context, adm *kadm.Client, topic string) (kadm.ListedOffsets, error) {
	const tries, pause = 20, time.Second
	for i := 1; ; i++ {
		ends, err := adm.ListEndOffsets(ctx, topic)
		if err == nil {
			err = ends.Error()
		}
		switch {
		case err == nil:
			return ends, nil
		case i == tries || !run.Pause(ctx, pause):
			return nil, fmt.Errorf("end offsets of %s: %w", topic, err)
		}
	}
}

// committed is the number of events that the group has committed.
func (s *Settings) committed(ctx context.Context, adm *kadm.Client) (n int64, err error) {
	offsets, err := adm.FetchOffsets(ctx, s.App)
	if err != nil {
		return 0, err
	}
	offsets.Each(func(o kadm.OffsetResponse) {
		if o.Err == nil && o.Topic == s.Input && o.At > 0 {
			n += o.At
		}
	})
	return n, nil
}

// watch polls the group until it has committed the end. done is what it had committed before.
func (s *Sample) watch(ctx context.Context, adm *kadm.Client, child *Settings, p *run.Process, done int64,
	stall time.Duration) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	moved, last := time.Now(), int64(0)
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-p.Ended:
			return errors.Join(run.ErrEnded, err)
		case <-tick.C:
		}
		n, err := child.committed(ctx, adm)
		if err != nil {
			continue // the group may not exist yet
		}
		n -= done
		if n > last {
			moved, last = time.Now(), n
			if s.First == 0 {
				s.First, s.Early = time.Since(p.Started), n
			}
		}
		s.halfway(n, time.Since(p.Started), p.PID)
		if n == s.Events {
			s.Total = time.Since(p.Started)
			return nil
		}
		if time.Since(moved) > stall {
			return fmt.Errorf("%s: no progress for %s at %d of %d events", child.Kind, stall, n, s.Events)
		}
	}
}
