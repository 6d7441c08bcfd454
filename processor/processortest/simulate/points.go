package simulate

import (
	"strings"

	"tocsin/processor"
	"tocsin/processor/sink"
	"tocsin/state"
)

// Points lists the names of all points, each with the prefix of who reaches it: the loop, the store, the sink, or the
// wire between a process and its brokers.
func Points() []string {
	var names []string
	for _, p := range processor.Points() {
		names = append(names, loopPoint(p))
	}
	for _, p := range state.Points() {
		names = append(names, statePoint(p))
	}
	for _, p := range sink.Points() {
		names = append(names, sinkPoint(p))
	}
	for _, kind := range wireKinds {
		for _, moment := range wireMoments {
			names = append(names, wirePoint(kind, moment))
		}
	}
	return names
}

func loopPoint(p processor.Point) string { return "loop/" + string(p) }
func statePoint(p state.Point) string    { return "state/" + string(p) }
func sinkPoint(p sink.Point) string      { return "sink/" + string(p) }

func wirePoint(kind, moment string) string { return "wire/" + kind + "/" + moment }

// wireKinds are the requests that have points. A commit and an abort are both EndTxn.
var wireKinds = []string{
	"Produce", "TxnOffsetCommit", "Commit", "Abort", "Heartbeat", "JoinGroup", "SyncGroup", "OffsetFetch",
	"InitProducerID", "ListOffsets",
}

// The moments of a request: not sent yet; taken by the broker, the answer under way; answered, and not yet seen by the
// client.
const (
	sending  = "sending"
	sent     = "sent"
	answered = "answered"
)

var wireMoments = []string{sending, sent, answered}

// mayStall says whether a process may be held up at a point: not where it holds a lock or runs in a callback of the
// client, as virtual time does not pass while a goroutine waits for a lock.
func mayStall(point string) bool {
	switch point {
	case loopPoint(processor.PointAssigned), loopPoint(processor.PointRevoked), loopPoint(processor.PointLost),
		loopPoint(processor.PointReleased), loopPoint(processor.PointClosing):
		return false
	}
	return strings.HasPrefix(point, "loop/") || strings.HasPrefix(point, "sink/")
}
