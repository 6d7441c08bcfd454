package simulate

import (
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"tocsin/processor/detect"
	"tocsin/processor/engine"
	"tocsin/processor/processortest/oracle"
	"tocsin/processor/verify"
	"tocsin/topics"
)

// epoch is the virtual time at which a run begins, and the record time of its first records: at night, so that
// off-hours rules have something to say.
var epoch = time.Date(2026, 3, 2, 23, 0, 0, 0, time.UTC)

const second = int64(time.Second)

// workload is the input of a run: the records of each partition in order, with what the oracle needs to know of each.
type workload struct {
	rng     *rand.Rand
	rules   *detect.RuleSet
	oracle  oracle.Config
	engine  *engine.Engine
	scratch *verify.Scratch
	inputs  []*input // by partition
	loud    int      // records left of the present burst
	burst   burst
}

// input is one partition of it.
type input struct {
	partition int32
	time      int64 // record time of the last record, Unix ns
	records   []*kgo.Record
	oracle    []oracle.Record
	broken    map[int][]brokenBatch // by the place of the record that comes after them
	sent      int                   // records, with the batches before them
}

// brokenBatch says that it is compressed, and holds something else.
type brokenBatch struct {
	records int32 // of which nobody knows
	codec   kgo.CompressionCodecType
}

// brokenCodecs are those that a broken batch may name. Not zstd: the client's decoder has a finalizer that closes
// channels of the bubble from outside it.
var brokenCodecs = []kgo.CompressionCodecType{kgo.CodecGzip, kgo.CodecSnappy, kgo.CodecLz4}

// burst is a principal that does the same thing again and again: what rules are there for.
type burst struct {
	partition int
	who       int
	kind      int
}

// kinds are the sorts of events and the rules that count each: failed-auth-burst, unauthorized-access, data-velocity,
// bulk-operation, off-hours-access, in the order of ruleIDs.
var kinds = []struct {
	fields  string
	matched uint32
}{
	{`"action":"auth.login.failure","status":"failure"`, 1 << 0},
	{`"action":"x.write","status":"failure","errorCode":"AccessDenied"`, 1 << 1},
	{`"action":"auth.login.failure","status":"failure","outcomeDescription":"forbidden: no"`, 1<<0 | 1<<1},
	{`"action":"data.read","status":"success"`, 1<<2 | 1<<4},
	{`"action":"data.export","status":"success","targetResourceType":"T"`, 1<<2 | 1<<3 | 1<<4},
	{`"action":"noise","status":"attempt"`, 0},
}

var ruleIDs = []string{
	"failed-auth-burst", "unauthorized-access", "data-velocity", "bulk-operation", "off-hours-access",
	"integrity-violation",
}

// newWorkload draws the rules' settings and the records, but for the last ones: these are finish's.
func newWorkload(p *Plan) (*workload, error) {
	w := &workload{rng: rand.New(rand.NewPCG(p.Seed, 0xe7e47)), scratch: verify.NewScratch()}
	if err := w.configure(); err != nil {
		return nil, fmt.Errorf("workload: %w", err)
	}
	for i := range p.Partitions {
		w.inputs = append(w.inputs, &input{partition: i, time: epoch.UnixNano(), broken: map[int][]brokenBatch{}})
	}
	for range p.Events {
		if err := w.next(); err != nil {
			return nil, fmt.Errorf("workload: %w", err)
		}
	}
	w.spoil(p)
	return w, nil
}

// spoil puts broken batches between the records.
func (w *workload) spoil(p *Plan) {
	rng := rand.New(rand.NewPCG(p.Seed, 0xb20ce))
	for range p.Broken {
		in := pick(rng, w.inputs)
		at := rng.IntN(len(in.records) + 1)
		in.broken[at] = append(in.broken[at], brokenBatch{
			records: 1 + rng.Int32N(4), codec: pick(rng, brokenCodecs),
		})
	}
}

// configure draws thresholds small enough for a few hundred records to cross them.
func (w *workload) configure() error {
	draw := func(from ...int64) int64 { return pick(w.rng, from) }
	conf := detect.Default()
	conf.Grace = time.Duration(draw(0, 20, 100) * second)
	conf.MaxEpisode = time.Duration(draw(60, 300, 86400) * second)
	conf.StateTTL = time.Duration(draw(3600, 7*86400) * second)
	conf.Rules = map[string]detect.Settings{}
	w.oracle = oracle.Config{
		Integrity: 5, Refresh: 60 * second, Future: 300 * second,
		Grace: int64(conf.Grace), MaxEpisode: int64(conf.MaxEpisode),
	}
	var longest int64
	for i, id := range ruleIDs {
		n, window, cooldown := 1+w.rng.Int64N(4), (1+w.rng.Int64N(60))*second, w.rng.Int64N(90)*second
		if i >= 4 {
			n, window = 1, 1
		}
		conf.Rules[id] = detect.Settings{
			Threshold: &n, Window: (*time.Duration)(&window), Cooldown: (*time.Duration)(&cooldown),
		}
		w.oracle.Rules = append(w.oracle.Rules, oracle.Rule{ID: id, N: int(n), W: window, Cooldown: cooldown})
		longest = max(longest, window, cooldown)
	}
	w.oracle.TTL = longest + int64(conf.Grace) + int64(conf.StateTTL)
	var err error
	if w.rules, err = detect.Compile(conf); err != nil {
		return err
	}
	w.engine, err = w.newEngine(topics.ModeLive)
	return err
}

