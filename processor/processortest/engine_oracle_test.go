package processortest_test

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"tocsin/processor/detect"
	"tocsin/processor/engine"
	"tocsin/processor/processortest/oracle"
	"tocsin/processor/verify"
	"tocsin/state/window"
	"tocsin/topics"
)

// base is where the small histories begin: at night, so that off-hours rules have something to say.
var base = time.Date(2026, 3, 2, 23, 0, 0, 0, time.UTC).UnixNano()

const second = int64(time.Second)

// year2099 begins at this Unix second.
const year2099 = 4070908800

// memory is a store of committed parts, as the engine's Loader wants it.
type memory map[string]map[string]string

func (m memory) Load(groupKey []byte, k *window.Key) error {
	return k.Load(groupKey, m)
}

// Get implements window.Source.
func (m memory) Get(changeKey []byte) ([]byte, bool, error) {
	groupKey, suffix, err := topics.SplitChangeKey(changeKey)
	v, ok := m[string(groupKey)][string(suffix)]
	return []byte(v), ok, err
}

// Scan implements window.Source.
func (m memory) Scan(groupKey []byte, visit func(suffix, value []byte) error) error {
	parts := m[string(groupKey)]
	suffixes := make([]string, 0, len(parts))
	for s := range parts {
		suffixes = append(suffixes, s)
	}
	sort.Strings(suffixes)
	for _, s := range suffixes {
		if err := visit([]byte(s), []byte(parts[s])); err != nil {
			return err
		}
	}
	return nil
}

// commit applies a transaction.
func (m memory) commit(t require.TestingT, p *engine.Partition) {
	require.NoError(t, p.Changes(func(groupKey []byte, _ window.Index, c window.Change) error {
		parts := m[string(groupKey)]
		if parts == nil {
			parts = map[string]string{}
			m[string(groupKey)] = parts
		}
		if c.Value == nil {
			delete(parts, string(c.Suffix))
		} else {
			parts[string(c.Suffix)] = string(c.Value)
		}
		return nil
	}))
}

func (m memory) timers(t require.TestingT) (ts []engine.Timer) {
	for key, parts := range m {
		if head, ok := parts[string(topics.AppendHead(nil))]; ok {
			x, err := window.HeadIndex([]byte(head))
			require.NoError(t, err)
			if x.Due != 0 {
				ts = append(ts, engine.Timer{Due: x.Due, Key: []byte(key)})
			}
		}
	}
	return ts
}

// digest is all the parts, sorted.
func (m memory) digest() string {
	var lines []string
	for k, parts := range m {
		for s, v := range parts {
			lines = append(lines, fmt.Sprintf("%x %x %x", k, s, v))
		}
	}
	sort.Strings(lines)
	return strings.Join(lines, "\n")
}

// run is one way of running records: when transactions end, and whether a restart follows.
type run struct {
	engine  *engine.Engine
	store   memory
	part    *engine.Partition
	fx      engine.Effects
	alerts  []topics.Alert
	at      []int64
	raw     []string
	letters []engine.DeadLetter
	counts  topics.Counts
	seal    topics.Seal
	limit   int
	scratch engine.Scratch
}

func newRun(e *engine.Engine) *run {
	r := &run{engine: e, store: memory{}, limit: 1 << 30}
	r.open(nil)
	return r
}

func (r *run) open(timers []engine.Timer) {
	r.part = r.engine.NewPartition(engine.PartitionConfig{Partition: 3, Partitions: 8, Seal: r.seal, Loader: r.store, Timers: timers})
}

func (r *run) collect(t require.TestingT, at int64) {
	for _, a := range r.fx.Alerts {
		var alert topics.Alert
		require.NoError(t, json.Unmarshal(a.Value, &alert))
		require.Less(t, len(a.Value), 64<<10)
		r.alerts, r.at, r.raw = append(r.alerts, alert), append(r.at, at), append(r.raw, string(a.Value))
	}
	r.letters = append(r.letters, r.fx.DeadLetters...)
	r.counts.Add(&r.fx.Counts)
	r.fx.Reset()
}

