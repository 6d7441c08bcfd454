package hospital

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"tocsin/topics"
)

// The played day: a Tuesday without a change of the clocks anywhere.
const (
	year       = 2026
	month      = time.March
	dayOfMonth = 3
)

var (
	start = time.Date(year, month, dayOfMonth, 0, 0, 0, 0, time.UTC)
	end   = start.Add(24 * time.Hour)
)

// Day is one day of the network, from midnight to midnight UTC, and what must be found in it.
type Day struct {
	Start, End time.Time
	Sites      []*Site
	People     int
	Services   int
	Records    []Record // in order of delivery
	Planted    []Planted

	Duplicates  int64            // second deliveries of events that count
	DeadLetters map[string]int64 // records that must be set aside, by reason
}

// New makes the day of a seed. Its events are signed with the secret.
func New(seed uint64, secret []byte) (*Day, error) {
	rnd := rand.New(rand.NewPCG(seed, 20260303)) //nolint:gosec // the same day every time is what is wanted
	n := &network{rnd: rnd, quiet: map[*person][]span{}}
	var err error
	if n.sites, err = sites(); err != nil {
		return nil, err
	}
	for _, s := range n.sites {
		s.hire(rnd)
	}
	d := &Day{Start: start, End: end, Sites: n.sites, DeadLetters: map[string]int64{}}
	d.Planted = n.plant()
	n.mishaps()
	n.work()
	w, err := newWriter(secret, rnd)
	if err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	for _, e := range n.events {
		if e.arrives.Before(start) || !e.arrives.Before(end) || e.at.Before(start) {
			continue
		}
		seen[e.who.site.ID+"/"+e.who.id] = true
		r, err := w.record(e)
		if err != nil {
			return nil, err
		}
		d.Records = append(d.Records, r)
		if e.reason != topics.ReasonNone {
			d.DeadLetters[e.reason.String()]++
		}
		if e.again > 0 && e.arrives.Add(e.again).Before(end) {
			r.At = r.At.Add(e.again)
			d.Records = append(d.Records, r)
			d.Duplicates++
		}
	}
	for name := range seen {
		if strings.Contains(name, "/svc-") {
			d.Services++
		} else {
			d.People++
		}
	}
	slices.SortStableFunc(d.Records, func(a, b Record) int { return a.At.Compare(b.At) })
	if len(d.Records) == 0 {
		return nil, fmt.Errorf("the day of seed %d is empty", seed)
	}
	return d, nil
}

// Zone gives the zone of an organisation; UTC where it is none of the network's.
func (d *Day) Zone(organization string) *time.Location {
	for _, s := range d.Sites {
		if s.ID == organization {
			return s.Zone
		}
	}
	return time.UTC
}
