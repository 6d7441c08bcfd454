package sink

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"tocsin/topics"
)

// Memory is a database in memory, for simulations of what lies above it. It knows one transaction at a time, and no
// content that it refuses. Make it with [NewMemory].
type Memory struct {
	now  func() time.Time
	turn chan struct{} // holds one token: whoever has it is in a transaction
	rows *memory
}

// memory is what is stored. Transactions work on a copy.
type memory struct {
	topics   map[topicID]string
	next     map[offsetKey]int64
	alerts   map[string]memoryAlert
	history  []memoryRow
	outbox   []memoryRow
	evidence map[evidenceKey]memoryEvidence
	rejects  map[offsetKey]string // partition and offset of the record
}

type offsetKey struct {
	id        topicID
	partition int32
	offset    int64 // of rejects alone
}

type memoryAlert struct {
	stored
	record string
}

type memoryRow struct {
	id       string
	revision int
	kind     string
}

type evidenceKey struct {
	alert string
	place
}

type memoryEvidence struct {
	wanted
	status  string
	stored  int64
	nextTry time.Time
}

// NewMemory makes an empty database; now is its clock.
func NewMemory(now func() time.Time) *Memory {
	m := &Memory{now: now, turn: make(chan struct{}, 1), rows: &memory{
		topics: map[topicID]string{}, next: map[offsetKey]int64{}, alerts: map[string]memoryAlert{},
		evidence: map[evidenceKey]memoryEvidence{}, rejects: map[offsetKey]string{},
	}}
	m.turn <- struct{}{}
	return m
}

// View is the database as one process sees it: each of its transactions is committed by commit, which calls do for it,
// or does not, and whose error is what the process gets.
func (m *Memory) View(commit func(do func()) error) Database { return memoryView{m, commit} }

type memoryView struct {
	*Memory
	commit func(do func()) error
}