func (w *workload) newEngine(mode string) (*engine.Engine, error) {
	v, err := verify.New(verify.Config{})
	if err != nil {
		return nil, err
	}
	return engine.New(engine.Config{Topic: inputTopic, Rules: w.rules, Verifier: v, Mode: mode, Ticks: true})
}

// next adds one record to some partition.
func (w *workload) next() error {
	in := pick(w.rng, w.inputs)
	if w.loud > 0 {
		in = w.inputs[w.burst.partition]
	}
	in.time += pick(w.rng, []int64{0, 0, 1, 1, 5, 30, 70, 200, 9000 * int64(w.rng.IntN(20)/19)}) * second
	switch what := w.rng.IntN(24); {
	case w.loud > 0:
		w.loud--
		in.time -= in.time % second
		return w.event(in, w.burst.who, w.burst.kind, 0)
	case what == 0:
		in.tick()
		return nil
	case what <= 2 && len(in.records) > 0:
		in.repeat(w.rng.IntN(len(in.records)))
		return nil
	case what == 3:
		w.malformed(in)
		return nil
	case what == 4:
		w.burst = burst{partition: int(in.partition), who: 1 + w.rng.IntN(2), kind: w.rng.IntN(len(kinds) - 1)}
		w.loud = 5 + w.rng.IntN(15)
	}
	late := pick(w.rng, []int64{0, 0, 0, 0, 1, 3, 10, 40, 120, -100, -400})
	return w.event(in, w.rng.IntN(3), w.rng.IntN(len(kinds)), late*second)
}

// finish adds what makes every partition end with an alert and everything closed: a burst, and a tick two hours later.
func (w *workload) finish() error {
	for i, in := range w.inputs {
		in.time += 30 * second
		for range 6 {
			if err := w.event(in, 1, i%len(kinds[:5]), 0); err != nil {
				return err
			}
		}
		in.time += 7200 * second
		in.tick()
	}
	return nil
}

// sent counts the records that are in the log for good.
func (w *workload) sent() (n int) {
	for _, in := range w.inputs {
		n += in.sent
	}
	return n
}

func (in *input) add(r *kgo.Record, o oracle.Record) {
	r.Topic, r.Partition, r.Timestamp = inputTopic, in.partition, time.Unix(0, in.time)
	o.Timestamp = in.time
	in.records, in.oracle = append(in.records, r), append(in.oracle, o)
}

func (in *input) tick() {
	in.add(&kgo.Record{Headers: []kgo.RecordHeader{{Key: topics.HeaderTick}}}, oracle.Record{Tick: true})
}

// repeat delivers a record again.
func (in *input) repeat(i int) {
	in.add(&kgo.Record{Value: in.records[i].Value, Headers: in.records[i].Headers}, in.oracle[i])
}

func (w *workload) malformed(in *input) {
	m := pick(w.rng, []struct {
		value  string
		reason topics.Reason
	}{
		{`{"timestamp":`, topics.ReasonNotJSON},
		{`{"timestamp":"2026-03-02T23:00:00Z","status":"failure"}`, topics.ReasonMissingField},
		{`{"timestamp":"yesterday","action":"a","status":"failure"}`, topics.ReasonBadTimestamp},
	})
	in.add(&kgo.Record{Value: []byte(m.value)}, oracle.Record{Reason: m.reason})
}

// event adds one event of a principal (0 is none), late by so many nanoseconds. Ids repeat now and then, so that there
// are conflicts; hashes are right, wrong or absent.
func (w *workload) event(in *input, who, kind int, late int64) error {
	at := in.time - late
	principal := ""
	if who > 0 {
		principal = fmt.Sprintf("u%d-%d", in.partition, who)
	}
	// Events of one key lie in one partition, as their producers must see to: also those without principal.
	home := fmt.Sprintf("acme%d", in.partition)
	org := pick(w.rng, []string{"", home})
	if w.loud > 0 || who == 0 {
		org = home
	}
	id := fmt.Sprintf("e%d", w.rng.IntN(400))
	k := kinds[kind]
	value := fmt.Sprintf(`{"id":%q,"timestamp":%q,"organizationId":%q,"principalId":%q,%s}`, id, topics.Timestamp(at), org,
		principal, k.fields)
	o := oracle.Record{
		Time: at, Matched: k.matched, Outcome: topics.OutcomeUnsigned,
		Key: oracle.Key{Space: oracle.SpacePrincipal, Org: org, Value: principal},
	}
	if hour := (at / second / 3600) % 24; hour >= 6 && hour < 22 {
		o.Matched &^= 1 << 4
	}
	if principal == "" {
		o.Key = oracle.Key{Space: oracle.SpaceUnknown, Org: org}
	}
	var e topics.Event
	if reason, err := e.Decode([]byte(value), nil, topics.DefaultLimits()); reason != topics.ReasonNone {
		return fmt.Errorf("own event is refused: %w", err)
	}
	o.Identity, o.Hash = e.Identity(), verify.CanonicalHash(&e, w.scratch)
	switch w.rng.IntN(14) {
	case 0:
		value = value[:len(value)-1] + `,"hash":"` + hex.EncodeToString(make([]byte, 32)) + `"}`
		o.Reason, o.Outcome = topics.ReasonTampered, topics.OutcomeTampered
		o.Integrity = []oracle.Integrity{{Kind: "tampered", Org: org}}
	case 1, 2:
		value = value[:len(value)-1] + `,"hash":"` + hex.EncodeToString(o.Hash[:]) + `"}`
		o.Outcome = topics.OutcomeHashOnly
	}
	in.add(&kgo.Record{Value: []byte(value)}, o)
	return nil
}
