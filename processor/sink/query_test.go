package sink

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"tocsin/topics"
)

func organization(name string) func(*topics.Alert) {
	return func(a *topics.Alert) { a.Organization = name }
}

func claimed(a *topics.Alert) {
	a.OrganizationTrusted = false
	a.Rule.ID = "integrity-violation"
	a.Sentence, a.TraceID = "somebody claims to be org-a", "trace"
	a.Group = map[string]string{"kind": "forged", "source": "claimed"}
}

// manyTenants stores alerts of three organisations and none.
func manyTenants(t *testing.T) (*env, *Queries) {
	t.Helper()
	e := newEnv(t)
	ev := e.event("e-1")
	s := e.start(e.config())
	for i := range 10 {
		e.send(newAlert(i, 1, withEvidence(ev)))
	}
	e.send(
		newAlert(20, 1, organization("org-b"), func(a *topics.Alert) { a.Severity = "LOW" }),
		newAlert(21, 1, organization("")),
		newAlert(22, 1, claimed, withEvidence(ev)),
		newAlert(23, 1, organization("org-b' OR true --")),
	)
	e.settled()
	s.end()
	return e, NewQueries(e.pool)
}

func numbers(page Page) (n []int) {
	for _, a := range page.Alerts {
		for i := range 100 {
			if alertID(i) == a.ID {
				n = append(n, i)
			}
		}
	}
	return n
}

func TestList(t *testing.T) {
	t.Parallel()
	_, q := manyTenants(t)
	orgA, operator, none, quoted := Scope{Organization: "org-a"}, Scope{Operator: true}, "", "org-b' OR true --"
	tests := []struct {
		name   string
		scope  Scope
		filter Filter
		want   []int
	}{
		{"an organisation's", orgA, Filter{}, []int{22, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0}},
		{"another's", Scope{Organization: "org-b"}, Filter{}, []int{20}},
		{"nobody's", Scope{Organization: "org-c"}, Filter{}, nil},
		{"a name with SQL in it", Scope{Organization: quoted}, Filter{}, []int{23}},
		{"everything", operator, Filter{}, []int{23, 22, 21, 20, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0}},
		{"without organisation", operator, Filter{Organization: &none}, []int{21}},
		{"an organisation may not widen", orgA, Filter{Organization: &quoted, Limit: 1}, []int{22}},
		{"rule", orgA, Filter{Rules: []string{"integrity-violation", "x"}}, []int{22}},
		{"severity", operator, Filter{Severities: []string{"LOW"}}, []int{20}},
		{"status", orgA, Filter{Statuses: []string{"resolved"}}, nil},
		{"state", orgA, Filter{States: []string{"open"}, Limit: 2}, []int{22, 9}},
		{"since", orgA, Filter{Since: base.Add(8 * time.Minute)}, []int{22, 9, 8}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			page, err := q.List(t.Context(), tt.scope, tt.filter)
			require.NoError(t, err)
			require.Equal(t, tt.want, numbers(page))
			for _, a := range page.Alerts {
				require.Equal(t, "open", a.Status)
				require.Empty(t, a.Evidence)
				require.False(t, a.Created.IsZero())
			}
		})
	}

	var all []int
	for cursor := ""; ; {
		page, err := q.List(t.Context(), operator, Filter{Limit: 4, Cursor: cursor})
		require.NoError(t, err)
		all = append(all, numbers(page)...)
		if cursor = page.Next; cursor == "" {
			break
		}
		require.Len(t, page.Alerts, 4)
	}
	require.Equal(t, []int{23, 22, 21, 20, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0}, all)

	_, err := q.List(t.Context(), Scope{}, Filter{})
	require.ErrorContains(t, err, "name an organisation")
	_, err = q.List(t.Context(), operator, Filter{Limit: 1001})
	require.ErrorContains(t, err, "limit 1001")
	_, err = q.List(t.Context(), operator, Filter{Cursor: "x"})
	require.ErrorContains(t, err, "cursor")
}