func (v memoryView) transact(ctx context.Context, do func(statements) error) error {
	select {
	case <-v.turn:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { v.turn <- struct{}{} }()
	t := &memoryTx{memory: *v.rows.clone(), now: v.now()}
	if err := do(t); err != nil {
		return err
	}
	return v.commit(func() { v.rows = &t.memory })
}

func (m *memory) clone() *memory {
	return &memory{
		topics: maps.Clone(m.topics), next: maps.Clone(m.next), alerts: maps.Clone(m.alerts),
		history: slices.Clone(m.history), outbox: slices.Clone(m.outbox), evidence: maps.Clone(m.evidence),
		rejects: maps.Clone(m.rejects),
	}
}

// memoryTx are the statements of one transaction.
type memoryTx struct {
	memory
	now time.Time
}

func (t *memoryTx) otherTopic(_ context.Context, topic string, id topicID) (topicID, bool, error) {
	for other, name := range t.topics {
		if name == topic && other != id {
			return other, true, nil
		}
	}
	return topicID{}, false, nil
}

func (t *memoryTx) addPositions(
	_ context.Context, topic string, id topicID, partitions []int32, next []int64,
) error {
	t.topics[id] = topic
	for i, p := range partitions {
		key := offsetKey{id: id, partition: p}
		if _, ok := t.next[key]; !ok {
			t.next[key] = next[i]
		}
	}
	return nil
}

func (t *memoryTx) positions(_ context.Context, id topicID, partitions []int32) (map[int32]int64, error) {
	positions := make(map[int32]int64)
	for _, p := range partitions {
		if next, ok := t.next[offsetKey{id: id, partition: p}]; ok {
			positions[p] = next
		}
	}
	return positions, nil
}

func (t *memoryTx) fenceAndLock(_ context.Context, id topicID, b batch, ids []string) (map[string]stored, error) {
	for i := range b {
		key := offsetKey{id: id, partition: b[i].partition}
		if next, ok := t.next[key]; !ok || next != b[i].expected {
			return nil, &fencedError{b[i].partition}
		}
		t.next[key] = b[i].next
	}
	known := make(map[string]stored)
	for _, id := range ids {
		if a, ok := t.alerts[id]; ok {
			known[id] = a.stored
		}
	}
	return known, nil
}

func (t *memoryTx) write(_ context.Context, id topicID, _ string, p *plan, rejected []located) error {
	for _, r := range p.final {
		t.alerts[r.alert.ID] = memoryAlert{
			stored{revision: int64(r.alert.Revision), state: r.alert.State}, string(r.value),
		}
	}
	for i, r := range p.applied {
		row := memoryRow{id: r.alert.ID, revision: r.alert.Revision, kind: r.alert.State}
		t.history = append(t.history, row)
		if r.alert.Mode == modeReplay {
			continue
		}
		row.kind = p.kinds[i]
		if slices.ContainsFunc(t.outbox, func(o memoryRow) bool { return o.id == row.id && o.revision == row.revision }) {
			return fmt.Errorf("outbox: alert %s revision %d is there already", row.id, row.revision)
		}
		t.outbox = append(t.outbox, row)
	}
	e := &p.evidence
	for i := range e.len() {
		at := place{e.topics[i], e.partitions[i], e.offsets[i]}
		key := evidenceKey{e.alerts[i], at}
		if _, ok := t.evidence[key]; !ok {
			t.evidence[key] = memoryEvidence{status: e.statuses[i], wanted: wanted{
				alertID: e.alerts[i], place: at, eventID: e.ids[i], eventIDSHA256: e.idDigests[i], eventTime: e.nanos[i],
			}}
		}
	}
	for _, r := range rejected {
		t.rejects[offsetKey{id, r.partition, r.offset}] = r.rejected.sqlstate
	}
	return nil
}

func (t *memoryTx) takePending(_ context.Context, limit int) (rows []wanted, err error) {
	for _, e := range t.evidence {
		if e.status == statusPending && !e.nextTry.After(t.now) {
			rows = append(rows, e.wanted)
		}
	}
	slices.SortFunc(rows, func(x, y wanted) int {
		return cmp.Or(cmp.Compare(x.alertID, y.alertID), comparePlaces(x.place, y.place))
	})
	return rows[:min(len(rows), limit)], nil
}

func (t *memoryTx) storedBytes(_ context.Context, ids []string) (map[string]int64, error) {
	sums := make(map[string]int64)
	for _, e := range t.evidence {
		if slices.Contains(ids, e.alertID) {
			sums[e.alertID] += e.stored
		}
	}
	return sums, nil
}

func (t *memoryTx) settle(_ context.Context, all []settlement) error {
	for _, s := range all {
		key := evidenceKey{s.alertID, s.place}
		e := t.evidence[key]
		switch e.status = s.status; s.status {
		case statusPending:
			e.attempts++
			e.nextTry = t.now.Add(time.Duration(min(5*e.attempts*e.attempts, 300)) * time.Second)
		case statusCopied:
			e.stored, e.eventID = int64(s.found.size), s.found.eventIDFor(s.wanted)
		}
		t.evidence[key] = e
	}
	return nil
}

func (t *memoryTx) countPending(_ context.Context, limit int) (n int64, err error) {
	for _, e := range t.evidence {
		if e.status == statusPending {
			n++
		}
	}
	return min(n, int64(limit)), nil
}

// Snapshot is all that is stored of alerts, a line each, sorted. It must not be called in a transaction.
func (m *Memory) Snapshot() []string {
	<-m.turn
	defer func() { m.turn <- struct{}{} }()
	var lines []string
	for id, a := range m.rows.alerts {
		lines = append(lines, fmt.Sprintf("alert %s %d %s %s", id, a.revision, a.state, a.record))
	}
	for _, r := range m.rows.history {
		lines = append(lines, fmt.Sprintf("history %s %d %s", r.id, r.revision, r.kind))
	}
	for _, r := range m.rows.outbox {
		lines = append(lines, fmt.Sprintf("outbox %s %d %s", r.id, r.revision, r.kind))
	}
	for key, e := range m.rows.evidence {
		lines = append(lines, fmt.Sprintf("evidence %s %s %d %d %s %s", key.alert, key.topic, key.partition, key.offset,
			e.status, topics.Escape(e.eventID)))
	}
	for key, state := range m.rows.rejects {
		lines = append(lines, strings.TrimSpace(fmt.Sprintf("reject %d %d %s", key.partition, key.offset, state)))
	}
	slices.Sort(lines)
	return lines
}

// Positions is the next offset of each partition of a topic.
func (m *Memory) Positions(topic string) map[int32]int64 {
	<-m.turn
	defer func() { m.turn <- struct{}{} }()
	next := make(map[int32]int64)
	for key, n := range m.rows.next {
		if m.rows.topics[key.id] == topic {
			next[key.partition] = n
		}
	}
	return next
}
