package simulate

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"tocsin/topics/readlog"
)

// check compares what is there with what must be. An error means that it could not be done.
func (w *world) check() error {
	logs, broken, err := w.readLogs()
	if err != nil {
		return err
	}
	w.checkProgress(logs)
	w.checkStable()
	want, err := w.expect(logs, broken)
	if err != nil {
		return err
	}
	w.checkAlerts(logs, want)
	w.checkDeadLetters(logs, want)
	w.checkDatabase(logs)
	sealed := w.checkChangelog(logs)
	w.checkOffsets(logs, sealed)
	w.checkCoverage(logs, sealed, want)
	return w.checkDigests(logs, sealed, &want.replay)
}

// logs are all topics of the application as committed, by partition.
type logs map[string]map[int32][]*kgo.Record

func (l logs) all(topic string) (all []*kgo.Record) {
	for _, p := range slices.Sorted(maps.Keys(l[topic])) {
		all = append(all, l[topic][p]...)
	}
	return all
}

// brokenRanges are the offsets of the input's broken batches, by partition.
type brokenRanges map[int32][]readlog.Range

func (w *world) readLogs() (logs, brokenRanges, error) {
	ctx, cancel := w.ctx()
	defer cancel()
	all, broken := logs{}, brokenRanges{}
	for _, topic := range []string{inputTopic, alertsTopic, deadLetterTopic, changelogTopic, sealsTopic} {
		read, ranges := map[int32][]*kgo.Record{}, map[int32]readlog.Range{}
		for _, info := range w.cluster.PartitionInfos(topic) {
			read[info.Partition], ranges[info.Partition] = nil, readlog.Range{From: 0, To: info.HighWatermark}
		}
		r := readlog.Reader{Kafka: w.kafka(w.clean()), Topic: topic, StallAfter: stallAfter}
		if topic == inputTopic {
			r.TopicID = w.cluster.TopicInfo(topic).TopicID
			r.Broken = func(partition int32, offsets readlog.Range, _ error) error {
				broken[partition] = append(broken[partition], offsets)
				return nil
			}
		}
		err := r.Read(ctx, ranges, func(rec *kgo.Record) error {
			read[rec.Partition] = append(read[rec.Partition], rec)
			return nil
		})
		if err != nil {
			return nil, nil, fmt.Errorf("read %s: %w", topic, err)
		}
		all[topic] = read
	}
	return all, broken, nil
}

// checkProgress sees to it that the run was worth while, and small enough to be understood.
func (w *world) checkProgress(all logs) {
	w.mu.Lock()
	w.alerts = len(all.all(alertsTopic))
	alerts, restores, fault, commits, crashes := w.alerts, w.restores, w.lastFault, w.commits, w.crashes
	w.mu.Unlock()
	if sent := w.load.sent(); sent > maxSent || crashes > maxCrashes {
		w.violated("the run is too large: %d records of %d, %d crashes of %d", sent, maxSent, crashes, maxCrashes)
	}
	if alerts == 0 {
		w.violated("there was no alert: the workload proves nothing")
	}
	if restores == 0 {
		w.violated("there was no restore after a crash")
	}
	if commits == 0 {
		w.violated("no transaction was committed after the last fault, at %s", fault.Sub(w.began))
	}
}

// checkStable: no transaction is left open anywhere.
func (w *world) checkStable() {
	for _, topic := range []string{inputTopic, alertsTopic, deadLetterTopic, changelogTopic, sealsTopic} {
		for _, info := range w.cluster.PartitionInfos(topic) {
			if info.LastStableOffset != info.HighWatermark {
				w.violated("%s partition %d has an open transaction: last stable offset %d, high watermark %d", topic,
					info.Partition, info.LastStableOffset, info.HighWatermark)
			}
		}
	}
}

// checkOffsets: everything is judged, and each seal says so.
func (w *world) checkOffsets(all logs, sealed map[int32]*sealedLog) {
	ctx, cancel := w.ctx()
	defer cancel()
	committed, err := w.adm.FetchOffsets(kadm.RequireStable(ctx), app)
	if err != nil {
		w.violated("the group's offsets cannot be read: %v", err)
		return
	}
	for _, info := range w.cluster.PartitionInfos(inputTopic) {
		at, _ := committed.Lookup(inputTopic, info.Partition)
		last := all[inputTopic][info.Partition][len(all[inputTopic][info.Partition])-1].Offset + 1
		if next := sealed[info.Partition].last.Next; at.At != last || next != last {
			w.violated("partition %d: the group stands at %d, the last seal at %d, the input ends at %d", info.Partition, at.At,
				next, last)
		}
	}
}

// differ reports the difference between two sets of lines, if there is one.
func (w *world) differ(what string, want, got []string) {
	want, got = slices.Clone(want), slices.Clone(got)
	slices.Sort(want)
	slices.Sort(got)
	if slices.Equal(want, got) {
		return
	}
	count := map[string]int{}
	for _, l := range want {
		count[l]--
	}
	for _, l := range got {
		count[l]++
	}
	var b strings.Builder
	shown := 0
	for _, l := range slices.Compact(slices.Sorted(slices.Values(append(want, got...)))) {
		if n := count[l]; n != 0 {
			if shown++; shown <= 20 {
				fmt.Fprintf(&b, "\n  %+d %s", n, l)
			}
		}
	}
	w.violated("%s: %d expected, %d there; %d lines differ (+ too many, - missing):%s", what, len(want), len(got), shown,
		b.String())
}
