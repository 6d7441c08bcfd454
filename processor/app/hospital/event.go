package hospital

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"tocsin/processor/ingest"
	"tocsin/processor/verify"
	"tocsin/topics"
)

// event is an audit event before it is written.
type event struct {
	at      time.Time // when it happened
	arrives time.Time // when it is delivered, and so its record time
	who     *person
	action  string
	status  string
	target  string // type
	record  string // id of the target
	outcome string
	code    string // errorCode
	id      string // empty: one is made
	records int
	address string // empty: that of the person
	seal    seal
	swap    string        // with seal altered: the record that stands there afterwards
	again   time.Duration // a second delivery so much later; 0: none
	raw     string        // garbage: what is written instead
	reason  topics.Reason // why it must be set aside; ReasonNone: it must not
}

// seal is what was done to hash and signature.
type seal int

const (
	sound   seal = iota
	altered      // changed after it was signed
	forged       // signed with a key that is not the one
)

// Record is an event on its way: what is written to the input topic, and when.
type Record struct {
	At    time.Time // record time
	Key   []byte
	Value []byte
}

// writer makes records of events.
type writer struct {
	good, bad *ingest.Signer
	decoded   topics.Event
	key       topics.KeyTemplate
	rnd       *rand.Rand
}

func newWriter(secret []byte, rnd *rand.Rand) (*writer, error) {
	key, err := topics.ParseKeyTemplate(topics.DefaultKeyTemplate)
	if err != nil {
		return nil, err
	}
	other := append([]byte("not "), secret...)
	return &writer{
		good: ingest.NewSigner(secret, verify.AppendCanonical), bad: ingest.NewSigner(other, verify.AppendCanonical),
		key: key, rnd: rnd,
	}, nil
}

// record writes an event as JSON, signed.
func (w *writer) record(e *event) (Record, error) {
	if e.raw != "" {
		return Record{At: e.arrives, Key: []byte(e.who.site.ID + "/" + e.who.id), Value: []byte(e.raw)}, nil
	}
	text := w.text(e)
	if reason, err := w.decoded.Decode(text, nil, topics.DefaultLimits()); reason != topics.ReasonNone {
		return Record{}, fmt.Errorf("the day holds an event that is none: %s: %w", text, err)
	}
	r := Record{At: e.arrives, Key: w.key.Append(nil, &w.decoded)}
	signer := w.good
	if e.seal == forged {
		signer = w.bad
	}
	r.Value, _ = signer.Sign(&w.decoded, text)
	if e.seal == altered {
		r.Value = []byte(strings.Replace(string(r.Value), e.record, e.swap, 1))
	}
	return r, nil
}

func (w *writer) text(e *event) []byte {
	if e.id == "" {
		e.id = ulid(e.at, w.rnd)
	}
	b := make([]byte, 0, 1024) // with hash and signature most events have 800 bytes
	put := func(before, text string) {
		b = strconv.AppendQuote(append(b, before...), text) // all texts are plain ASCII
	}
	option := func(name, text string) {
		if text != "" {
			put(`,"`+name+`":`, text)
		}
	}
	put(`{"id":`, e.id)
	put(`,"timestamp":`, e.at.UTC().Format("2006-01-02T15:04:05.000Z"))
	put(`,"action":`, e.action)
	put(`,"status":`, e.status)
	put(`,"principalId":`, e.who.id)
	put(`,"organizationId":`, e.who.site.ID)
	option("targetResourceType", e.target)
	option("targetResourceId", e.record)
	option("outcomeDescription", e.outcome)
	option("errorCode", e.code)
	if e.records > 0 {
		b = strconv.AppendInt(append(b, `,"recordCount":`...), int64(e.records), 10)
	}
	class := "INTERNAL"
	if e.target != "" {
		class = "PHI"
	}
	put(`,"dataClassification":`, class)
	address := e.address
	if address == "" {
		address = e.who.address
	}
	put(`,"sessionContext":{"sessionId":`, e.who.session)
	put(`,"ipAddress":`, address)
	put(`,"userAgent":`, e.who.agent)
	put(`},"source":`, e.who.source)
	return append(b, `,"eventVersion":"1.0","retentionPolicy":"hipaa-6y"}`...)
}

// ulid is an identifier in the form of a ULID (https://github.com/ulid/spec): 48 bits of time, 80 of chance.
func ulid(at time.Time, rnd *rand.Rand) string {
	const digits = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
	var b [26]byte
	for ms, i := at.UnixMilli(), 9; i >= 0; i-- {
		b[i], ms = digits[ms&31], ms>>5
	}
	for i := 10; i < len(b); i++ {
		b[i] = digits[rnd.IntN(32)]
	}
	return string(b[:])
}