func (r *run) step(t require.TestingT, rec *engine.Record, pr *engine.Prepared) {
	r.engine.Prepare(rec, &r.scratch, pr)
	for {
		done, err := r.part.Advance(rec.Timestamp, r.limit, &r.fx)
		require.NoError(t, err)
		r.collect(t, rec.Offset)
		if done {
			break
		}
		r.commit(t, false)
	}
	require.NoError(t, r.part.Step(pr, &r.fx))
	r.collect(t, rec.Offset)
}

func (r *run) commit(t require.TestingT, restart bool) {
	r.store.commit(t, r.part)
	r.seal = r.part.SealFields()
	r.seal.Sequence++
	if restart {
		r.open(r.store.timers(t))
		return
	}
	r.part.Committed(r.seal)
}

// history is a drawn sequence of records with what the oracle needs to know of them.
type history struct {
	records []engine.Record
	oracle  []oracle.Record
	cfg     oracle.Config
	engine  *engine.Engine
}

var kinds = []struct {
	fields  string
	matched uint32 // failed-auth, unauthorized, velocity, bulk, off-hours
}{
	{`"action":"auth.login.failure","status":"failure"`, 1 << 0},
	{`"action":"x.write","status":"failure","errorCode":"AccessDenied"`, 1 << 1},
	{`"action":"auth.login.failure","status":"failure","outcomeDescription":"forbidden: no"`, 1<<0 | 1<<1},
	{`"action":"data.read","status":"success"`, 1<<2 | 1<<4},
	{`"action":"data.export","status":"success","targetResourceType":"T"`, 1<<2 | 1<<3 | 1<<4},
	{`"action":"noise","status":"attempt"`, 0},
}

func draw(t *rapid.T, maxEpisodes ...int64) *history {
	conf := detect.Default()
	h := &history{cfg: oracle.Config{Integrity: 5, Refresh: 60 * second, Future: 5 * 60 * second}}
	conf.Grace = time.Duration(rapid.SampledFrom([]int64{0, 20, 100}).Draw(t, "grace")) * time.Second
	conf.MaxEpisode = time.Duration(rapid.SampledFrom(maxEpisodes).Draw(t, "max")) * time.Second
	conf.StateTTL = time.Hour
	conf.Rules = map[string]detect.Settings{}
	var longest int64
	for i, id := range []string{"failed-auth-burst", "unauthorized-access", "data-velocity", "bulk-operation", "off-hours-access", "integrity-violation"} {
		n := rapid.Int64Range(1, 4).Draw(t, "n")
		w := rapid.Int64Range(1, 60).Draw(t, "w") * second
		cool := rapid.Int64Range(0, 90).Draw(t, "cooldown") * second
		if i >= 4 {
			n, w = 1, 1
		}
		conf.Rules[id] = detect.Settings{Threshold: &n, Window: (*time.Duration)(&w), Cooldown: (*time.Duration)(&cool)}
		h.cfg.Rules = append(h.cfg.Rules, oracle.Rule{ID: id, N: int(n), W: w, Cooldown: cool})
		longest = max(longest, w, cool)
	}
	h.cfg.Grace, h.cfg.MaxEpisode = int64(conf.Grace), int64(conf.MaxEpisode)
	h.cfg.TTL = longest + int64(conf.Grace) + int64(conf.StateTTL)
	rules, err := detect.Compile(conf)
	require.NoError(t, err)
	verifier, err := verify.New(verify.Config{})
	require.NoError(t, err)
	h.engine, err = engine.New(engine.Config{Topic: "audit.events", Rules: rules, Verifier: verifier, Ticks: true})
	require.NoError(t, err)

	recordTime := base
	for i := range rapid.IntRange(1, 60).Draw(t, "records") {
		recordTime += rapid.SampledFrom([]int64{0, 1, 5, 30, 70, 200, 9000}).Draw(t, "pause") * second
		h.add(t, int64(i), recordTime)
	}
	h.tick(int64(len(h.records)), recordTime+2*3600*second)
	return h
}

