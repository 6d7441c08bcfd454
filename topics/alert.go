package topics

import (
	"encoding/json"
	"fmt"
	"time"
)

// AlertSchema is the version of the alert record's JSON form.
const AlertSchema = 1

// Alert is one revision of an alert: a record of the alerts topic, keyed by its id. A revision is cumulative: it holds
// all that is known of the episode, so a reader needs only the highest one. Field order is the order in the JSON text,
// which is the same, byte for byte, for the same log.
type Alert struct {
	Schema              int               `json:"schema"`
	ID                  string            `json:"id"`       // 32 hex digits, see AlertID
	Revision            int               `json:"revision"` // 1, 2, 3 …
	State               string            `json:"state"`    // open, closed or merged
	MergedInto          string            `json:"merged_into,omitempty"`
	Rule                AlertRule         `json:"rule"`
	Organization        string            `json:"organization"` // "" is shown as (none): an event without organisation
	OrganizationTrusted bool              `json:"organization_trusted"`
	Group               map[string]string `json:"group"` // field → value; one field per group-by column
	Severity            string            `json:"severity"`
	Type                string            `json:"type"` // SECURITY, COMPLIANCE, PERFORMANCE, SYSTEM, CUSTOM
	Title               string            `json:"title"`
	Sentence            string            `json:"sentence"` // who did what how often within which time
	FirstSeen           Timestamp         `json:"first_seen"`
	LastSeen            Timestamp         `json:"last_seen"`
	Crossing            Timestamp         `json:"crossing"` // holding point of revision 1; part of the id, never changes
	Span                Span              `json:"span"`
	Count               int64             `json:"count"` // distinct matches in (span.first − window, span.last]
	Approximate         bool              `json:"approximate"`
	Threshold           int64             `json:"threshold"`
	Window              string            `json:"window"`       // Go duration text, e.g. 10m0s
	Verification        map[string]int64  `json:"verification"` // outcome → number of counted events
	Evidence            []Evidence        `json:"evidence"`
	Tags                []string          `json:"tags"`
	Runbook             string            `json:"runbook"`
	Mode                string            `json:"mode"` // live or replay
	TraceID             string            `json:"trace_id"`
}

// AlertRule names the rule that fired and the exact settings it had.
type AlertRule struct {
	ID      string `json:"id"`
	Version string `json:"version"` // 16 hex digits, see detect.Rule.Version
	Kind    string `json:"kind"`
}

// Span is the first and the last holding point of an episode (event time).
type Span struct {
	First Timestamp `json:"first"`
	Last  Timestamp `json:"last"`
}

// Evidence points at one counted event. Role is "crossing" for the events that made the crossing and "recent" for the
// last ones; an event that is both is listed once, as crossing.
type Evidence struct {
	Role      string    `json:"role"`
	ID        string    `json:"id"`                  // the event's id; empty when it has none
	IDSHA256  string    `json:"id_sha256,omitempty"` // set instead of ID when the id is longer than 40 bytes
	Topic     string    `json:"topic"`
	Partition int32     `json:"partition"`
	Offset    int64     `json:"offset"`
	Timestamp Timestamp `json:"timestamp"` // event time
	Hash      string    `json:"hash"`      // canonical hash, hex, as computed by us
	Outcome   string    `json:"outcome"`
}

// Alert states, as written in [Alert.State].
const (
	StateOpen   = "open"
	StateClosed = "closed"
	StateMerged = "merged"
)

// Timestamp is a time in Unix nanoseconds, written in JSON as RFC 3339 in UTC with as many fraction digits as needed.
type Timestamp int64

// Time converts to a time.Time in UTC.
func (t Timestamp) Time() time.Time { return time.Unix(0, int64(t)).UTC() }

// String is the JSON form without quotes.
func (t Timestamp) String() string { return t.Time().Format(time.RFC3339Nano) }

// MarshalJSON implements json.Marshaler.
func (t Timestamp) MarshalJSON() ([]byte, error) { return t.appendJSON(nil), nil }

// UnmarshalJSON implements json.Unmarshaler.
func (t *Timestamp) UnmarshalJSON(b []byte) error {
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return fmt.Errorf("timestamp: %w", err)
	}
	v, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return fmt.Errorf("timestamp: %w", err)
	}
	*t = Timestamp(v.UnixNano())
	return nil
}

// Modes, as written in [Alert.Mode].
const (
	ModeLive   = "live"
	ModeReplay = "replay"
)
