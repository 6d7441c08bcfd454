package oracle

import (
	"tocsin/topics"

	"pgregory.net/rapid"
)

// history is a small random partition with its rules. Times are small numbers: one is a nanosecond.
type history struct {
	cfg     Config
	records []Record
}

// drawHistory makes ties, disorder up to and beyond grace, second deliveries, id conflicts, jumps of record time in both
// directions, integrity observations and, when cuts is set, episodes that are cut for their length.
func drawHistory(t *rapid.T, cuts, absence bool) history {
	cfg := Config{
		Grace:      rapid.SampledFrom([]int64{0, 5, 20, 60}).Draw(t, "grace"),
		MaxEpisode: 1 << 40,
		Future:     rapid.SampledFrom([]int64{0, 10}).Draw(t, "future"),
		Refresh:    rapid.SampledFrom([]int64{1, 7, 30}).Draw(t, "refresh"),
		Cap:        10,
	}
	if cuts {
		cfg.MaxEpisode = rapid.Int64Range(0, 40).Draw(t, "max episode")
	}
	n := rapid.IntRange(1, 3).Draw(t, "rules")
	for i := range n {
		cfg.Rules = append(cfg.Rules, Rule{
			ID:       string(rune('a' + i)),
			N:        rapid.SampledFrom([]int{1, 2, 2, 3, 3, 5}).Draw(t, "threshold"),
			W:        rapid.SampledFrom([]int64{1, 4, 10, 25}).Draw(t, "window"),
			Cooldown: rapid.SampledFrom([]int64{0, 1, 3, 8, 20, 50}).Draw(t, "cooldown"),
		})
	}
	cfg.Integrity = rapid.SampledFrom([]int{-1, n}).Draw(t, "integrity")
	if cfg.Integrity >= 0 {
		cfg.Rules = append(cfg.Rules, Rule{"integrity", 1, 1, 15})
	}
	// Scattered: one key whose matches come in no order at all within a wide grace, so that episodes grow both ways and
	// join.
	scattered := rapid.Bool().Draw(t, "scattered")
	if scattered {
		cfg.Grace = 120
		for i := range n {
			cfg.Rules[i].N = rapid.IntRange(2, 3).Draw(t, "threshold")
			cfg.Rules[i].W = rapid.SampledFrom([]int64{5, 10, 25}).Draw(t, "window")
		}
	}
	if absence { // longer than any episode stays open
		cfg.TTL = cfg.Grace + 60 + rapid.Int64Range(0, 40).Draw(t, "ttl")
	}
	h := history{cfg: cfg}
	keys := []Key{{SpacePrincipal, "o", "x"}, {SpacePrincipal, "o", "y"}, {SpaceIP, "o", "x"}}
	keys = keys[:rapid.SampledFrom([]int{1, 1, 2, 3}).Draw(t, "keys")]
	if scattered {
		keys = keys[:1]
	}
	times := map[[2]byte]int64{} // the canonical hash covers the event time
	now := int64(10_000)
	length := rapid.IntRange(1, 70).Draw(t, "length")
	for offset := range length {
		step := rapid.SampledFrom([]int64{0, 0, 1, 1, 2, 3, 5, 8, 20, 100}).Draw(t, "step")
		if scattered {
			step /= 5
		}
		now += step
		r := Record{Offset: int64(offset), Timestamp: now - rapid.SampledFrom([]int64{0, 0, 0, 4}).Draw(t, "back")}
		kind := rapid.IntRange(0, 19).Draw(t, "kind")
		if kind == 0 {
			r.Tick = true
			h.records = append(h.records, r)
			continue
		}
		r.Key = rapid.SampledFrom(keys).Draw(t, "key")
		content := [2]byte{
			rapid.Byte().Draw(t, "identity") % byte(2*length), // some come again
			rapid.SampledFrom([]byte{0, 0, 0, 1}).Draw(t, "content"),
		}
		r.Identity[0], r.Hash[0] = content[0], content[1]
		if _, known := times[content]; !known {
			late := rapid.SampledFrom([]int64{0, 0, 1, 2, 5, 9, cfg.Grace / 2, cfg.Grace, cfg.Grace + 3}).Draw(t, "late")
			ahead := rapid.SampledFrom([]int64{0, 0, 0, 0, 6, cfg.Future, cfg.Future + 1}).Draw(t, "ahead")
			if scattered {
				late, ahead = rapid.Int64Range(0, 110).Draw(t, "scatter"), 0
			}
			times[content] = now - late + ahead
		}
		r.Time = times[content]
		r.Outcome = topics.Outcome(rapid.IntRange(0, 2).Draw(t, "outcome"))
		r.Matched = rapid.Uint32Range(0, 1<<n-1).Draw(t, "matched")
		if kind > 10 || scattered && kind > 3 {
			r.Matched = 1<<n - 1
		}
		if kind == 1 {
			r.Reason = topics.ReasonTampered
			r.Integrity = []Integrity{{"tampered", "o", rapid.SampledFrom([]string{"", "s"}).Draw(t, "source")}}
		}
		if kind == 2 {
			r.Exempted = 1
			r.Matched &^= 1
		}
		h.records = append(h.records, r)
	}
	for range 2 { // long after: everything closes
		now += 10_000
		h.records = append(h.records, Record{Offset: int64(len(h.records)), Timestamp: now, Tick: true})
	}
	return h
}
