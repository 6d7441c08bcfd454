package simulate

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/twmb/franz-go/pkg/kgo"

	"tocsin/processor/processortest/oracle"
	"tocsin/processor/replay"
	"tocsin/topics"
	"tocsin/topics/readlog"
)

// expected is what must come of the input.
type expected struct {
	alerts  []string      // lines, by the naive detector
	letters []string      // lines: partition, offset, reason
	counts  oracle.Counts // by verdict
	bytes   []string      // alert records, by the engine over the raw log in one go
	replay  replay.Result
}

// expect asks the naive detector, which knows nothing of the engine, and for what it does not know (texts, severities)
// the engine itself, over the input as it lies in the log.
func (w *world) expect(all logs, broken brokenRanges) (*expected, error) {
	e := &expected{}
	for _, in := range w.load.inputs {
		records, ranges := all[inputTopic][in.partition], broken[in.partition]
		if len(records) != len(in.oracle) {
			return nil, fmt.Errorf("input partition %d holds %d records, %d were sent", in.partition, len(records),
				len(in.oracle))
		}
		naive := oracle.NewNaive(w.load.oracle)
		for i, o := range in.oracle {
			o.Offset = records[i].Offset
			for _, b := range in.broken[i] {
				if len(ranges) == 0 || ranges[0].To-ranges[0].From != int64(b.records) || ranges[0].To > o.Offset {
					return nil, fmt.Errorf("input partition %d: %d records that cannot be read were sent before offset %d: %v",
						in.partition, b.records, o.Offset, ranges)
				}
				e.setAside(in.partition, ranges[0])
				ranges = ranges[1:]
			}
			ruling := naive.Step(o)
			e.counts.Add(ruling)
			if ruling.Verdict == oracle.SetAside {
				at := strconv.FormatInt(o.Offset, 10)
				e.letters = append(e.letters, letterLine(in.partition, at, ruling.Reason.String(), records[i]))
			}
		}
		for i := range naive.Revisions {
			e.alerts = append(e.alerts, w.revisionLine(in.partition, &naive.Revisions[i]))
		}
	}
	ctx, cancel := w.ctx()
	defer cancel()
	var alerts bytes.Buffer
	var err error
	e.replay, err = replay.Run(ctx, replay.Config{
		Kafka: w.kafka(w.clean()), Topic: inputTopic, To: replay.End(),
		Engine: w.load.engine, Dir: "replay", FS: vfs.NewMem(), Alerts: &alerts,
	})
	if err != nil {
		return nil, err
	}
	e.bytes = strings.Split(strings.TrimSuffix(alerts.String(), "\n"), "\n")
	return e, nil
}

// setAside is what comes of a batch that cannot be read: a verdict for each of its offsets, and one dead letter.
func (e *expected) setAside(partition int32, offsets readlog.Range) {
	e.counts.DeadLetters[topics.ReasonDecompress] += offsets.To - offsets.From
	at := strconv.FormatInt(offsets.From, 10)
	if last := offsets.To - 1; last > offsets.From {
		at += "-" + strconv.FormatInt(last, 10)
	}
	e.letters = append(e.letters, letterLine(partition, at, topics.ReasonDecompress.String(), &kgo.Record{}))
}

// checkAlerts: the alerts are those expected, once each, and the revisions of each are in order.
func (w *world) checkAlerts(all logs, want *expected) {
	var lines, records []string
	revision := map[string]int{}
	for _, r := range all.all(alertsTopic) {
		var a topics.Alert
		if err := json.Unmarshal(r.Value, &a); err != nil {
			w.violated("an alert cannot be read: %v", err)
			continue
		}
		if string(r.Key) != a.ID {
			w.violated("alert %s has the record key %s", a.ID, r.Key)
		}
		// A key that expired and comes back with the event that opened its last alert opens it again.
		if a.Revision != revision[a.ID]+1 && a.Revision != 1 {
			w.violated("alert %s: revision %d comes after %d", a.ID, a.Revision, revision[a.ID])
		}
		revision[a.ID] = a.Revision
		lines, records = append(lines, alertLine(&a)), append(records, string(r.Value))
	}
	w.differ("alerts, by the naive detector", want.alerts, lines)
	w.differ("alert records, by the engine over the raw log", want.bytes, records)
}

// alertLine is all of an alert that the naive detector knows.
func alertLine(a *topics.Alert) string {
	var crossing, recent []int64
	for _, e := range a.Evidence {
		if e.Role == "crossing" {
			crossing = append(crossing, e.Offset)
		} else {
			recent = append(recent, e.Offset)
		}
	}
	var outcomes [topics.NumOutcomes]int64
	for o := range outcomes {
		outcomes[o] = a.Verification[topics.Outcome(o).String()]
	}
	return fmt.Sprintf("%s %s %q crossing %s #%d %s>%s [%s %s] n=%d seen %s..%s %v ev=%v rec=%v", a.ID, a.Rule.ID,
		a.Organization, a.Crossing, a.Revision, a.State, a.MergedInto, a.Span.First, a.Span.Last, a.Count, a.FirstSeen,
		a.LastSeen, outcomes, crossing, recent)
}

func (w *world) revisionLine(partition int32, r *oracle.Revision) string {
	ts := func(t int64) topics.Timestamp { return topics.Timestamp(t) }
	into := ""
	if r.State == topics.StateMerged {
		into = w.alertID(partition, r, r.MergedInto)
	}
	return fmt.Sprintf("%s %s %q crossing %s #%d %s>%s [%s %s] n=%d seen %s..%s %v ev=%v rec=%v",
		w.alertID(partition, r, r.Crossing), r.Rule, r.Key.Org, ts(r.Crossing), r.Revision, r.State, into, ts(r.First),
		ts(r.Last), r.Count, ts(r.FirstSeen), ts(r.LastSeen), r.Outcomes, r.Evidence, r.Recent)
}

// alertID is the id that an alert must have: a function of the rule, the key and the crossing.
func (w *world) alertID(partition int32, r *oracle.Revision, crossing int64) string {
	version := w.load.rules.For([]byte(r.Key.Org)).Find(r.Rule).Version
	by, values := topics.Space(r.Key.Space).String(), []string{r.Key.Value}
	if r.Key.Space == oracle.SpaceIntegrity {
		kind, source, _ := strings.Cut(r.Key.Value, "\x00")
		by, values = "kind,source,partition", []string{kind, source, strconv.Itoa(int(partition))}
	}
	return topics.FormatAlertID(topics.AlertID(r.Rule, version, r.Key.Org, by, values, crossing))
}

// checkDeadLetters: each record that was set aside lies in the dead letters once, untouched.
func (w *world) checkDeadLetters(all logs, want *expected) {
	var lines []string
	for _, r := range all.all(deadLetterTopic) {
		h := map[string]string{}
		for _, x := range r.Headers {
			h[x.Key] = string(x.Value)
		}
		partition, err := strconv.ParseInt(h[topics.HeaderOriginPartition], 10, 32)
		if err != nil {
			w.violated("a dead letter says of its origin %v", h)
			continue
		}
		lines = append(lines, letterLine(int32(partition), h[topics.HeaderOriginOffset], h[topics.HeaderReason], r))
	}
	w.differ("dead letters", want.letters, lines)
}

func letterLine(partition int32, offset, reason string, r *kgo.Record) string {
	return fmt.Sprintf("%d/%s %s key=%s value=%s", partition, offset, reason, hex.EncodeToString(r.Key), r.Value)
}
