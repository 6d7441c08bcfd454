package sink

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"tocsin/topics"
)

// plan is what a batch writes: rows by column, as the statements take them.
type plan struct {
	applied []located // revisions that are new, by alert id, ascending
	final   []located // the last of each alert
	kinds   []string  // of applied: for the outbox

	evidence evidenceColumns
	pending  int // of evidence: to be copied
}

// newPlan decides which revisions are new. revisions are ordered by id and, for one id, as they lie in the log; a
// revision holds all that those before it held, so a lower one after a higher one tells nothing.
func newPlan(revisions []located, known map[string]stored, evidenceOff map[string]bool) *plan {
	p := new(plan)
	for _, r := range revisions {
		before, ok := known[r.alert.ID]
		if int64(r.alert.Revision) <= before.revision {
			continue
		}
		p.kinds = append(p.kinds, kind(before, ok, &r.alert))
		p.applied = append(p.applied, r)
		known[r.alert.ID] = stored{revision: int64(r.alert.Revision), state: r.alert.State}
		if n := len(p.final); n > 0 && p.final[n-1].alert.ID == r.alert.ID {
			p.final[n-1] = r
		} else {
			p.final = append(p.final, r)
		}
	}
	p.collectEvidence(evidenceOff)
	return p
}

// write implements statements, in one round trip. An alert that Postgres refuses comes back as a contentError.
func (t postgresTx) write(ctx context.Context, id topicID, topic string, p *plan, rejected []located) error {
	var q pgx.Batch
	if len(p.applied) > 0 {
		p.queueAlerts(&q)
		p.queueHistory(&q)
		p.queueOutbox(&q)
	}
	if p.evidence.len() > 0 {
		p.evidence.queue(&q)
	}
	for _, r := range rejected {
		q.Queue(`INSERT INTO alert_rejects (topic_id, partition, "offset", topic, key, value, sqlstate, error)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING`,
			id, r.partition, r.offset, topic, r.key, r.value, r.rejected.sqlstate,
			topics.Escape(r.rejected.err.Error()))
	}
	if q.Len() == 0 {
		return nil
	}
	err := wrap("store alerts", t.tx.SendBatch(ctx, &q).Close())
	if state, ok := contentState(err); ok && len(p.applied) > 0 {
		return &contentError{state, err}
	}
	return err
}

func (p *plan) queueAlerts(q *pgx.Batch) {
	n := len(p.final)
	var (
		ids, rules, versions, kinds  = make([]string, n), make([]string, n), make([]string, n), make([]string, n)
		organizations, groups        = make([]string, n), make([]string, n)
		severities, types, titles    = make([]string, n), make([]string, n), make([]string, n)
		states, modes, records       = make([]string, n), make([]string, n), make([]string, n)
		merged                       = make([]*string, n)
		revisions, counts            = make([]int64, n), make([]int64, n)
		trusted, approximate         = make([]bool, n), make([]bool, n)
		firstSeen, lastSeen, crossed = make([]time.Time, n), make([]time.Time, n), make([]time.Time, n)
	)
	for i, r := range p.final {
		a := &r.alert
		ids[i], rules[i], versions[i], kinds[i] = a.ID, a.Rule.ID, a.Rule.Version, a.Rule.Kind
		organizations[i], groups[i], trusted[i] = a.Organization, r.group, a.OrganizationTrusted
		severities[i], types[i], titles[i] = a.Severity, a.Type, a.Title
		states[i], modes[i], records[i] = a.State, a.Mode, string(r.value)
		revisions[i], counts[i], approximate[i] = int64(a.Revision), a.Count, a.Approximate
		firstSeen[i], lastSeen[i], crossed[i] = a.FirstSeen.Time(), a.LastSeen.Time(), a.Crossing.Time()
		if a.MergedInto != "" {
			merged[i] = &a.MergedInto
		}
	}
	q.Queue(upsertAlerts, ids, revisions, rules, versions, kinds, organizations, trusted, groups, severities, types,
		states, merged, titles, counts, approximate, firstSeen, lastSeen, crossed, modes, records).
		Exec(expectRows(n))
}

