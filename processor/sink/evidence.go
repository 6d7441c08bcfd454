package sink

import (
	"crypto/sha256"
	"encoding/binary"
	"time"

	"github.com/jackc/pgx/v5"

	"tocsin/topics"
)

// What has become of an evidence record, as written in alert_evidence.status.
const (
	statusPending = "pending" // waits to be copied
	statusCopied  = "copied"  // key, headers and value are in the database
	statusDigest  = "digest"  // too large: only its digests are
	statusGone    = "gone"    // its topic no longer held it
	statusOff     = "off"     // not copied by the organisation's wish
)

// Bounds on copies: of one record, and of all records of one alert. Key, headers and value count.
const (
	maxRecordBytes = 64 << 10
	maxAlertBytes  = 256 << 10
)

// RecordDigest is the SHA-256 kept of an evidence record: over the key, the number of headers, each header's key and
// value, and the value, every text preceded by its length plus one (zero for a null), all numbers as unsigned varints.
func RecordDigest(key []byte, headers []topics.Header, value []byte) [sha256.Size]byte {
	h := sha256.New()
	var buf [binary.MaxVarintLen64]byte
	number := func(n int) { h.Write(buf[:binary.PutUvarint(buf[:], uint64(n))]) }
	text := func(b []byte) {
		if b == nil {
			number(0)
			return
		}
		number(len(b) + 1)
		h.Write(b)
	}
	text(key)
	number(len(headers))
	for _, header := range headers {
		text(append([]byte{}, header.Key...)) // never null
		text(header.Value)
	}
	text(value)
	return [sha256.Size]byte(h.Sum(nil))
}

// evidenceColumns are new rows of alert_evidence, by column.
type evidenceColumns struct {
	alerts, topics, organizations, roles, ids, idDigests, hashes, outcomes, statuses []string

	partitions []int32
	offsets    []int64
	nanos      []int64
	times      []time.Time
	trusted    []bool
}

func (c *evidenceColumns) len() int { return len(c.alerts) }

func (c *evidenceColumns) add(a *topics.Alert, e *topics.Evidence, status string) {
	c.alerts, c.topics = append(c.alerts, a.ID), append(c.topics, e.Topic)
	c.organizations, c.trusted = append(c.organizations, a.Organization), append(c.trusted, a.OrganizationTrusted)
	c.roles, c.ids, c.idDigests = append(c.roles, e.Role), append(c.ids, e.ID), append(c.idDigests, e.IDSHA256)
	c.hashes, c.outcomes = append(c.hashes, e.Hash), append(c.outcomes, e.Outcome)
	c.statuses = append(c.statuses, status)
	c.partitions, c.offsets = append(c.partitions, e.Partition), append(c.offsets, e.Offset)
	c.nanos, c.times = append(c.nanos, int64(e.Timestamp)), append(c.times, e.Timestamp.Time())
}

// queue adds the statement. An event that earlier revisions listed already has its row.
func (c *evidenceColumns) queue(q *pgx.Batch) {
	q.Queue(`
INSERT INTO alert_evidence (alert_id, topic, partition, "offset", organization, organization_trusted, role, event_id,
	event_id_sha256, event_time, event_unix_nanos, hash, outcome, status)
SELECT * FROM unnest($1::text[], $2::text[], $3::integer[], $4::bigint[], $5::text[], $6::boolean[], $7::text[],
	$8::text[], $9::text[], $10::timestamptz[], $11::bigint[], $12::text[], $13::text[], $14::text[])
ON CONFLICT DO NOTHING`, c.alerts, c.topics, c.partitions, c.offsets, c.organizations, c.trusted, c.roles, c.ids,
		c.idDigests, c.times, c.nanos, c.hashes, c.outcomes, c.statuses)
}
