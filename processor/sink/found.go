package sink

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"tocsin/topics"
)

// found is the answer of the log for one place: the record, or why there is none.
type found struct {
	there bool
	// lost: the log will never give it. why: what happened instead of a record.
	lost bool
	why  string

	recordTime                time.Time
	key, value                []byte // nil when the record is too large to be stored
	headers                   []topics.Header
	size                      int // of key, headers and value
	valueDigest, recordDigest [sha256.Size]byte

	decoded       bool   // as an event: the three below are known
	eventID       string // escaped
	eventIDDigest string // of the id as it stands in the event
	eventTime     int64
}

// newFound keeps of a record what the database needs. Of one too large it keeps only digests.
func newFound(r *kgo.Record) *found {
	f := &found{there: true, recordTime: r.Timestamp, size: len(r.Key) + len(r.Value)}
	headers := make([]topics.Header, len(r.Headers))
	for i, h := range r.Headers {
		headers[i] = topics.Header{Key: h.Key, Value: h.Value}
		f.size += len(h.Key) + len(h.Value)
	}
	f.valueDigest, f.recordDigest = sha256.Sum256(r.Value), RecordDigest(r.Key, headers, r.Value)
	f.decode(r.Value, headers)
	if f.size <= maxRecordBytes {
		// The record shares its memory with the whole fetch: copies let go of that.
		f.key, f.value = clone(r.Key), clone(r.Value)
		for i := range headers {
			headers[i].Value = clone(headers[i].Value)
		}
		f.headers = headers
	}
	return f
}

// clone copies b; nil stays nil.
func clone(b []byte) []byte {
	if b == nil {
		return nil
	}
	return append([]byte{}, b...)
}

func (f *found) decode(value []byte, headers []topics.Header) {
	var e topics.Event
	limits := topics.DefaultLimits()
	limits.MaxBytes = max(limits.MaxBytes, len(value))
	if reason, _ := e.Decode(value, headers, limits); reason != topics.ReasonNone {
		return // evidence was decoded once: another program's limits, or another record
	}
	sum := sha256.Sum256(e.ID)
	f.decoded, f.eventTime = true, e.Time
	f.eventID, f.eventIDDigest = topics.Escape(string(e.ID)), hex.EncodeToString(sum[:])
}

// isOther says that another event lies where w's was: the topic was made again. Integrity alerts judge by record time,
// so that counts too.
func (f *found) isOther(w *wanted) bool {
	if !f.decoded {
		return false
	}
	if w.eventTime != f.eventTime && w.eventTime != f.recordTime.UnixNano() {
		return true
	}
	if w.eventIDSHA256 != "" {
		return w.eventIDSHA256 != f.eventIDDigest
	}
	return w.eventID != "" && w.eventID != f.eventID
}

// statusFor decides what becomes of a row whose alert has stored bytes so far.
func (f *found) statusFor(w *wanted, stored int64) string {
	switch {
	case f == nil:
		return statusPending
	case !f.there && (f.lost || w.attempts+1 >= copyTries && f.missing()):
		return statusGone
	case !f.there:
		return statusPending
	case f.isOther(w):
		return statusGone
	case f.size > maxRecordBytes || stored+int64(f.size) > maxAlertBytes:
		return statusDigest
	}
	return statusCopied
}

func (f *found) missing() bool { return f.why == whyBeyondEnd || f.why == whyNoTopic }

func (f *found) detailFor(status string) string {
	switch {
	case !f.there:
		return f.why
	case status == statusGone:
		return "another record lies at this offset now: the topic was made again"
	case status == statusDigest && f.size > maxRecordBytes:
		return "the record is larger than 64 kB"
	case status == statusDigest:
		return "the records of the alert are larger than 256 kB together"
	}
	return ""
}

// eventIDFor fills in an id that was too long for the alert.
func (f *found) eventIDFor(w *wanted) string {
	if w.eventIDSHA256 != "" && f.decoded {
		return f.eventID
	}
	return w.eventID
}

func comparePlaces(x, y place) int {
	return cmp.Or(cmp.Compare(x.topic, y.topic), cmp.Compare(x.partition, y.partition), cmp.Compare(x.offset, y.offset))
}
