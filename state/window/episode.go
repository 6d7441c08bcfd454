package window

import "tocsin/topics"

// RefreshAfter is how long after an episode's last growth one more revision shows what grew, in ns of record time.
const RefreshAfter = 60 * int64(1e9)

// Episode is a run of holding points of one rule on one key whose gaps are at most the cooldown: one alert. It keeps
// the settings of the rule version that opened it, so that it can be brought to its end after the rules have changed.
type Episode struct {
	ID      [16]byte // alert id
	Rule    string
	Version [8]byte
	Kind    string

	Threshold, Window, Cooldown, MaxEpisode int64

	Opened      uint64 // number among the key's episodes
	Crossing    int64  // holding point of revision 1
	First, Last int64  // span: first and last holding point
	FirstSeen   int64  // earliest match counted
	Count       int64  // distinct matches in (First − Window, Last]
	Outcomes    [topics.NumOutcomes]int64
	Approximate bool
	Trace       [16]byte // trace id of the event that made the crossing; zero: none

	Revision int64
	Double   int64 // the count at which the next revision is due at once
	Growth   int64 // record time of the record that last made it grow
	Grown    bool  // grew since the last revision
	Closed   bool

	matcher       uint64
	evidence      []Entry // of the crossing, in order; nil until the crossing is set
	evidenceSaved saved
	touched       bool // grew in the record being accepted
}

// Evidence gives the events that made the crossing, by time and order of acceptance; at most 100. Do not change it.
func (e *Episode) Evidence() []Entry { return e.evidence }

// near tells whether holding point h joins the episode.
func (e *Episode) near(h int64) bool { return h >= e.First-e.Cooldown && h <= e.Last+e.Cooldown }

// fits tells whether the span may be extended to h.
func (e *Episode) fits(h int64) bool {
	return max(e.Last, h)-min(e.First, h) <= e.MaxEpisode
}

// due gives the record time after which the episode's next timer fires; 0 when it has none.
func (e *Episode) due(grace int64) int64 {
	if e.Closed {
		return 0
	}
	end := e.Growth + e.Cooldown + grace
	if e.Grown {
		return min(end, e.Growth+RefreshAfter)
	}
	return end
}

// grow notes that count or span changed in a record of this record time.
func (e *Episode) grow(recordTime int64) {
	e.Growth, e.Grown, e.Closed, e.touched = recordTime, true, false, true
}

// Emission is a revision to be emitted: the episode as it is now, and what it came to.
type Emission struct {
	Episode    *Episode
	State      string // topics.StateOpen, StateClosed or StateMerged
	MergedInto [16]byte
	Cause      Cause
}

// Cause says why a revision is emitted.
type Cause uint8

// The causes.
const (
	CauseOpened Cause = iota
	CauseDoubled
	CauseRefresh
	CauseClosed
	CauseMerged
)
