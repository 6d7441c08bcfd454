package sink

// Point names a place in the sink that [Config.Probe] is told of. Points are for tests: at each of them a sink can be
// stopped.
type Point string

// The points: the positions of an assignment read; the transaction of a batch begun; its positions moved and its alerts
// locked; everything written and not committed; committed. And of a round of the copier of evidence: rows taken; the
// records read from their topics; the rows written and not committed.
const (
	PointClaimed   Point = "claimed"
	PointBegun     Point = "begun"
	PointLocked    Point = "locked"
	PointWritten   Point = "written"
	PointCommitted Point = "committed"
	PointTaken     Point = "evidence-taken"
	PointFetched   Point = "evidence-fetched"
	PointSettled   Point = "evidence-settled"
)

// Points lists all of them.
func Points() []Point {
	return []Point{
		PointClaimed, PointBegun, PointLocked, PointWritten, PointCommitted, PointTaken, PointFetched, PointSettled,
	}
}