// The condition on the revision holds by the lock; it is there for an alert that another partition's sink stored
// between our look and our write. The number of rows then tells, and the batch is done again.
const upsertAlerts = `
INSERT INTO alerts AS a (id, revision, rule_id, rule_version, rule_kind, organization, organization_trusted,
	group_values, severity, type, state, merged_into, title, count, approximate, first_seen, last_seen, crossing, mode,
	record)
SELECT id, revision, rule_id, rule_version, rule_kind, organization, organization_trusted, group_values::jsonb,
	severity, type, state, merged_into, title, count, approximate, first_seen, last_seen, crossing, mode, record::jsonb
FROM unnest($1::text[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::boolean[], $8::text[],
	$9::text[], $10::text[], $11::text[], $12::text[], $13::text[], $14::bigint[], $15::boolean[], $16::timestamptz[],
	$17::timestamptz[], $18::timestamptz[], $19::text[], $20::text[]) AS t (id, revision, rule_id, rule_version,
	rule_kind, organization, organization_trusted, group_values, severity, type, state, merged_into, title, count,
	approximate, first_seen, last_seen, crossing, mode, record)
ON CONFLICT (id) DO UPDATE SET
	revision = excluded.revision, rule_id = excluded.rule_id, rule_version = excluded.rule_version,
	rule_kind = excluded.rule_kind, organization = excluded.organization,
	organization_trusted = excluded.organization_trusted, group_values = excluded.group_values,
	severity = excluded.severity, type = excluded.type, state = excluded.state, merged_into = excluded.merged_into,
	title = excluded.title, count = excluded.count, approximate = excluded.approximate,
	first_seen = excluded.first_seen, last_seen = excluded.last_seen, crossing = excluded.crossing,
	mode = excluded.mode, record = excluded.record, updated = now()
WHERE a.revision < excluded.revision`

func (p *plan) queueHistory(q *pgx.Batch) {
	n := len(p.applied)
	var (
		ids, organizations, states = make([]string, n), make([]string, n), make([]string, n)
		revisions, counts          = make([]int64, n), make([]int64, n)
		digests                    = make([][]byte, n)
	)
	for i, r := range p.applied {
		a := &r.alert
		ids[i], organizations[i], states[i] = a.ID, a.Organization, a.State
		revisions[i], counts[i], digests[i] = int64(a.Revision), a.Count, r.digest[:]
	}
	q.Queue(`
INSERT INTO alert_history (alert_id, organization, actor, kind, revision, state, count, record_sha256)
SELECT alert_id, organization, 'tocsin', 'revision', revision, state, count, digest
FROM unnest($1::text[], $2::text[], $3::bigint[], $4::text[], $5::bigint[], $6::bytea[])
	AS t (alert_id, organization, revision, state, count, digest)`,
		ids, organizations, revisions, states, counts, digests).Exec(expectRows(n))
}

func (p *plan) queueOutbox(q *pgx.Batch) {
	var (
		ids, organizations, kinds []string
		revisions                 []int64
	)
	for i, r := range p.applied {
		if r.alert.Mode == modeReplay { // what is judged again is nobody's news
			continue
		}
		ids, organizations = append(ids, r.alert.ID), append(organizations, r.alert.Organization)
		kinds, revisions = append(kinds, p.kinds[i]), append(revisions, int64(r.alert.Revision))
	}
	if len(ids) == 0 {
		return
	}
	q.Queue(`
INSERT INTO outbox (alert_id, revision, organization, kind)
SELECT * FROM unnest($1::text[], $2::bigint[], $3::text[], $4::text[])`,
		ids, revisions, organizations, kinds).Exec(expectRows(len(ids)))
}

const modeReplay = "replay"

// collectEvidence lists the events of all applied revisions once each, by primary key: two sinks that meet wait for
// each other instead of locking each other out.
func (p *plan) collectEvidence(off map[string]bool) {
	type item struct {
		alert *topics.Alert
		*topics.Evidence
	}
	var items []item
	for _, r := range p.applied {
		for i := range r.alert.Evidence {
			items = append(items, item{&r.alert, &r.alert.Evidence[i]})
		}
	}
	compare := func(x, y item) int {
		return cmp.Or(cmp.Compare(x.alert.ID, y.alert.ID), cmp.Compare(x.Topic, y.Topic),
			cmp.Compare(x.Partition, y.Partition), cmp.Compare(x.Offset, y.Offset))
	}
	slices.SortStableFunc(items, compare)
	items = slices.CompactFunc(items, func(x, y item) bool { return compare(x, y) == 0 })
	for _, it := range items {
		status := statusPending
		if off[it.alert.Organization] {
			status = statusOff
		} else {
			p.pending++
		}
		p.evidence.add(it.alert, it.Evidence, status)
	}
}

func expectRows(n int) func(pgconn.CommandTag) error {
	return func(tag pgconn.CommandTag) error {
		if got := tag.RowsAffected(); got != int64(n) {
			return fmt.Errorf("%w: %d rows written instead of %d", errChanged, got, n)
		}
		return nil
	}
}
