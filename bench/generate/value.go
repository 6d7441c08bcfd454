package generate

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"time"
)

var (
	zone    = time.FixedZone("", 3600)
	layouts = [...]string{millis: "2006-01-02T15:04:05.000Z", seconds: "2006-01-02T15:04:05Z",
		micros: "2006-01-02T15:04:05.000000-07:00"}
	padding = bytes.Repeat([]byte("routine work on the ward; nothing to report. "), 30)
)

const (
	agent      = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/120.0 Safari/537.36"
	otherAgent = "delivery-agent/2.1"
)

// value appends the JSON text of an event and leaves its canonical text in c.canonical.
func (c *Cursor) value(b []byte, e *event) []byte {
	t := e.template
	at := time.Unix(0, e.time).UTC()
	if e.style == micros {
		at = at.In(zone)
	}
	c.stamp = at.AppendFormat(c.stamp[:0], layouts[e.style])
	target := e.content % 50_000
	c.canonicalText(e, target)

	begin := len(b)
	b = append(b, '{')
	if e.named {
		b = append(strconv.AppendUint(append(b, `"id":"evt-`...), 1_000_000_000_000+e.ordinal, 10), `",`...)
	}
	switch e.fault {
	case noSuchDay:
		b = append(b, `"timestamp":"2026-02-30T10:00:00Z`...)
	case beforeRange:
		b = append(b, `"timestamp":"1650-01-01T00:00:00Z`...)
	default:
		b = append(append(b, `"timestamp":"`...), c.stamp...)
	}
	b = append(b, `","action":`...)
	if e.fault == wrongType {
		b = append(b, `17`...)
	} else {
		b = append(append(append(b, '"'), t.action...), '"')
	}
	switch e.fault {
	case withoutStatus:
	case wrongStatus:
		b = append(b, `,"status":"maybe"`...)
	default:
		b = field(b, "status", t.status)
	}
	b = field(b, "principalId", e.principal)
	b = field(b, "organizationId", e.org)
	if t.target != "" {
		b = field(b, "targetResourceType", t.target)
		b = append(strconv.AppendUint(append(b, `,"targetResourceId":"res-`...), target, 10), '"')
	}
	if e.signing == tampered {
		b = field(b, "outcomeDescription", "Nothing happened")
	} else {
		b = field(b, "outcomeDescription", t.outcome)
	}
	b = field(b, "errorCode", t.errorCode)
	b = field(b, "reasonCode", t.reasonCode)
	switch t.count {
	case -1:
		b = strconv.AppendUint(append(b, `,"recordCount":`...), 11+e.content%400, 10)
	case -2:
		b = strconv.AppendUint(append(b, `,"recordCount":`...), e.content%11, 10)
	}
	b = append(strconv.AppendUint(append(b, `,"eventVersion":"1.0","correlationId":"corr-`...), e.content, 16), '"')
	b = append(strconv.AppendUint(append(b, `,"sessionContext":{"sessionId":"session-`...), e.content%10_000, 10), '"')
	b = field(b, "ipAddress", e.address)
	if e.altered {
		b = field(b, "userAgent", otherAgent)
	} else {
		b = field(b, "userAgent", agent)
	}
	b = append(b, `},"dataClassification":"PHI","retentionPolicy":"standard","processingLatency":12,"queueDepth":3`...)
	b = field(b, "source", e.source)
	b = c.seal(b, e)
	return c.finish(b, begin, e)
}

// field appends a text field that is not empty.
func field(b []byte, name, literal string) []byte {
	if literal == "" {
		return b
	}
	b = append(append(append(b, ',', '"'), name...), '"', ':', '"')
	return append(append(b, literal...), '"')
}

// canonicalText builds the canonical string: eight fields in fixed order, absent ones null.
func (c *Cursor) canonicalText(e *event, target uint64) {
	t := e.template
	b := append(append(c.canonical[:0], `action:"`...), t.action...)
	b = append(b, '"')
	b = part8(b, "organizationId", e.org)
	b = part8(b, "outcomeDescription", t.outcome)
	b = part8(b, "principalId", e.principal)
	b = part8(b, "status", t.status)
	if t.target == "" {
		b = append(b, `|targetResourceId:null|targetResourceType:null`...)
	} else {
		b = append(strconv.AppendUint(append(b, `|targetResourceId:"res-`...), target, 10), '"')
		b = part8(b, "targetResourceType", t.target)
	}
	b = append(append(append(b, `|timestamp:"`...), c.stamp...), '"')
	c.canonical = b
}

func part8(b []byte, name, literal string) []byte {
	b = append(append(append(b, '|'), name...), ':')
	if literal == "" {
		return append(b, "null"...)
	}
	return append(append(append(b, '"'), literal...), '"')
}

// seal appends hash and signature.
func (c *Cursor) seal(b []byte, e *event) []byte {
	if e.signing == bare {
		return b
	}
	sum := sha256.Sum256(c.canonical)
	b = append(b, `,"hashAlgorithm":"SHA-256","hash":"`...)
	at := len(b)
	b = hex.AppendEncode(b, sum[:])
	hash := b[at:len(b):len(b)]
	b = append(b, '"')
	if e.signing == hashed {
		return b
	}
	if e.signing == unchecked {
		return append(b, `,"algorithm":"RSASSA_PSS_SHA_256","keyId":"gone","signature":"bm90IGEgc2lnbmF0dXJl"`...)
	}
	mac := c.good
	if e.signing == forged {
		mac = c.bad
	}
	mac.Reset()
	mac.Write(hash)
	c.digest = mac.Sum(c.digest[:0])
	b = append(b, `,"algorithm":"HMAC-SHA256","signature":"`...)
	b = append(hex.AppendEncode(b, c.digest), '"')
	if e.signing == shouting {
		copy(b[at:], bytes.ToUpper(hash))
	}
	return b
}

// finish pads, closes and, where a fault asks for it, breaks the text.
func (c *Cursor) finish(b []byte, begin int, e *event) []byte {
	switch e.fault {
	case twice:
		b = append(b, `,"action":"data.read.other"`...)
	case deep:
		b = append(b, `,"nested":`...)
		b = append(append(b, bytes.Repeat([]byte{'['}, 40)...), bytes.Repeat([]byte{']'}, 40)...)
	case oversize:
		b = append(append(append(b, `,"blob":"`...), bytes.Repeat([]byte{'x'}, 1<<20)...), '"')
	}
	const around = len(`,"note":""}`)
	if missing := c.g.cfg.ValueBytes - (len(b) - begin) - around; missing > 0 {
		b = append(b, `,"note":"`...)
		for missing > 0 {
			n := min(missing, len(padding))
			b = append(b, padding[:n]...)
			missing -= n
		}
		b = append(b, '"')
	}
	b = append(b, '}')
	switch e.fault {
	case cutShort:
		b = b[:begin+(len(b)-begin)/2]
	case notObject:
		b = append(b[:begin], `["an array is no event"]`...)
	case badUTF8:
		b[bytes.Index(b, []byte(agent))] = 0xff
	}
	return b
}
