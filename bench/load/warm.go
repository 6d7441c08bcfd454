package main

import (
	"time"

	"tocsin/bench/run"
)

// reading is what a run had done and used at a moment.
type reading struct {
	events int64
	at     time.Duration // since the start of the process
	cpu    time.Duration // of the process
	rss    int64         // the largest resident size of the process so far, bytes
}

// halfway notes the first moment at which half of the events are committed, and the end. What a Java machine does by
// then is for a good part compiling.
func (s *sample) halfway(committed int64, since time.Duration, pid int) {
	now := func() reading { return reading{committed, since, run.ReadMachine(pid).Process, run.PeakRSS(pid)} }
	if s.Half.events == 0 && 2*committed >= s.Events {
		s.Half = now()
	}
	if committed == s.Events {
		s.End = now()
	}
}

// warm is the rate over the second half of the events; of a run that was over when half was seen, the whole rate.
func (s *sample) warm() float64 {
	if s.End.at <= s.Half.at {
		return s.rate()
	}
	return float64(s.End.events-s.Half.events) / (s.End.at - s.Half.at).Seconds()
}

// warmCPUPerMillion is CPU seconds per million events over the second half, the stop not included; of a run that was
// over when half was seen, those of the whole.
func (s *sample) warmCPUPerMillion() float64 {
	if s.End.events == s.Half.events {
		return s.cpuPerMillion()
	}
	return (s.End.cpu - s.Half.cpu).Seconds() / float64(s.End.events-s.Half.events) * 1e6
}
