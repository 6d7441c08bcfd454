package sink

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"tocsin/processor/embedded"
	"tocsin/processor/processortest/pgtest"
	"tocsin/topics"
)

// limited is a migrated database and a login of its own that has what Grants lists and nothing else. The server is one
// of its own: the three roles belong to a whole server, and these tests take rights away from them.
type limited struct {
	*env

	login string
	dsn   string // of the login
	owner *pgxpool.Pool
}

func newLimited(t *testing.T) *limited {
	t.Helper()
	server := pgtest.Start(t, embedded.PostgresConfig{})
	require.NoError(t, server.CreateDatabase(t.Context(), "least"))
	l := &limited{env: newEnvOn(t, server.DSN("least")), login: "lim-ited"}
	l.owner = newPool(t, server.SuperuserDSN("least"))
	l.exec("CREATE ROLE " + QuoteName(l.login) + " LOGIN NOINHERIT PASSWORD 'correct horse'")
	// What everybody has by default is taken away, so that only what is listed counts.
	l.exec("REVOKE CONNECT ON DATABASE least FROM PUBLIC")
	l.exec("REVOKE ALL ON SCHEMA public FROM PUBLIC")
	l.exec("REVOKE SELECT ON " + migrationTable + " FROM " + QuoteName(l.login))
	for _, role := range []string{RoleSink, RoleReader, RoleOperator} {
		l.exec("REVOKE ALL ON ALL TABLES IN SCHEMA public FROM " + role)
	}
	for _, r := range Grants(l.login, "least", "") {
		l.exec(r.Statement())
	}
	u, err := url.Parse(server.DSN("least"))
	require.NoError(t, err)
	u.User = url.UserPassword(l.login, "correct horse")
	l.dsn = u.String()
	l.pool = newPool(t, l.dsn)
	return l
}

func (l *limited) exec(sql string) {
	l.t.Helper()
	_, err := l.owner.Exec(context.Background(), sql)
	require.NoError(l.t, err, sql)
}

// without takes a right away for as long as do runs.
func (l *limited) without(r Right, do func()) {
	l.t.Helper()
	l.exec(strings.Replace(strings.Replace(r.Statement(), "GRANT", "REVOKE", 1), " TO ", " FROM ", 1))
	defer l.exec(r.Statement())
	do()
}

// does is the work that needs a right: nil when it was done.
func (l *limited) does(r Right, n int) error {
	ctx := context.Background()
	if r.Object == migrationTable || r.Grantee == l.login && r.Kind == GrantSchema {
		_, err := MigrationStatus(ctx, l.dsn)
		return err
	}
	role := r.Grantee
	if r.Kind == GrantRole {
		role = r.Object
	}
	if role != RoleSink {
		_, err := NewQueries(l.pool).Get(ctx, Scope{Operator: role == RoleOperator, Organization: "org-a"}, alertID(0))
		return err
	}
	s := l.start(l.config())
	defer s.end()
	// All that the sink ever does: a new alert with evidence to copy, a revision of it, and one that cannot be stored.
	event := withEvidence(topics.Evidence{Role: "crossing", ID: "e", Topic: eventsTopic, Hash: "00ff", Outcome: "verified",
		Timestamp: topics.Timestamp(base.UnixNano())}) // the first record of partition 0
	l.send(newAlert(n, 1, event), newAlert(n, 2, event))
	l.produce(&kgo.Record{Topic: alertsTopic, Key: fmt.Append(nil, n), Value: []byte("no alert")})
	var problem error
	eventually(l.t, func() bool {
		h := s.Health()
		if said := h.Reason + h.Evidence; strings.Contains(said, "the database does not allow") {
			problem = errors.New(said)
			return true
		}
		return l.settledAll(n)
	}, "alert %d stored, or a reason", n)
	return problem
}

// settledAll says whether everything of does(n) is stored.
func (l *limited) settledAll(n int) bool {
	var done bool
	err := l.owner.QueryRow(context.Background(), `SELECT
		EXISTS (SELECT FROM alerts WHERE id = $1 AND revision = 2) AND
		EXISTS (SELECT FROM alert_evidence WHERE alert_id = $1 AND status = 'copied') AND
		EXISTS (SELECT FROM alert_rejects WHERE key = $2)`, alertID(n), fmt.Append(nil, n)).Scan(&done)
	require.NoError(l.t, err)
	return done
}

// A login with exactly the rights that Grants lists does everything, and with each of them taken away says which one
// it lacks and how it is granted.
func TestLeastGrants(t *testing.T) {
	l := newLimited(t)
	l.produce(&kgo.Record{Topic: eventsTopic, Partition: 0, Value: []byte("the event")})
	all := Grants(l.login, "least", "")
	n := 0
	for _, role := range []string{RoleSink, RoleReader, RoleOperator} {
		require.NoError(t, l.does(Right{Grantee: role, Kind: GrantTable}, n), role)
	}
	_, err := MigrationStatus(t.Context(), l.dsn)
	require.NoError(t, err)
	login, missing, err := MissingGrants(t.Context(), l.pool)
	require.NoError(t, err)
	require.Equal(t, l.login, login)
	require.Empty(t, missing)
	for _, r := range all {
		if r.Kind == GrantDatabase {
			continue // without it there is no connection: see the test of what is said of those
		}
		n++
		l.without(r, func() {
			_, missing, err := MissingGrants(t.Context(), l.pool)
			require.NoError(t, err)
			require.Equal(t, []Right{r}, missing)
			err = l.does(r, n)
			require.Error(t, err, "%s is not needed", r)
			require.ErrorContains(t, err, "the database does not allow lim-ited to work: "+r.String(), "without %s", r)
			require.ErrorContains(t, err, r.Statement()+";")
			require.NotContains(t, err.Error(), "horse")
		})
	}
}

func TestGrantStatementsAreQuoted(t *testing.T) {
	for want, r := range map[string]Right{
		`GRANT CONNECT ON DATABASE "My DB" TO "a""b"`: {Privilege: "CONNECT", Kind: GrantDatabase, Object: "My DB",
			Grantee: `a"b`},
		`GRANT CONNECT ON DATABASE "order" TO "user"`: {Privilege: "CONNECT", Kind: GrantDatabase, Object: "order",
			Grantee: "user"},
		`GRANT USAGE ON SCHEMA s TO "1st"`: {Privilege: "USAGE", Kind: GrantSchema, Object: "s", Grantee: "1st"},
		`GRANT SELECT ON public.alerts TO tocsin_sink`: {Privilege: "SELECT", Kind: GrantTable, Schema: "public",
			Object: "alerts", Grantee: RoleSink},
		`GRANT tocsin_reader TO tocsin`: {Privilege: "MEMBER", Kind: GrantRole, Object: RoleReader, Grantee: "tocsin"},
	} {
		require.Equal(t, want, r.Statement())
	}
}