func (h *history) tick(offset, recordTime int64) {
	h.records = append(h.records, engine.Record{Offset: offset, Timestamp: recordTime, Headers: []topics.Header{{Key: topics.HeaderTick}}})
	h.oracle = append(h.oracle, oracle.Record{Offset: offset, Timestamp: recordTime, Tick: true})
}

func (h *history) add(t *rapid.T, offset, recordTime int64) {
	switch what := rapid.IntRange(0, 20).Draw(t, "what"); {
	case what == 0:
		h.tick(offset, recordTime)
		return
	case what == 1 && len(h.records) > 0: // a second delivery
		i := rapid.IntRange(0, len(h.records)-1).Draw(t, "again")
		r, o := h.records[i], h.oracle[i]
		r.Offset, r.Timestamp, o.Offset, o.Timestamp = offset, recordTime, offset, recordTime
		h.records, h.oracle = append(h.records, r), append(h.oracle, o)
		return
	case what == 2:
		h.records = append(h.records, engine.Record{Offset: offset, Timestamp: recordTime, Value: []byte(`{"timestamp":`)})
		h.oracle = append(h.oracle, oracle.Record{Offset: offset, Timestamp: recordTime, Reason: topics.ReasonNotJSON})
		return
	}
	k := rapid.SampledFrom(kinds).Draw(t, "kind")
	// Clocks that are wrong by a little, by much, and by a lifetime: 1970 and 2099.
	wrong := []int64{0, 0, 0, 1, 3, 10, 40, 120, -100, -400, recordTime / second, recordTime/second - year2099}
	et := recordTime - rapid.SampledFrom(wrong).Draw(t, "delay")*second
	org := rapid.SampledFrom([]string{"", "acme"}).Draw(t, "org")
	principal := rapid.SampledFrom([]string{"", "ann", "bob"}).Draw(t, "principal")
	id := fmt.Sprint("e", rapid.IntRange(0, 40).Draw(t, "id"))
	value := fmt.Sprintf(`{"id":%q,"timestamp":%q,"organizationId":%q,"principalId":%q,%s}`, id,
		topics.Timestamp(et).String(), org, principal, k.fields)
	o := oracle.Record{Offset: offset, Timestamp: recordTime, Time: et, Matched: k.matched, Outcome: topics.OutcomeUnsigned,
		Key: oracle.Key{Space: oracle.SpacePrincipal, Org: org, Value: principal}}
	if hour := (et / second / 3600) % 24; hour >= 6 && hour < 22 {
		o.Matched &^= 1 << 4
	}
	if principal == "" {
		o.Key = oracle.Key{Space: oracle.SpaceUnknown, Org: org}
	}
	var e topics.Event
	_, err := e.Decode([]byte(value), nil, topics.DefaultLimits())
	require.NoError(t, err)
	o.Identity, o.Hash = e.Identity(), verify.CanonicalHash(&e, verify.NewScratch())
	switch rapid.IntRange(0, 9).Draw(t, "hash") {
	case 0:
		value = value[:len(value)-1] + `,"hash":"` + hex.EncodeToString(make([]byte, 32)) + `"}`
		o.Reason, o.Outcome = topics.ReasonTampered, topics.OutcomeTampered
		o.Integrity = []oracle.Integrity{{Kind: "tampered", Org: org}}
	case 1, 2:
		value = value[:len(value)-1] + `,"hash":"` + hex.EncodeToString(o.Hash[:]) + `"}`
		o.Outcome = topics.OutcomeHashOnly
	}
	h.records = append(h.records, engine.Record{Offset: offset, Timestamp: recordTime, Value: []byte(value)})
	h.oracle = append(h.oracle, o)
}