func TestGet(t *testing.T) {
	t.Parallel()
	_, q := manyTenants(t)
	d, err := q.Get(t.Context(), Scope{Organization: "org-a"}, alertID(3))
	require.NoError(t, err)
	require.Equal(t, newAlert(3, 1).Sentence, d.Sentence)
	require.Equal(t, newAlert(3, 1).Crossing, d.Crossing, "all nine digits")
	require.Len(t, d.History, 1)
	require.Equal(t, "tocsin", d.History[0].Actor)
	require.EqualValues(t, 1, d.History[0].Revision)
	require.Len(t, d.Evidence, 1)

	for _, scope := range []Scope{{Organization: "org-b"}, {Organization: "org-c"}} {
		_, err = q.Get(t.Context(), scope, alertID(3))
		require.ErrorIs(t, err, ErrNotFound)
	}
	_, err = q.Get(t.Context(), Scope{Operator: true}, alertID(99))
	require.ErrorIs(t, err, ErrNotFound)
	_, err = q.Get(t.Context(), Scope{Operator: true}, "'; DROP TABLE alerts")
	require.ErrorContains(t, err, "32 lower-case hex digits")
	_, err = q.Get(t.Context(), Scope{Operator: true}, alertID(21))
	require.NoError(t, err)
}

func TestClaimsAreTheOperators(t *testing.T) {
	t.Parallel()
	_, q := manyTenants(t)
	tenant, err := q.Get(t.Context(), Scope{Organization: "org-a"}, alertID(22))
	require.NoError(t, err)
	require.Empty(t, tenant.Sentence)
	require.Empty(t, tenant.TraceID)
	require.Empty(t, tenant.Group)
	require.Empty(t, tenant.Evidence, "no copies")
	require.Len(t, tenant.Alert.Evidence, 1)
	require.Equal(t, "e-1", tenant.Alert.Evidence[0].ID)
	require.Empty(t, tenant.Alert.Evidence[0].Hash)

	operator, err := q.Get(t.Context(), Scope{Operator: true}, alertID(22))
	require.NoError(t, err)
	require.Equal(t, "somebody claims to be org-a", operator.Sentence)
	require.Len(t, operator.Evidence, 1)
	require.Equal(t, "copied", operator.Evidence[0].Status)
}

