package sink

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"tocsin/topics"
)

// Bounds on [Filter.Limit].
const (
	DefaultLimit = 100
	MaxLimit     = 1000
)

// Scope says whose alerts a question is about. The database enforces it: an organisation's questions are asked as
// [RoleReader], whom row-level security shows nothing else, an operator's as [RoleOperator].
type Scope struct {
	// Organization that asks. Must be set unless Operator is.
	Organization string
	// Operator sees the alerts of every organisation, those without one, and what is only claimed.
	Operator bool
}

// Filter narrows a list. Zero fields narrow nothing.
type Filter struct {
	// Organization, for operators: only this one. A pointer to "" asks for alerts without organisation.
	Organization *string
	// Rules, Severities, Statuses, States: any of these.
	Rules, Severities, Statuses, States []string
	// Since: last seen at or after.
	Since time.Time
	// Limit is the largest number of alerts returned; 0 stands for 100, and 1,000 is the most.
	Limit int
	// Cursor is [Page.Next] of the page before.
	Cursor string
}

// Stored is an alert as it stands in the database.
type Stored struct {
	topics.Alert
	Status  string    `json:"status"`  // open, acknowledged, resolved, dismissed
	Created time.Time `json:"created"` // first stored
	Updated time.Time `json:"updated"` // last revision or change of status
}

// Page is a part of a list.
type Page struct {
	Alerts []Stored // newest crossing first; without evidence
	Next   string   // cursor of the next page; empty at the end
}

// Detail is all that is known of an alert.
type Detail struct {
	Stored
	History  []Change `json:"history"`
	Evidence []Copy   `json:"evidence_records"` // of the alert's evidence, as far as the scope may see it
}

// Change is a row of an alert's history.
type Change struct {
	At         time.Time `json:"at"`
	Actor      string    `json:"actor"`
	Kind       string    `json:"kind"` // revision, status, …
	FromStatus string    `json:"from,omitempty"`
	ToStatus   string    `json:"to,omitempty"`
	Note       string    `json:"note,omitempty"`
	Revision   int64     `json:"revision,omitempty"`
	State      string    `json:"state,omitempty"`
	Count      int64     `json:"count,omitempty"`
}

// Copy is what was kept of an evidence record. Key, Headers and Value are there when Status is copied.
type Copy struct {
	topics.Evidence
	Status       string          `json:"status"`           // pending, copied, digest, gone, off, erased
	Detail       string          `json:"detail,omitempty"` // why there is no copy
	RecordTime   *time.Time      `json:"record_time,omitempty"`
	Key          []byte          `json:"key,omitempty"`
	Headers      []topics.Header `json:"headers,omitempty"`
	Value        []byte          `json:"value,omitempty"`
	RecordBytes  int64           `json:"record_bytes,omitempty"`
	ValueSHA256  []byte          `json:"value_sha256,omitempty"`
	RecordSHA256 []byte          `json:"record_sha256,omitempty"` // see RecordDigest
}

// Queries answers questions about stored alerts.
type Queries struct{ pool *pgxpool.Pool }

// NewQueries asks the database behind pool, whose login must be granted the roles (see [Grant]).
func NewQueries(pool *pgxpool.Pool) *Queries { return &Queries{pool} }

// scoped runs do in a read-only transaction that sees what scope may.
func (q *Queries) scoped(ctx context.Context, scope Scope, do func(pgx.Tx) error) error {
	role := RoleReader
	switch {
	case scope.Operator:
		role = RoleOperator
	case scope.Organization == "":
		return errors.New("name an organisation: alerts without one are for operators")
	}
	err := pgx.BeginTxFunc(ctx, q.pool, pgx.TxOptions{AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SET LOCAL ROLE "+role); err != nil {
			return fmt.Errorf("take on role %s: %w", role, err)
		}
		if _, err := tx.Exec(ctx, "SELECT set_config('tocsin.organization', $1, true)", scope.Organization); err != nil {
			return fmt.Errorf("set organisation: %w", err)
		}
		return do(tx)
	})
	return withRemedy(named(ctx, q.pool, err))
}

// List returns alerts, those with the newest crossing first. The order does not change when alerts grow, so a list
// read page by page misses none.
func (q *Queries) List(ctx context.Context, scope Scope, f Filter) (Page, error) {
	limit := f.Limit
	switch {
	case limit == 0:
		limit = DefaultLimit
	case limit < 0 || limit > MaxLimit:
		return Page{}, fmt.Errorf("limit %d is outside 1–%d", limit, MaxLimit)
	}
	sql, args, err := f.query(scope, limit)
	if err != nil {
		return Page{}, err
	}
	var (
		page Page
		last cursorKey
	)
	err = q.scoped(ctx, scope, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, sql, args...)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			a, key, err := scanStored(rows, scope)
			if err != nil {
				return err
			}
			if len(page.Alerts) == limit {
				page.Next = last.String()
				break
			}
			page.Alerts, last = append(page.Alerts, a), key
		}
		rows.Close()
		return rows.Err()
	})
	return page, wrap("list alerts", err)
}