// lines writes revisions as text, one alert after the other.
func alertLines(alerts []topics.Alert, at []int64) []string {
	var lines []string
	for i, a := range alerts {
		var crossing, recent []int64
		for _, e := range a.Evidence {
			if e.Role == "crossing" {
				crossing = append(crossing, e.Offset)
			} else {
				recent = append(recent, e.Offset)
			}
		}
		who := a.Group["principal"]
		if a.Rule.ID == "integrity-violation" {
			who = a.Group["kind"] + "\x00" + a.Group["source"]
		}
		var outcomes [topics.NumOutcomes]int64
		for o := range outcomes {
			outcomes[o] = a.Verification[topics.Outcome(o).String()]
		}
		lines = append(lines, fmt.Sprintf("%s %q/%q crossing %s #%d %s [%s %s] n=%d seen %s..%s %v ev=%v rec=%v at %d", a.Rule.ID,
			a.Organization, who, a.Crossing, a.Revision, a.State, a.Span.First, a.Span.Last, a.Count, a.FirstSeen, a.LastSeen,
			outcomes, crossing, recent, at[i]))
	}
	sort.Strings(lines)
	return lines
}

func oracleLines(revs []oracle.Revision) []string {
	var lines []string
	for _, r := range revs {
		ts := func(t int64) topics.Timestamp { return topics.Timestamp(t) }
		lines = append(lines, fmt.Sprintf("%s %q/%q crossing %s #%d %s [%s %s] n=%d seen %s..%s %v ev=%v rec=%v at %d", r.Rule,
			r.Key.Org, r.Key.Value, ts(r.Crossing), r.Revision, r.State, ts(r.First), ts(r.Last), r.Count, ts(r.FirstSeen),
			ts(r.LastSeen), r.Outcomes, r.Evidence, r.Recent, r.At))
	}
	sort.Strings(lines)
	return lines
}

// TestEngineEqualsNaive: verdicts, ids, revisions, counts, spans and evidence are those of the quadratic detector.
func TestEngineEqualsNaive(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		h := draw(t, 60, 300, 86400)
		naive, r := oracle.NewNaive(h.cfg), newRun(h.engine)
		var want oracle.Counts
		var pr engine.Prepared
		for i := range h.records {
			want.Add(naive.Step(h.oracle[i]))
			r.step(t, &h.records[i], &pr)
		}
		require.Equal(t, oracleLines(naive.Revisions), alertLines(r.alerts, r.at))
		require.Equal(t, want, oracle.Counts{Judged: r.counts.Judged, Duplicates: r.counts.Duplicates, Ticks: r.counts.Ticks,
			Exempted: r.counts.Exempted, Conflicts: r.counts.IDConflicts, DeadLetters: r.counts.DeadLetters})
		require.EqualValues(t, len(h.records), r.counts.Total())
	})
}

// TestEngineBatchesAndRestarts: the same alerts, byte for byte, and the same state, wherever transactions end, with a
// restart between any two records, and with timers spread over transactions.
func TestEngineBatchesAndRestarts(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		h := draw(t, 60, 300, 86400)
		one, restarts, batches := newRun(h.engine), newRun(h.engine), newRun(h.engine)
		restarts.limit = 1
		var pr engine.Prepared
		for i := range h.records {
			one.step(t, &h.records[i], &pr)
			restarts.step(t, &h.records[i], &pr)
			restarts.commit(t, true)
			batches.step(t, &h.records[i], &pr)
			if rapid.IntRange(0, 3).Draw(t, "end") == 0 {
				batches.commit(t, rapid.Bool().Draw(t, "restart"))
			}
		}
		one.commit(t, false)
		batches.commit(t, false)
		require.Equal(t, one.raw, restarts.raw)
		require.Equal(t, one.raw, batches.raw)
		require.Equal(t, one.letters, restarts.letters)
		require.Equal(t, one.store.digest(), restarts.store.digest())
		require.Equal(t, one.store.digest(), batches.store.digest())
	})
}