// What the database itself refuses, whatever a program asks.
func TestRowLevelSecurity(t *testing.T) {
	t.Parallel()
	e, _ := manyTenants(t)
	count := func(role, organization, table string) (n int) {
		err := pgx.BeginFunc(t.Context(), e.pool, func(tx pgx.Tx) error {
			if _, err := tx.Exec(t.Context(), "SET LOCAL ROLE "+role); err != nil {
				return err
			}
			if organization != "unset" {
				if _, err := tx.Exec(t.Context(), "SELECT set_config('tocsin.organization', $1, true)", organization); err != nil {
					return err
				}
			}
			return tx.QueryRow(t.Context(), "SELECT count(*) FROM "+table).Scan(&n)
		})
		require.NoError(t, err)
		return n
	}
	for _, tt := range []struct {
		role, organization, table string
		want                      int
	}{
		{RoleReader, "org-a", "alerts", 11}, {RoleReader, "org-b", "alerts", 1}, {RoleReader, "org-c", "alerts", 0},
		{RoleReader, "", "alerts", 0}, {RoleReader, "unset", "alerts", 0},
		{RoleReader, "org-a", "alert_history", 11}, {RoleReader, "org-b", "alert_history", 1},
		{RoleReader, "org-a", "alert_evidence", 10}, {RoleReader, "org-b", "alert_evidence", 0},
		{RoleOperator, "", "alerts", 14}, {RoleOperator, "", "alert_evidence", 11}, {RoleOperator, "", "outbox", 14},
		{RoleSink, "", "alerts", 14},
	} {
		require.Equal(t, tt.want, count(tt.role, tt.organization, tt.table), "%+v", tt)
	}

	refused := func(role, sql string) {
		t.Helper()
		err := inTx(t.Context(), e.pool, role, func(tx pgx.Tx) error {
			_, err := tx.Exec(context.Background(), sql)
			return err
		})
		require.ErrorContains(t, err, "42501", "%s: %s", role, sql)
	}
	for _, role := range []string{RoleReader, RoleOperator} {
		for _, table := range []string{"alerts", "alert_history", "alert_evidence", "outbox", "sink_offsets",
			"alert_rejects"} {
			refused(role, "DELETE FROM "+table)
			refused(role, "TRUNCATE "+table)
		}
		refused(role, "UPDATE alerts SET status = 'resolved'")
		refused(role, "UPDATE sink_offsets SET next = 0")
	}
	for _, table := range []string{"outbox", "alert_rejects", "sink_offsets"} {
		refused(RoleReader, "SELECT FROM "+table)
	}
	for _, sql := range []string{"DELETE FROM alerts", "UPDATE alert_history SET note = 'x'", "DELETE FROM alert_history",
		"CREATE TABLE x ()", "DROP TABLE alerts", "ALTER TABLE alerts DISABLE ROW LEVEL SECURITY"} {
		if sql[0] != 'D' || sql[:4] == "DELE" {
			refused(RoleSink, sql)
			continue
		}
		err := inTx(t.Context(), e.pool, RoleSink, func(tx pgx.Tx) error { _, err := tx.Exec(t.Context(), sql); return err })
		require.ErrorContains(t, err, "42501")
	}
}

func TestHistoryIsAppendOnly(t *testing.T) {
	t.Parallel()
	e, _ := manyTenants(t)
	for _, sql := range []string{
		"UPDATE alert_history SET note = 'never happened'", "DELETE FROM alert_history", "TRUNCATE alert_history",
	} {
		_, err := e.pool.Exec(t.Context(), sql) // as the owner of the table
		require.ErrorContains(t, err, "append-only", sql)
	}
	_, err := e.pool.Exec(t.Context(), "DELETE FROM alerts")
	require.ErrorContains(t, err, "23503", "an alert with a history cannot vanish")
}

func TestApplicationLogin(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	login := fmt.Sprintf("app_%d", time.Now().UnixNano())
	_, err := e.pool.Exec(t.Context(), "CREATE ROLE "+login+" LOGIN PASSWORD 'secret'")
	require.NoError(t, err)
	t.Cleanup(func() { _, _ = e.pool.Exec(context.Background(), "DROP ROLE "+login) })
	cfg := e.config()
	conf := e.pool.Config()
	conf.ConnConfig.User, conf.ConnConfig.Password = login, "secret"
	cfg.Pool = newPoolWith(t, conf)

	e.send(newAlert(1, 1, withEvidence(e.event("e-1"))))
	s := e.start(cfg)
	eventually(t, func() bool { return value(t, s.metrics.retries) > 0 }, "tries")
	require.Contains(t, s.Health().Reason, "GRANT tocsin_sink TO "+login)
	require.NoError(t, Grant(t.Context(), e.dsn, login))
	e.settled()
	s.end()

	_, err = cfg.Pool.Exec(t.Context(), "SELECT FROM alerts")
	require.ErrorContains(t, err, "42501", "without a role it may nothing")
	_, err = cfg.Pool.Exec(t.Context(), "CREATE TABLE mine ()")
	require.ErrorContains(t, err, "42501")
	page, err := NewQueries(cfg.Pool).List(t.Context(), Scope{Organization: "org-a"}, Filter{})
	require.NoError(t, err)
	require.Len(t, page.Alerts, 1)
	require.Error(t, Grant(t.Context(), e.dsn, ""))
	require.Equal(t, `ALTER ROLE "a""b" NOINHERIT`, GrantStatements(`a"b`)[0])
}
