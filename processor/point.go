package processor

// Point names a place in the loop that [Config.Probe] is told of. Points are for tests: at each of them a process can
// be killed, held up, or looked at. None is passed more than once per chunk of records.
type Point string

// The points, in the order in which a record meets them.
const (
	// A client's life. PointStarting comes before anything is asked of the brokers, PointIdentified when the producer id
	// is known, and with it whatever an earlier client of this name had left open has been ended; PointClosing before the
	// client is closed.
	PointStarting   Point = "starting"
	PointIdentified Point = "identified"
	PointClosing    Point = "closing"

	// Assignment. PointRevoked and PointLost come before the leases are released, PointReleased after each.
	PointAssigned Point = "assigned"
	PointRevoked  Point = "revoked"
	PointLost     Point = "lost"
	PointReleased Point = "released"

	// Restore of one partition: begun; leased; the group's stable offset read; the changelog's bounds read; after each
	// poll of the changelog; everything read and checked, not yet finished; written to the store; compared with the
	// committed offset; ready for the worker; given to it, or given back because it was taken away meanwhile; let flow.
	PointRestoring      Point = "restoring"
	PointLeased         Point = "leased"
	PointOffsetRead     Point = "offset-read"
	PointBoundsRead     Point = "bounds-read"
	PointRestoreChunk   Point = "restore-chunk"
	PointRestoreRead    Point = "restore-read"
	PointRestored       Point = "restored"
	PointSealChecked    Point = "seal-checked"
	PointBuilt          Point = "built"
	PointHandedOver     Point = "handed-over"
	PointHandedBack     Point = "handed-back"
	PointAdmitted       Point = "admitted"
	PointRestoreRetried Point = "restore-retried"

	// A transaction: records are there; before and after begin; a chunk of one partition judged and its output produced;
	// timers that did not fit into the transaction; its changes and its seal produced.
	PointPolled  Point = "polled"
	PointBegin   Point = "begin"
	PointBegun   Point = "begun"
	PointJudged  Point = "judged"
	PointSplit   Point = "split"
	PointChanged Point = "changed"
	PointSealed  Point = "sealed"

	// Its end: all records handed to the client; acknowledged; the input offsets about to be sent; taken, and the
	// commit about to be asked for; confirmed. Then the store: before the batch; after it; engine and status follow.
	PointFlush     Point = "flush"
	PointFlushed   Point = "flushed"
	PointOffsets   Point = "offsets"
	PointEnd       Point = "end"
	PointCommitted Point = "committed"
	PointApplied   Point = "applied"
	PointPublished Point = "published"

	// Where it does not end so: before the abort is asked for; confirmed, the offsets not looked at yet; the outcome is
	// aborted; partitions rebuilt and the client's position put back; the outcome is unknown.
	PointAbort      Point = "abort"
	PointAbortEnded Point = "abort-ended"
	PointAborted    Point = "aborted"
	PointRolledBack Point = "rolled-back"
	PointUnknown    Point = "unknown"

	// The end of Run: the workers are done, the state is not flushed yet.
	PointFlushState Point = "flush-state"
)

// Points lists all of them.
func Points() []Point {
	return []Point{
		PointStarting, PointIdentified, PointClosing,
		PointAssigned, PointRevoked, PointLost, PointReleased,
		PointRestoring, PointLeased, PointOffsetRead, PointBoundsRead, PointRestoreChunk, PointRestoreRead, PointRestored,
		PointSealChecked, PointBuilt, PointHandedOver, PointHandedBack, PointAdmitted, PointRestoreRetried,
		PointPolled, PointBegin, PointBegun, PointJudged, PointSplit, PointChanged, PointSealed,
		PointFlush, PointFlushed, PointOffsets, PointEnd, PointCommitted, PointApplied, PointPublished,
		PointAbort, PointAbortEnded, PointAborted, PointRolledBack, PointUnknown, PointFlushState,
	}
}

// noPartition is given with points that are about a whole worker or process.
const noPartition = -1

// at tells the probe that a point was reached.
func (c *Config) at(point Point, partition int32) {
	if c.Probe != nil {
		c.Probe(point, partition)
	}
}
