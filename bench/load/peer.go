package main

import (
	"fmt"
	"strings"
)

// voidBelow is the least that the peer must reach of the bare loop's warm rate in its round. A slower one says that
// something is wrong with the peer or its settings, and is no measure for anything.
const voidBelow = 0.22

// round is the runs of one round; nil where a kind was not run.
type round struct{ job, bare, streams *sample }

func roundsOf(samples []sample) []round {
	var rounds []round
	for i := range samples {
		s := &samples[i]
		for len(rounds) <= s.Round {
			rounds = append(rounds, round{})
		}
		switch s.Kind {
		case "job":
			rounds[s.Round].job = s
		case "bare":
			rounds[s.Round].bare = s
		case kindStreams:
			rounds[s.Round].streams = s
		}
	}
	return rounds
}

// void says whether the round's run of the peer does not count.
func (r *round) void() bool {
	return r.streams != nil && r.bare != nil && r.streams.warm() < voidBelow*r.bare.warm()
}

// peerReport shows the second half of each run, and job and bare loop against the peer within each round that counts.
// It is empty where the peer was not run.
func peerReport(samples []sample) string {
	rounds := roundsOf(samples)
	var b strings.Builder
	var counted []round
	peers := 0
	for i := range rounds {
		r := &rounds[i]
		if r.streams == nil {
			continue
		}
		if peers++; peers == 1 {
			b.WriteString("\nwarm: the second half of the events\n" +
				"round     run  warm events/s  warm CPU s/million  of the bare loop\n")
		}
		for _, s := range []*sample{r.job, r.bare, r.streams} {
			if s == nil {
				continue
			}
			fmt.Fprintf(&b, "%5d %7s %14.0f %19.3f", i+1, s.Kind, s.warm(), s.warmCPUPerMillion())
			if r.bare != nil && s != r.bare {
				fmt.Fprintf(&b, " %17.2f", s.warm()/r.bare.warm())
			}
			if s == r.streams && r.void() {
				fmt.Fprintf(&b, "  void: below %.2f of the bare loop", voidBelow)
			}
			b.WriteByte('\n')
		}
		if !r.void() {
			counted = append(counted, *r)
		}
	}
	if peers == 0 {
		return ""
	}
	fmt.Fprintf(&b, "\n%d of %d runs of Kafka Streams count\n", len(counted), peers)
	for _, row := range []struct {
		name, format string
		value        func(*sample) float64
	}{
		{"events/s", "%.0f", (*sample).rate},
		{"warm events/s", "%.0f", (*sample).warm},
		{"CPU s/million", "%.3f", (*sample).cpuPerMillion},
		{"warm CPU s/million", "%.3f", (*sample).warmCPUPerMillion},
		{"broker CPU", "%.3f", (*sample).brokerPerMillion},
		{"peak RSS MB", "%.0f", (*sample).megabytes},
	} {
		var streams, ofJob, ofBare []float64
		for i := range counted {
			r := &counted[i]
			streams = append(streams, row.value(r.streams))
			if r.job != nil {
				ofJob = append(ofJob, row.value(r.job)/row.value(r.streams))
			}
			if r.bare != nil {
				ofBare = append(ofBare, row.value(r.bare)/row.value(r.streams))
			}
		}
		fmt.Fprintf(&b, "%-18s streams %s  job/streams %s  bare/streams %s\n", row.name, spreadOf(streams).text(row.format),
			spreadOf(ofJob).text("%.2f"), spreadOf(ofBare).text("%.2f"))
	}
	return b.String()
}
