package simulate

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"

	"tocsin/processor/sink"
	"tocsin/topics"
)

const (
	sinkGroup = "sim-sink"
	// database is the name of the sinks' commits among the requests that can go wrong.
	database = "Database"
)

var errDatabase = errors.New("the connection to the database is lost")

// newSink makes the sink of a process. All of them store in one database.
func (w *world) newSink(p *process, log *slog.Logger) (*sink.Sink, error) {
	return sink.New(sink.Config{
		Kafka: w.kafka(p.link), Database: w.database.View(p.commit), Topic: alertsTopic, Group: sinkGroup, Instance: p.name,
		Session: session, Heartbeat: heartbeat, MaxBatch: w.plan.CloseRecords, Log: log, Now: p.now,
		Probe: func(at sink.Point) error {
			p.reach(sinkPoint(at), -1)
			if p.dead.Load() {
				return errDatabase
			}
			return nil
		},
	})
}

// commit commits a transaction of the process in the database, if nothing is in the way.
func (p *process) commit(do func()) error {
	p.link.hold()
	if p.dead.Load() {
		return errDatabase
	}
	t := p.world.spring(database, true)
	if t == nil {
		do()
		return nil
	}
	p.world.history.addf(p.who, "FAULT: commit in the database: %s", t.wire.What)
	p.world.tally(Fault{database, t.wire.What.String()})
	p.world.noteFault()
	if t.wire.What != Refused && t.wire.What != SeveredBefore {
		do()
	}
	return errDatabase
}

// unstored says what of the alerts topic the database does not have yet; empty for nothing.
func (w *world) unstored() string {
	at := w.database.Positions(alertsTopic)
	for _, info := range w.cluster.PartitionInfos(alertsTopic) {
		if at[info.Partition] < info.HighWatermark {
			return fmt.Sprintf("the sink stands at %d of %d in partition %d", at[info.Partition], info.HighWatermark,
				info.Partition)
		}
	}
	for _, line := range w.database.Snapshot() {
		if strings.HasPrefix(line, "evidence ") && strings.Contains(line, " pending ") {
			return "evidence is not copied yet: " + line
		}
	}
	return ""
}

// checkDatabase: the database holds what the alerts topic says, revision by revision, each once.
func (w *world) checkDatabase(all logs) {
	type known struct {
		revision    int
		state, line string
	}
	alerts, evidence := map[string]known{}, map[string]bool{}
	var want []string
	for _, r := range all.all(alertsTopic) {
		var a topics.Alert
		if err := json.Unmarshal(r.Value, &a); err != nil {
			continue // said elsewhere
		}
		before, ok := alerts[a.ID]
		if a.Revision <= before.revision {
			continue
		}
		kind := "updated"
		switch {
		case a.State == topics.StateMerged:
			kind = "merged"
		case !ok:
			kind = "opened"
		case a.State == topics.StateClosed:
			kind = "closed"
		case before.state != topics.StateOpen:
			kind = "reopened"
		}
		want = append(want, fmt.Sprintf("history %s %d %s", a.ID, a.Revision, a.State),
			fmt.Sprintf("outbox %s %d %s", a.ID, a.Revision, kind))
		alerts[a.ID] = known{a.Revision, a.State, fmt.Sprintf("alert %s %d %s %s", a.ID, a.Revision, a.State, r.Value)}
		for _, e := range a.Evidence {
			row := fmt.Sprintf("evidence %s %s %d %d copied %s", a.ID, e.Topic, e.Partition, e.Offset, topics.Escape(e.ID))
			evidence[row] = true
		}
	}
	for _, a := range alerts {
		want = append(want, a.line)
	}
	w.differ("rows in the database", append(want, slices.Collect(maps.Keys(evidence))...), w.database.Snapshot())
}
