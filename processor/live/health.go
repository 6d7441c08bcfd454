package live

import (
	"strings"
	"sync"
	"time"
)

// Health is how the numbers in Redis fare.
type Health struct {
	OK     bool      `json:"ok"`
	Since  time.Time `json:"since"`            // when OK last changed
	Reason string    `json:"reason,omitempty"` // what is in the way, with the remedy where there is one
}

// concern is a part that can be in trouble on its own.
type concern uint8

const (
	starting  concern = iota // until partitions have been assigned
	reading                  // from the alerts topic
	counting                 // in Redis
	reporting                // to Redis
	numConcerns
)

func (c concern) String() string {
	return [numConcerns]string{"starting", "reading", "counting", "reporting"}[c]
}

// condition is the state behind [Health]: what is wrong with each concern, empty for nothing.
type condition struct {
	mu    sync.Mutex
	wrong [numConcerns]string
	since time.Time
}

// set records what is wrong with a concern. changed: it has got well or ill.
func (c *condition) set(what concern, wrong string, now time.Time) (changed, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	before := c.ok()
	changed = (c.wrong[what] == "") != (wrong == "")
	c.wrong[what] = wrong
	if c.ok() != before {
		c.since = now
	}
	return changed, c.ok()
}

func (c *condition) ok() bool { return c.wrong == [numConcerns]string{} }

func (c *condition) get() Health {
	c.mu.Lock()
	defer c.mu.Unlock()
	var reasons []string
	for _, wrong := range c.wrong {
		if wrong != "" && !strings.Contains(strings.Join(reasons, "; "), wrong) {
			reasons = append(reasons, wrong)
		}
	}
	return Health{OK: c.ok(), Since: c.since, Reason: strings.Join(reasons, "; ")}
}