const storedColumns = `id, crossing, status, created, updated`

// query builds the statement; only placeholders stand where values go.
func (f Filter) query(scope Scope, limit int) (string, []any, error) {
	conditions, args, err := f.conditions(scope, "")
	if err != nil {
		return "", nil, err
	}
	where := ""
	if len(conditions) > 0 {
		where = " WHERE " + strings.Join(conditions, " AND ")
	}
	// One more than asked for tells whether there is a next page.
	return `SELECT ` + storedColumns + `, record - 'evidence' FROM alerts` + where +
		` ORDER BY crossing DESC, id DESC LIMIT ` + strconv.Itoa(limit+1), args, nil
}

// conditions are what a row of alerts must meet. prefix stands before the names of its columns.
func (f Filter) conditions(scope Scope, prefix string) (conditions []string, args []any, err error) {
	add := func(condition string, value any) {
		args = append(args, value)
		conditions = append(conditions, prefix+strings.ReplaceAll(condition, "?", "$"+strconv.Itoa(len(args))))
	}
	anyOf := func(column string, values []string) {
		if len(values) > 0 {
			add(column+" = ANY(?)", values)
		}
	}
	switch { // row-level security says the same again
	case !scope.Operator:
		add("organization = ?", scope.Organization)
	case f.Organization != nil:
		add("organization = ?", *f.Organization)
	}
	anyOf("rule_id", f.Rules)
	anyOf("severity", f.Severities)
	anyOf("status", f.Statuses)
	anyOf("state", f.States)
	if !f.Since.IsZero() {
		add("last_seen >= ?", f.Since)
	}
	if f.Cursor != "" {
		key, err := parseCursor(f.Cursor)
		if err != nil {
			return nil, nil, err
		}
		args = append(args, key.crossing, key.id)
		conditions = append(conditions, fmt.Sprintf("(%[1]scrossing, %[1]sid) < ($%[2]d, $%[3]d)", prefix, len(args)-1,
			len(args)))
	}
	return conditions, args, nil
}

func scanStored(row pgx.Row, scope Scope) (a Stored, key cursorKey, err error) {
	var record []byte
	if err := row.Scan(&key.id, &key.crossing, &a.Status, &a.Created, &a.Updated, &record); err != nil {
		return a, key, err
	}
	if err := json.Unmarshal(record, &a.Alert); err != nil {
		return a, key, fmt.Errorf("stored record of alert %s: %w", key.id, err)
	}
	a.Created, a.Updated = a.Created.UTC(), a.Updated.UTC()
	if !scope.Operator && !a.OrganizationTrusted {
		withholdClaims(&a.Alert)
	}
	return a, key, nil
}

// withholdClaims leaves of an alert about events whose organisation is only claimed what that organisation may see:
// that it exists, when and how often, and the ids and offsets of the events. What the events claim is not theirs.
func withholdClaims(a *topics.Alert) {
	a.Group = map[string]string{}
	a.Sentence, a.TraceID = "", ""
	for i, e := range a.Evidence {
		a.Evidence[i] = topics.Evidence{
			Role: e.Role, ID: e.ID, IDSHA256: e.IDSHA256, Topic: e.Topic, Partition: e.Partition, Offset: e.Offset,
			Timestamp: e.Timestamp, Outcome: e.Outcome,
		}
	}
}

// cursorKey is the place of an alert in the list.
type cursorKey struct {
	crossing time.Time
	id       string
}

func (k cursorKey) String() string {
	return base64.RawURLEncoding.EncodeToString([]byte(strconv.FormatInt(k.crossing.UnixMicro(), 10) + "." + k.id))
}

func parseCursor(s string) (cursorKey, error) {
	text, err := base64.RawURLEncoding.DecodeString(s)
	micros, id, _ := strings.Cut(string(text), ".")
	n, err2 := strconv.ParseInt(micros, 10, 64)
	if err != nil || err2 != nil || !isAlertID(id) {
		return cursorKey{}, fmt.Errorf("cursor %.80q is not one of ours: take it from the page before", s)
	}
	return cursorKey{time.UnixMicro(n).UTC(), id}, nil
}
