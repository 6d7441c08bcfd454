package live

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

// Numbers are what Redis holds.
type Numbers struct {
	From      time.Time // the alerts are those raised since then: where the oldest bucket begins
	Alerts    []Count   // the most first
	Totals    Totals
	Processes []Process // those heard of lately, by name
}

// Count is how many alerts there were of a kind.
type Count struct {
	Kind

	Alerts int64
}

// Totals are numbers over all processes.
type Totals struct {
	Events              int64
	Errors              int64 // dead letters
	ErrorRate           float64
	IntegrityViolations int64
	Alerts              int64
	Patterns            int64
	Latency             float64 // milliseconds, as last told by any process
	Queue               int64
	Updated             time.Time // zero: no process has told anything
}

// Process is what a process told of itself.
type Process struct {
	Instance string
	Updated  time.Time
	Numbers  map[string]string // by name, as written
}

// Query says what to read.
type Query struct {
	Redis  *redis.Client
	Prefix string
	// Last is how far back alerts are counted, in whole buckets: of minutes where those are kept as long, else of hours.
	Last                   time.Duration
	KeepMinutes, KeepHours time.Duration
	Organization           *string // only of this one; nil: of all
	Now                    time.Time
}

// Read reads the numbers. Its requests are of a number and size that do not depend on what else the server holds.
func Read(ctx context.Context, q Query) (*Numbers, error) {
	k := keys{q.Prefix}
	w := minutes
	if q.Last > q.KeepMinutes {
		w = hours
	}
	if q.Last > q.KeepHours && q.Last > q.KeepMinutes || q.Last <= 0 {
		return nil, fmt.Errorf("the last %s: alerts are kept for %s", q.Last, max(q.KeepHours, q.KeepMinutes))
	}
	first := w.start(q.Now.Add(-q.Last))
	pipe := q.Redis.Pipeline()
	var buckets []*redis.MapStringStringCmd
	for at := first; at <= q.Now.Unix(); at += seconds(time.Duration(w)) {
		buckets = append(buckets, pipe.HGetAll(ctx, k.bucket(w, at)))
	}
	names := []string{metricEvents, metricErrors, metricErrorRate, metricIntegrity, metricAlerts, metricPatterns,
		metricLatency, metricQueue, metricTimestamp}
	totals := pipe.MGet(ctx, k.metrics(names...)...)
	heard := pipe.ZRangeWithScores(ctx, k.processes(), 0, -1)
	if _, err := pipe.Exec(ctx); err != nil && !isNil(err) {
		return nil, wrap("read the numbers", err)
	}
	n := &Numbers{From: time.Unix(first, 0).UTC()}
	var err error
	if n.Alerts, err = sum(buckets, q.Organization); err != nil {
		return nil, err
	}
	n.Totals = totalsOf(totals.Val())
	n.Processes, err = processes(ctx, q.Redis, k, heard.Val())
	return n, err
}

// sum adds up buckets.
func sum(buckets []*redis.MapStringStringCmd, only *string) ([]Count, error) {
	all := make(map[Kind]int64)
	for _, b := range buckets {
		for field, value := range b.Val() {
			kind, err := parseKind(field)
			if err != nil {
				return nil, wrap("read the numbers", err)
			}
			n, err := strconv.ParseInt(value, 10, 64)
			if err != nil {
				return nil, fmt.Errorf("read the numbers: %s: %w", field, err)
			}
			if only == nil || kind.Organization == *only {
				all[kind] += n
			}
		}
	}
	counts := make([]Count, 0, len(all))
	for k, n := range all {
		counts = append(counts, Count{k, n})
	}
	slices.SortFunc(counts, func(a, b Count) int {
		return cmp.Or(cmp.Compare(b.Alerts, a.Alerts), cmp.Compare(a.Rule, b.Rule),
			cmp.Compare(a.Severity, b.Severity), cmp.Compare(a.Organization, b.Organization))
	})
	return counts, nil
}

// totalsOf reads the totals; what is not there, or is none of ours, is zero.
func totalsOf(values []any) (t Totals) {
	number := func(i int) float64 {
		s, _ := values[i].(string)
		f, _ := strconv.ParseFloat(s, 64)
		return f
	}
	t = Totals{
		Events: int64(number(0)), Errors: int64(number(1)), ErrorRate: number(2), IntegrityViolations: int64(number(3)),
		Alerts: int64(number(4)), Patterns: int64(number(5)), Latency: number(6), Queue: int64(number(7)),
	}
	if ms := int64(number(8)); ms > 0 {
		t.Updated = time.UnixMilli(ms).UTC()
	}
	return t
}

func processes(ctx context.Context, cl *redis.Client, k keys, heard []redis.Z) ([]Process, error) {
	if len(heard) == 0 {
		return nil, nil
	}
	pipe := cl.Pipeline()
	told := make([]*redis.MapStringStringCmd, len(heard))
	for i, z := range heard {
		told[i] = pipe.HGetAll(ctx, k.process(fmt.Sprint(z.Member)))
	}
	if _, err := pipe.Exec(ctx); err != nil && !isNil(err) {
		return nil, wrap("read the processes", err)
	}
	all := make([]Process, len(heard))
	for i, z := range heard {
		all[i] = Process{fmt.Sprint(z.Member), time.UnixMilli(int64(z.Score)).UTC(), told[i].Val()}
	}
	slices.SortFunc(all, func(a, b Process) int { return cmp.Compare(a.Instance, b.Instance) })
	return all, nil
}
