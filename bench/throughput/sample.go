package throughput

import (
	"time"

	"tocsin/bench/run"
)

// Sample is one measured run.
type Sample struct {
	Kind    string
	Round   int
	Events  int64         // that the group had not committed at the start
	Total   time.Duration // start of the process to lag 0
	First   time.Duration // start to the first commit seen
	Early   int64         // events committed by then
	CPU     time.Duration
	PeakRSS int64   // bytes
	Half    Reading // when half of the events were committed
	End     Reading // when all were

	Broker time.Duration // CPU time of the broker, when it is ours
	Others time.Duration // CPU time of everything else on the machine: disturbance
	Stolen time.Duration // CPU time that the machine's host gave to others: disturbance that cannot be seen otherwise
}

// Rate is events a second over the whole run.
func (s *Sample) Rate() float64 { return float64(s.Events) / s.Total.Seconds() }

// Steady is the rate after the first commit seen; of a run that was over by then, the whole rate.
func (s *Sample) Steady() float64 {
	if s.Early == s.Events {
		return s.Rate()
	}
	return float64(s.Events-s.Early) / (s.Total - s.First).Seconds()
}

// Megabytes is the largest resident size in MiB.
func (s *Sample) Megabytes() float64 { return float64(s.PeakRSS) / (1 << 20) }

func (s *Sample) brokerPerMillion() float64 { return s.Broker.Seconds() / float64(s.Events) * 1e6 }

// disturbed is how many cores something else had.
func (s *Sample) disturbed() float64 { return s.Others.Seconds() / s.Total.Seconds() }
func (s *Sample) stolen() float64    { return s.Stolen.Seconds() / s.Total.Seconds() }

// CPUPerMillion is CPU seconds per million events.
func (s *Sample) CPUPerMillion() float64 { return s.CPU.Seconds() / float64(s.Events) * 1e6 }

// Reading is what a run had done and used at a moment.
type Reading struct {
	Events int64
	At     time.Duration // since the start of the process
	CPU    time.Duration // of the process
	RSS    int64         // the largest resident size of the process so far, bytes
}

// halfway notes the first moment at which half of the events are committed, and the end. What a Java machine does by
// then is for a good part compiling.
func (s *Sample) halfway(committed int64, since time.Duration, pid int) {
	now := func() Reading { return Reading{committed, since, run.ReadMachine(pid).Process, run.PeakRSS(pid)} }
	if s.Half.Events == 0 && 2*committed >= s.Events {
		s.Half = now()
	}
	if committed == s.Events {
		s.End = now()
	}
}

// Warm is the rate over the second half of the events; of a run that was over when half was seen, the whole rate.
func (s *Sample) Warm() float64 {
	if s.End.At <= s.Half.At {
		return s.Rate()
	}
	return float64(s.End.Events-s.Half.Events) / (s.End.At - s.Half.At).Seconds()
}

// warmCPUPerMillion is CPU seconds per million events over the second half, the stop not included; of a run that was
// over when half was seen, those of the whole.
func (s *Sample) warmCPUPerMillion() float64 {
	if s.End.Events == s.Half.Events {
		return s.CPUPerMillion()
	}
	return (s.End.CPU - s.Half.CPU).Seconds() / float64(s.End.Events-s.Half.Events) * 1e6
}
