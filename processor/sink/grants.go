package sink

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// GrantKind is what a grant is about.
type GrantKind string

// The kinds.
const (
	GrantDatabase GrantKind = "database"
	GrantSchema   GrantKind = "schema"
	GrantTable    GrantKind = "table"
	GrantRole     GrantKind = "role" // membership
)

// Right is one right in the database.
type Right struct {
	Privilege string // CONNECT, USAGE, SELECT, INSERT, UPDATE, or MEMBER
	Kind      GrantKind
	Schema    string // of a table
	Object    string
	Grantee   string
	// Own says that the migrations see to it. The others are for whoever makes the login.
	Own bool
	Why string // what it is needed for
}

// Statement grants it.
func (g Right) Statement() string {
	object, to := QuoteName(g.Object), " TO "+QuoteName(g.Grantee)
	switch g.Kind {
	case GrantRole:
		return "GRANT " + object + to
	case GrantDatabase:
		return "GRANT " + g.Privilege + " ON DATABASE " + object + to
	case GrantSchema:
		return "GRANT " + g.Privilege + " ON SCHEMA " + object + to
	}
	return "GRANT " + g.Privilege + " ON " + QuoteName(g.Schema) + "." + object + to
}

// String is how people say it: SELECT on table alerts for tocsin_sink.
func (g Right) String() string {
	if g.Kind == GrantRole {
		return "membership of " + g.Grantee + " in role " + g.Object
	}
	return fmt.Sprintf("%s on %s %s for %s", g.Privilege, g.Kind, g.Object, g.Grantee)
}

// reserved are the words of PostgreSQL that are no names without quotes (appendix C of its manual).
const reserved = " all analyse analyze and any array as asc asymmetric authorization binary both case cast check" +
	" collate collation column concurrently constraint create cross current_catalog current_date current_role" +
	" current_schema current_time current_timestamp current_user default deferrable desc distinct do else end" +
	" except false fetch for foreign freeze from full grant group having ilike in initially inner intersect" +
	" into is isnull join lateral leading left like limit localtime localtimestamp natural not notnull null" +
	" offset on only or order outer overlaps placing primary references returning right select session_user" +
	" similar some symmetric system_user table tablesample then to trailing true union unique user using" +
	" variadic verbose when where window with "

// QuoteName writes a name as SQL does: in quotes where it needs them.
func QuoteName(name string) string {
	plain := name != "" && (name[0] < '0' || name[0] > '9') && !strings.ContainsFunc(name, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '_'
	})
	if plain && !strings.Contains(reserved, " "+name+" ") {
		return name
	}
	return pgx.Identifier{name}.Sanitize()
}

// tableGrants are what the three roles need, and why. The migrations grant them, and some more to operators.
var tableGrants = []struct{ role, table, privileges, why string }{
	{RoleSink, "alerts", "SELECT INSERT UPDATE", "store alerts"},
	{RoleSink, "alert_history", "INSERT", "store each revision"},
	{RoleSink, "outbox", "INSERT", "leave word for the notifier"},
	{RoleSink, "sink_offsets", "SELECT INSERT UPDATE", "remember how far the sink is"},
	{RoleSink, "alert_rejects", "INSERT", "set aside what cannot be stored"},
	{RoleSink, "alert_evidence", "SELECT INSERT UPDATE", "copy the events behind an alert"},
	{RoleOperator, "alerts", "SELECT", "show alerts"},
	{RoleOperator, "alert_history", "SELECT", "show alerts"},
	{RoleOperator, "alert_evidence", "SELECT", "show alerts"},
	{RoleReader, "alerts", "SELECT", "show an organisation its alerts"},
	{RoleReader, "alert_history", "SELECT", "show an organisation its alerts"},
	{RoleReader, "alert_evidence", "SELECT", "show an organisation its alerts"},
}

// Grants lists the least rights with which a login works as sink, answers queries and lists migrations. An empty schema
// is public.
func Grants(login, database, schema string) []Right {
	if schema == "" {
		schema = "public"
	}
	roles := []string{RoleSink, RoleReader, RoleOperator}
	all := []Right{
		{Privilege: "CONNECT", Kind: GrantDatabase, Object: database, Grantee: login, Why: "connect"},
		{Privilege: "USAGE", Kind: GrantSchema, Object: schema, Grantee: login, Why: "list migrations"},
		{Privilege: "SELECT", Kind: GrantTable, Schema: schema, Object: migrationTable, Grantee: login,
			Why: "list migrations"},
	}
	for _, r := range roles {
		why := map[string]string{
			RoleSink: "store alerts", RoleReader: "show an organisation its alerts", RoleOperator: "show all alerts",
		}[r]
		all = append(all, Right{Privilege: "MEMBER", Kind: GrantRole, Object: r, Grantee: login, Why: why})
	}
	for _, r := range roles {
		all = append(all, Right{Privilege: "USAGE", Kind: GrantSchema, Object: schema, Grantee: r, Own: true,
			Why: "reach the tables"})
	}
	for _, t := range tableGrants {
		for p := range strings.FieldsSeq(t.privileges) {
			all = append(all, Right{Privilege: p, Kind: GrantTable, Schema: schema, Object: t.table, Grantee: t.role,
				Own: true, Why: t.why})
		}
	}
	return all
}

