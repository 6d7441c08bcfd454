package state

// Point names a place in the store that [Config.Probe] is told of. Points are for tests: at each of them a process can
// be killed and its file system looked at.
type Point string

// The points: before and after the batch of a transaction, the lease being held; before and after a flush; before and
// after the batch with which a tail restore writes what it has read; of a full restore, its mark written in the
// position's place, a sorted run written and not yet in the mark, the run in the mark, everything merged and the mark
// still there, the partition's data excised and the new tables in, the position written.
const (
	PointApply    Point = "apply"
	PointApplied  Point = "applied"
	PointFlush    Point = "flush"
	PointFlushed  Point = "flushed"
	PointTail     Point = "tail"
	PointTailDone Point = "tail-done"
	PointMarked   Point = "marked"
	PointRun      Point = "run"
	PointRunKept  Point = "run-kept"
	PointMerged   Point = "merged"
	PointReplaced Point = "replaced"
	PointFull     Point = "full-done"
)

// Points lists all of them.
func Points() []Point {
	return []Point{
		PointApply, PointApplied, PointFlush, PointFlushed, PointTail, PointTailDone, PointMarked, PointRun, PointRunKept,
		PointMerged, PointReplaced, PointFull,
	}
}

// at tells the probe that a point was reached.
func (s *Store) at(point Point) {
	if s.cfg.Probe != nil {
		s.cfg.Probe(point)
	}
}
