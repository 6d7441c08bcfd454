package ingest

import (
	"tocsin/topics"
)

// readLimits are wider than any processor's: a line it will refuse as too large or too deep may well have a time, and
// sorting by it keeps it in its place.
var readLimits = topics.Limits{MaxBytes: 1 << 30, MaxDepth: 1 << 20}

// dater gives lines the time they are sorted by: the event time, or where it cannot be read that of the line before.
type dater struct {
	event topics.Event
	last  int64
	any   bool
}

func (d *dater) date(l Line) dated {
	out := dated{Line: l, sort: minTime}
	if d.any {
		out.sort = d.last
	}
	if l.Length > int64(len(l.Value)) {
		return out // only its beginning is here
	}
	reason, _ := d.event.Decode(l.Value, nil, readLimits)
	if reason != topics.ReasonNone && d.event.Time == 0 {
		return out
	}
	d.last, d.any = d.event.Time, true
	out.sort, out.event = d.last, d.last
	return out
}

// stamper gives records of a historic run their record time: the smaller of event time and now, in file order the
// running maximum of that, so that it never goes back. In sorted input both are the same.
type stamper struct {
	now  int64 // Unix ns, read once: a run is judged as of one moment
	last int64
	any  bool
}

// stamp returns the record time in Unix nanoseconds. Lines before the first one with a time get the earliest time
// Kafka knows: record time is a running maximum, so it moves nobody's clock.
func (s *stamper) stamp(l dated) int64 {
	if l.sort != minTime {
		if t := min(l.sort, s.now); !s.any || t > s.last {
			s.last, s.any = t, true
		}
	}
	if !s.any {
		return 0
	}
	return max(s.last, 0) // Kafka has no time before 1970
}