// GrantError says which grants a login lacks.
type GrantError struct {
	Login   string
	Missing []Right
	Err     error // what the database refused; nil: nothing was tried
}

// Error implements error: what is missing, for what, and the remedy.
func (e *GrantError) Error() string {
	var b strings.Builder
	if e.Err != nil {
		b.WriteString(e.Err.Error() + ": ")
	}
	fmt.Fprintf(&b, "the database does not allow %s to work:", e.Login)
	for i, g := range e.Missing {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, " %s (%s)", g, g.Why)
	}
	b.WriteString(" is missing; grant it as the owner of the tables (`tocsin migrate grants` prints all that is needed):")
	for _, g := range e.Missing {
		b.WriteString("\n  " + g.Statement() + ";")
	}
	return b.String()
}

// Unwrap gives what the database refused.
func (e *GrantError) Unwrap() error { return e.Err }

// querier is a pool, a connection or a transaction.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// MissingGrants asks the database which of [Grants] the login of pool lacks. Where the tables have not been made it
// returns none: that is for another message.
func MissingGrants(ctx context.Context, pool *pgxpool.Pool) (login string, missing []Right, err error) {
	return missingGrants(ctx, pool)
}

func missingGrants(ctx context.Context, db querier) (login string, missing []Right, err error) {
	var database, schema string
	// pg_class shows what there is to everybody. Without USAGE on its schema a table cannot be found by name.
	err = db.QueryRow(ctx, `
		SELECT session_user, current_database(), n.nspname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE c.relname = $1 AND c.relkind IN ('r', 'p')
		ORDER BY n.nspname = ANY (current_schemas(false)) DESC, n.nspname LIMIT 1`, migrationTable).
		Scan(&login, &database, &schema)
	if errors.Is(err, pgx.ErrNoRows) {
		return login, nil, nil
	}
	if err != nil {
		return login, nil, fmt.Errorf("look at the grants: %w", err)
	}
	all := Grants(login, database, schema)
	var kinds, privileges, objects, grantees []string
	for _, g := range all {
		kinds, privileges = append(kinds, string(g.Kind)), append(privileges, g.Privilege)
		objects, grantees = append(objects, g.Object), append(grantees, g.Grantee)
	}
	rows, err := db.Query(ctx, `
		SELECT CASE
			WHEN r.oid IS NULL OR (w.kind = 'role' AND o.oid IS NULL) THEN false
			WHEN w.kind = 'database' THEN has_database_privilege(r.oid, w.object, w.privilege)
			WHEN w.kind = 'schema' THEN has_schema_privilege(r.oid, w.object, w.privilege)
			WHEN w.kind = 'role' THEN pg_has_role(r.oid, o.oid, 'MEMBER')
			ELSE coalesce(has_table_privilege(r.oid, c.oid, w.privilege), true) -- not there: not migrated
		END
		FROM unnest($1::text[], $2::text[], $3::text[], $4::text[])
			WITH ORDINALITY AS w (kind, privilege, object, grantee, place)
		LEFT JOIN pg_roles r ON r.rolname = w.grantee
		LEFT JOIN pg_roles o ON w.kind = 'role' AND o.rolname = w.object
		LEFT JOIN pg_namespace n ON n.nspname = $5
		LEFT JOIN pg_class c ON w.kind = 'table' AND c.relname = w.object AND c.relnamespace = n.oid
		ORDER BY w.place`, kinds, privileges, objects, grantees, schema)
	if err != nil {
		return login, nil, fmt.Errorf("look at the grants: %w", err)
	}
	has, err := pgx.CollectRows(rows, pgx.RowTo[bool])
	if err != nil {
		return login, nil, fmt.Errorf("look at the grants: %w", err)
	}
	for i, ok := range has {
		if !ok {
			missing = append(missing, all[i])
		}
	}
	return login, missing, nil
}

// Codes of PostgreSQL's answers (appendix A of its manual) behind which a right may be missing.
var deniedCodes = []string{
	"42501", // insufficient_privilege
	"3F000", // invalid_schema_name: nothing is left of the search path
	"42P01", // undefined_table: its schema cannot be seen
}

// named adds to a refusal of the database which grant is missing. Other errors it returns as they are.
func named(ctx context.Context, db querier, err error) error {
	var refused *pgconn.PgError
	if !errors.As(err, &refused) || !slices.Contains(deniedCodes, refused.Code) {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	login, missing, askErr := missingGrants(ctx, db)
	if askErr != nil || len(missing) == 0 {
		return err
	}
	return &GrantError{Login: login, Missing: missing, Err: err}
}
