package sink

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"

	"tocsin/topics"
)

// Bounds on what an alert record may hold; the product's own stay far below them.
const (
	maxEvidence = 1000
	maxRevision = 1 << 31
)

// entry is one record of the alerts topic on its way into the database. An entry with a rejection goes to
// alert_rejects, any other is a revision to apply.
type entry struct {
	offset     int64
	key, value []byte
	alert      topics.Alert
	group      string // Alert.Group as JSON
	digest     [sha256.Size]byte
	rejected   *rejection
}

// rejection says why a record is set aside.
type rejection struct {
	sqlstate string // empty: found out before it reached the database
	err      error
}

// newEntry decodes a record. What is wrong with it becomes its rejection.
func newEntry(r *kgo.Record) *entry {
	e := &entry{offset: r.Offset, key: r.Key, value: r.Value}
	if err := e.decode(); err != nil {
		e.rejected = &rejection{err: err}
	}
	return e
}

func (e *entry) decode() error {
	if err := json.Unmarshal(e.value, &e.alert); err != nil {
		return fmt.Errorf("decode alert: %.240s", err.Error()) // it may quote what it could not read, however long
	}
	a := &e.alert
	switch {
	case a.Schema != topics.AlertSchema:
		return fmt.Errorf("alert has schema %d, this program knows %d: update it", a.Schema, topics.AlertSchema)
	case !isAlertID(a.ID):
		return fmt.Errorf("alert id %.64q is not 32 lower-case hex digits", a.ID)
	case !bytes.Equal(e.key, []byte(a.ID)):
		return fmt.Errorf("record key %.64q is not the id %s of the alert", e.key, a.ID)
	case a.Revision < 1 || a.Revision > maxRevision:
		return fmt.Errorf("revision %d is outside 1–%d", a.Revision, maxRevision)
	case a.State != topics.StateOpen && a.State != topics.StateClosed && a.State != topics.StateMerged:
		return fmt.Errorf("state %.64q is not open, closed or merged", a.State)
	case a.Rule.ID == "":
		return errors.New("the alert names no rule")
	case len(a.Evidence) > maxEvidence:
		return fmt.Errorf("the alert lists %d events as evidence, at most %d are accepted", len(a.Evidence), maxEvidence)
	}
	for i := range a.Evidence {
		if v := &a.Evidence[i]; v.Topic == "" || v.Partition < 0 || v.Offset < 0 {
			return fmt.Errorf("evidence %d has no place in a topic", i)
		}
	}
	if a.Group == nil {
		a.Group = map[string]string{}
	}
	group, err := json.Marshal(a.Group) // keys sorted
	if err != nil {
		return fmt.Errorf("encode group: %w", err)
	}
	e.group = string(group)
	e.digest = sha256.Sum256(e.value)
	return nil
}

func isAlertID(s string) bool {
	if len(s) != 32 {
		return false
	}
	for _, c := range []byte(s) {
		if c-'0' > 9 && c-'a' > 5 {
			return false
		}
	}
	return true
}
