package main

import "fmt"

// voidBelow is the least that the peer must reach of the bare loop's warm rate in its round. A slower one says that
// something is wrong with the peer or its settings, and is no measure for anything.
const voidBelow = 0.22

// void says why a sample does not count; empty: it does.
func void(samples []sample, s *sample) string {
	if s.Kind != kindStreams {
		return ""
	}
	for i := range samples {
		other := &samples[i]
		if other.Kind == "bare" && other.Round == s.Round && s.warm() < voidBelow*other.warm() {
			return fmt.Sprintf("below %.2f of the bare loop", voidBelow)
		}
	}
	return ""
}
