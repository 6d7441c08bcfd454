package live

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"tocsin/topics"
)

// raised is what is counted of an alert.
type raised struct {
	id      string
	at      time.Time // record time of its first revision
	kind    Kind
	pattern bool // found in a pattern of events, and not in one event that failed verification
}

// integrityRule is the one rule whose alerts are no suspicious patterns.
const integrityRule = "integrity-violation"

// decode reads what is needed of a record of the alerts topic; passed says why it is not to be counted.
func decode(r *kgo.Record) (a raised, passed string) {
	var alert struct {
		ID           string           `json:"id"`
		Revision     int              `json:"revision"`
		Rule         topics.AlertRule `json:"rule"`
		Organization string           `json:"organization"`
		Severity     string           `json:"severity"`
		Mode         string           `json:"mode"`
	}
	if err := json.Unmarshal(r.Value, &alert); err != nil || alert.ID == "" || alert.Rule.ID == "" {
		return a, passedUnread
	}
	switch {
	case alert.Revision != 1:
		return a, passedRevision
	case alert.Mode != topics.ModeLive:
		return a, passedReplay
	}
	return raised{
		id: alert.ID, at: r.Timestamp, pattern: alert.Rule.ID != integrityRule,
		kind: Kind{Rule: alert.Rule.ID, Severity: alert.Severity, Organization: alert.Organization},
	}, ""
}

// call is a request to count the alerts of one partition.
type call struct {
	keys []string
	args []any
}

// newCall makes the arguments of the script; see scripts/count.lua.
func (c *Counters) newCall(id topicID, partition int32, expected, next int64, alerts []raised) call {
	now := c.cfg.Now()
	keys := []string{
		c.keys.position(id), c.keys.seen(), c.keys.metric(metricAlerts), c.keys.metric(metricPatterns),
	}
	before := len(keys)
	places := make(map[string]int)
	var ends []any
	place := func(w width, at time.Time, keep time.Duration) int {
		start := w.start(at)
		key := c.keys.bucket(w, start)
		if _, ok := places[key]; !ok {
			keys = append(keys, key)
			places[key] = len(keys) - before
			ends = append(ends, start+seconds(time.Duration(w)+keep))
		}
		return places[key]
	}
	var counted []any
	for _, a := range alerts {
		pattern := 0
		if a.pattern {
			pattern = 1
		}
		counted = append(counted, a.id, a.at.UnixMilli(), pattern, a.kind.field(), a.kind.others().field(),
			place(minutes, a.at, c.cfg.KeepMinutes), place(hours, a.at, c.cfg.KeepHours))
	}
	args := []any{
		partition, expected, next, seconds(c.cfg.keepAll()), now.Add(-c.cfg.horizon() - time.Hour).UnixMilli(),
		maxSeen, maxFields, len(ends),
	}
	return call{keys, append(append(args, ends...), counted...)}
}

func seconds(d time.Duration) int64 { return int64(d / time.Second) }

// count counts the alerts among records of one partition, which begin where its position is, and moves that. anew: the
// partition was elsewhere, and begins where Redis says.
func (r *reader) count(ctx context.Context, partition int32, records []*kgo.Record) (anew bool) {
	_, expected, ours := r.position(partition)
	for len(records) > 0 && records[0].Offset < expected {
		records = records[1:]
	}
	if !ours || len(records) == 0 {
		return false
	}
	next := records[len(records)-1].Offset + 1
	passed := make(map[string]int)
	var alerts []raised
	oldest := r.cfg.Now().Add(-r.cfg.horizon() - time.Hour)
	for _, rec := range records {
		if rec.Attrs.IsControl() {
			continue
		}
		a, why := decode(rec)
		if why == "" && a.at.Before(oldest) {
			why = passedOld
		}
		if why != "" {
			passed[why]++
			continue
		}
		alerts = append(alerts, a)
	}
	var counted, seen int64
	err := r.retry(ctx, counting, func() error {
		id, at, ours := r.position(partition)
		if !ours || at != expected {
			return errGivenAway // whoever has it now counts them
		}
		c := r.newCall(id, partition, expected, next, alerts)
		asking, cancel := r.request(ctx)
		defer cancel()
		answer, err := r.scripts.count.Run(asking, r.cfg.Redis, c.keys, c.args...).Int64Slice()
		switch {
		case err != nil:
			return fmt.Errorf("count alerts: %w", err)
		case len(answer) != 2:
			return fmt.Errorf("count alerts: an answer of %d numbers", len(answer))
		case answer[0] < 0 && answer[1] == next:
			return nil // done by a request whose answer was lost; the numbers are not known any more
		case answer[0] < 0:
			anew = true
			return r.again(ctx, partition)
		}
		counted, seen = answer[0], answer[1]
		return nil
	})
	if err != nil || anew {
		return true
	}
	r.move(partition, expected, next)
	r.metrics.counted.Add(float64(counted))
	passed[passedSeen] += int(seen)
	for why, n := range passed {
		if n > 0 {
			r.metrics.passed.WithLabelValues(why).Add(float64(n))
		}
	}
	return false
}
