package sink

import (
	"strings"
	"sync"
	"time"
)

// Health is how a [Sink] fares, for people and for readiness checks.
type Health struct {
	// OK: alerts are stored as they come, or there are none.
	OK bool
	// Since is when OK last changed.
	Since time.Time
	// Reason says what is in the way: the last error, with the remedy where there is one. Empty when OK.
	Reason string
	// Evidence says why evidence is not being copied at present; empty when it is. Alerts are stored all the same.
	Evidence string
	// Lag is the number of records in the alerts topic that wait to be stored, as last seen.
	Lag int64
}

// concern is a part of the sink that can be in trouble on its own.
type concern uint8

const (
	starting concern = iota // until partitions have been assigned
	reading                 // from the alerts topic
	storing                 // in the database
	copying                 // evidence: does not make the sink unhealthy
	numConcerns
)

func (c concern) String() string {
	return [numConcerns]string{"starting", "reading the alerts topic", "storing alerts", "copying evidence"}[c]
}

// condition is the state behind [Health]: what is wrong with each concern, empty for nothing.
type condition struct {
	mu    sync.Mutex
	wrong [numConcerns]string
	since time.Time
	lag   int64
}

// set records what is wrong with a concern, empty for nothing. changed: it has got well or ill.
func (c *condition) set(what concern, wrong string, now time.Time) (changed bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	before := c.ok()
	changed = (c.wrong[what] == "") != (wrong == "")
	c.wrong[what] = wrong
	if c.ok() != before {
		c.since = now
	}
	return changed
}

func (c *condition) setLag(lag int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lag = lag
}

func (c *condition) ok() bool {
	return c.wrong[starting] == "" && c.wrong[reading] == "" && c.wrong[storing] == ""
}

func (c *condition) get() Health {
	c.mu.Lock()
	defer c.mu.Unlock()
	var reasons []string
	for _, wrong := range c.wrong[:copying] {
		if wrong != "" {
			reasons = append(reasons, wrong)
		}
	}
	return Health{OK: c.ok(), Since: c.since, Reason: strings.Join(reasons, "; "), Evidence: c.wrong[copying], Lag: c.lag}
}
