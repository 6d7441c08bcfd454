package throughput

import "fmt"

// voidBelow is the least that the peer must reach of the bare loop's warm rate in its round. A slower one says that
// something is wrong with the peer or its settings, and is no measure for anything.
const voidBelow = 0.22

// Void says why a sample does not count beside the others of its round; empty: it does.
func Void(samples []Sample, s *Sample) string {
	if s.Kind != Streams {
		return ""
	}
	for i := range samples {
		other := &samples[i]
		if other.Kind == Bare && other.Round == s.Round && s.Warm() < voidBelow*other.Warm() {
			return fmt.Sprintf("below %.2f of the bare loop", voidBelow)
		}
	}
	return ""
}
