package live

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// width is the length of the time that a bucket stands for.
type width time.Duration

const (
	minutes = width(time.Minute)
	hours   = width(time.Hour)
)

func (w width) String() string {
	if w == hours {
		return "hour"
	}
	return "minute"
}

// start is where the bucket begins that a time lies in, in Unix seconds.
func (w width) start(t time.Time) int64 {
	seconds := int64(time.Duration(w) / time.Second)
	at := t.Unix()
	return at - ((at%seconds)+seconds)%seconds
}

// keys makes the names of keys.
type keys struct{ prefix string }

func (k keys) bucket(w width, start int64) string {
	return k.prefix + "alerts:" + w.String() + ":" + strconv.FormatInt(start, 10)
}

func (k keys) position(id topicID) string       { return k.prefix + "alerts:position:" + id.String() }
func (k keys) seen() string                     { return k.prefix + "alerts:seen" }
func (k keys) process(instance string) string   { return k.prefix + "process:" + instance }
func (k keys) processes() string                { return k.prefix + "processes" }
func (k keys) lags() string                     { return k.prefix + "lags" }
func (k keys) metric(name string) string        { return k.prefix + "metrics:" + name }
func (k keys) metrics(names ...string) []string { return mapped(names, k.metric) }

func mapped(in []string, f func(string) string) []string {
	out := make([]string, len(in))
	for i, s := range in {
		out[i] = f(s)
	}
	return out
}

// Names of the totals.
const (
	metricEvents    = "eventsProcessed"
	metricErrors    = "errorsGenerated"
	metricErrorRate = "errorRate"
	metricIntegrity = "integrityViolations"
	metricLatency   = "processingLatency"
	metricQueue     = "queueDepth"
	metricTimestamp = "timestamp"
	metricAlerts    = "alertsGenerated"
	metricPatterns  = "suspiciousPatterns"
)

// Kind is what alerts are counted by.
type Kind struct {
	Rule         string
	Severity     string
	Organization string // empty: events without one
}

// field is the kind's name in a bucket. Neither rules nor severities hold a colon, so the organisation may.
func (k Kind) field() string { return k.Rule + ":" + k.Severity + ":" + k.Organization }

// others is the kind of those that a bucket has no more room for.
func (k Kind) others() Kind { return Kind{k.Rule, k.Severity, Others} }

// Others stands for the organisations of alerts that came when a bucket had [maxFields] kinds already.
const Others = "(others)"

// parseKind reads the name of a kind.
func parseKind(field string) (Kind, error) {
	parts := strings.SplitN(field, ":", 3)
	if len(parts) != 3 {
		return Kind{}, fmt.Errorf("%q is not RULE:SEVERITY:ORGANISATION", field)
	}
	return Kind{parts[0], parts[1], parts[2]}, nil
}

// topicID is Kafka's id of a topic: another one for each time a topic is made.
type topicID [16]byte

// String implements fmt.Stringer.
func (t topicID) String() string { return fmt.Sprintf("%x", t[:]) }
