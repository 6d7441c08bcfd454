package compare

import (
	"tocsin/bench/generate"
	"tocsin/processor/processortest/oracle"
	"tocsin/topics"
)

// DeadLetters compares the records set aside, in any order, with those that must be.
func DeadLetters(want *generate.Expectation, got []generate.DeadLetter) *Report {
	type place struct {
		partition int32
		offset    int64
	}
	r := &Report{}
	missing := map[place]topics.Reason{}
	for _, w := range want.DeadLetter {
		missing[place{w.Partition, w.Offset}] = w.Reason
	}
	for _, g := range got {
		at := place{g.Partition, g.Offset}
		reason, ok := missing[at]
		switch {
		case !ok:
			r.differ("partition %d offset %d: set aside as %s, unexpected or twice", g.Partition, g.Offset, g.Reason)
		case reason != g.Reason:
			r.differ("partition %d offset %d: set aside as %s instead of %s", g.Partition, g.Offset, g.Reason, reason)
		}
		delete(missing, at)
	}
	for _, w := range want.DeadLetter {
		if reason, ok := missing[place{w.Partition, w.Offset}]; ok {
			r.differ("partition %d offset %d: not set aside as %s", w.Partition, w.Offset, reason)
		}
	}
	return r
}

// Counts compares the number of verdicts.
func Counts(want oracle.Counts, got topics.Counts) *Report {
	r := &Report{}
	check := func(what string, want, got int64) {
		if want != got {
			r.differ("%s: %d instead of %d", what, got, want)
		}
	}
	check("judged", want.Judged, got.Judged)
	check("duplicates", want.Duplicates, got.Duplicates)
	check("ticks", want.Ticks, got.Ticks)
	check("exempted", want.Exempted, got.Exempted)
	check("id conflicts", want.Conflicts, got.IDConflicts)
	for reason := range topics.NumReasons {
		check(reason.String(), want.DeadLetters[reason], got.DeadLetters[reason])
	}
	return r
}
