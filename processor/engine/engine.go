package engine

import (
	"errors"
	"fmt"

	"tocsin/processor/detect"
	"tocsin/processor/verify"
	"tocsin/state/window"
	"tocsin/topics"
)

// Record is one record of the input topic.
type Record struct {
	Offset    int64
	Timestamp int64 // record time, Unix ns (Kafka has milliseconds)
	Key       []byte
	Value     []byte
	Headers   []topics.Header
}

// Config is what an Engine is made of.
type Config struct {
	Topic    string // input topic, named in evidence
	Rules    *detect.RuleSet
	Verifier *verify.Verifier
	Limits   topics.Limits
	Mode     string // topics.ModeLive or ModeReplay: the one field of alerts that may differ
	Ticks    bool   // records with the header tocsin-tick are ticks; else they are events like any other
	// WriteFormat is the format of the values that are written, see topics.WriteFormat; 0 is the default.
	WriteFormat int
	// Key is the template of the keys that the input's records should have. Zero: it is not checked whether they do.
	Key topics.KeyTemplate
}

// Engine holds what all partitions share. It never changes.
type Engine struct {
	cfg    Config
	format byte // of the values that are written
}

// New checks the configuration.
func New(c Config) (*Engine, error) {
	if c.Rules == nil || c.Verifier == nil {
		return nil, errors.New("engine: rules and verifier are needed")
	}
	if c.Limits == (topics.Limits{}) {
		c.Limits = topics.DefaultLimits()
	}
	if c.Mode == "" {
		c.Mode = topics.ModeLive
	}
	format, err := topics.WriteFormat(c.WriteFormat)
	if err != nil {
		return nil, fmt.Errorf("engine: %w", err)
	}
	return &Engine{cfg: c, format: format}, nil
}

// Loader reads the state of a key, as it was after the last committed transaction, with window.Key.Load. The key it is
// given has none yet, and is left so when there is none.
type Loader interface {
	Load(groupKey []byte, k *window.Key) error
}

// DeadLetter is a record that was set aside.
type DeadLetter struct {
	Offset int64
	Reason topics.Reason
	Err    string // one line: what, where, what to do
}

// AlertEffect is one revision to be written to the alerts topic.
type AlertEffect struct {
	ID    string // record key
	Value []byte // JSON, see topics.Alert
}

// Effects is what must be written beside the state. Reset empties it and keeps its memory.
type Effects struct {
	Alerts      []AlertEffect
	DeadLetters []DeadLetter
	Coverage    [][]byte // finished coverage records, JSON
	Bytes       int      // size of Alerts and Coverage
	Counts      topics.Counts
	Outcomes    [topics.NumOutcomes]int64 // of the events that were verified, whatever became of them
	KeysChecked int64                     // records whose key was checked
	MisKeyed    []MisKeyed                // those of them that lie in the wrong partition
}

// Reset prepares for the next transaction.
func (fx *Effects) Reset() {
	clear(fx.Alerts)
	clear(fx.Coverage)
	*fx = Effects{
		Alerts: fx.Alerts[:0], DeadLetters: fx.DeadLetters[:0], Coverage: fx.Coverage[:0], MisKeyed: fx.MisKeyed[:0],
	}
}
