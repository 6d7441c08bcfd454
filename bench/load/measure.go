package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"tocsin/bench/run"
)

// settings go from the program to the process it measures.
type settings struct {
	Kind       string // job, bare or streams
	Brokers    []string
	App, Input string
	Dir        string
	Key        string // HMAC key of the events
	Workers    int    // sessions of the bare loop
	JobWorkers int    // 0: the product's own choice
	CloseAfter time.Duration
	Profile    string
	Set        []string // more settings of the job
	PeerSet    []string // more settings of the peer
	BrokerPID  int      // 0: not ours
}

// sample is one measured run.
type sample struct {
	Kind    string
	Round   int
	Events  int64
	Total   time.Duration // start of the process to lag 0
	First   time.Duration // start to the first commit seen
	Early   int64         // events committed by then
	CPU     time.Duration
	PeakRSS int64   // bytes
	Half    reading // when half of the events were committed
	End     reading // when all were

	Broker time.Duration // CPU time of the broker, when it is ours
	Others time.Duration // CPU time of everything else on the machine: disturbance
	Stolen time.Duration // CPU time that the machine's host gave to others: disturbance that cannot be seen otherwise
}

func (s *sample) rate() float64 { return float64(s.Events) / s.Total.Seconds() }

// steady is the rate after the first commit seen; of a run that was over by then, the whole rate.
func (s *sample) steady() float64 {
	if s.Early == s.Events {
		return s.rate()
	}
	return float64(s.Events-s.Early) / (s.Total - s.First).Seconds()
}

func (s *sample) megabytes() float64 { return float64(s.PeakRSS) / (1 << 20) }

func (s *sample) brokerPerMillion() float64 { return s.Broker.Seconds() / float64(s.Events) * 1e6 }

// disturbed is how many cores something else had.
func (s *sample) disturbed() float64 { return s.Others.Seconds() / s.Total.Seconds() }
func (s *sample) stolen() float64    { return s.Stolen.Seconds() / s.Total.Seconds() }

// cpuPerMillion is CPU seconds per million events.
func (s *sample) cpuPerMillion() float64 { return s.CPU.Seconds() / float64(s.Events) * 1e6 }

const settingsEnv = "TOCSIN_LOAD_CHILD"

// measure starts the process, waits for lag 0 and ends it. bin is the tocsin program for a job, or empty for this
// program itself.
func measure(ctx context.Context, s settings, bin string, stall time.Duration) (sample, error) {
	out := sample{Kind: s.Kind}
	cl, err := kgo.NewClient(reach(s.Brokers)...)
	if err != nil {
		return out, err
	}
	defer cl.Close()
	adm := kadm.NewClient(cl)
	ends, err := adm.ListEndOffsets(ctx, s.Input)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return out, fmt.Errorf("end offsets of %s: %w", s.Input, err)
	}
	ends.Each(func(o kadm.ListedOffset) { out.Events += o.Offset })
	if s.Kind != "bare" {
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
	err = out.watch(ctx, adm, s, p, stall)
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
	out.PeakRSS = out.End.rss
	if out.PeakRSS == 0 {
		out.PeakRSS = peak
	}
	return out, err
}

// watch polls the group until it has committed the end.
func (s *sample) watch(ctx context.Context, adm *kadm.Client, child settings, p *run.Process,
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
		committed, err := adm.FetchOffsets(ctx, child.App)
		if err != nil {
			continue // the group may not exist yet
		}
		var n int64
		committed.Each(func(o kadm.OffsetResponse) {
			if o.Err == nil && o.Topic == child.Input && o.At > 0 {
				n += o.At
			}
		})
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

// command is the process to be measured.
func (s *settings) command(ctx context.Context, bin string) (*exec.Cmd, error) {
	if s.Kind == kindStreams {
		program, env, err := s.streamsCommand()
		if err != nil {
			return nil, err
		}
		// Ended by a signal and not by a context: it must drain, so that its usage is that of a whole run.
		cmd := exec.CommandContext(context.WithoutCancel(ctx), program) //nolint:gosec // G204: to run it is the purpose
		cmd.Env, cmd.Stdout, cmd.Stderr = append(os.Environ(), env...), os.Stderr, os.Stderr
		return cmd, nil
	}
	if s.Kind != "job" { // only the job is another program's too
		bin = ""
	}
	text, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	return s.processor().Command(ctx, bin, settingsEnv+"="+string(text))
}
