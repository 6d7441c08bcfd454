package sink

import (
	"context"
	"strconv"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"tocsin/processor/processortest/pgtest"
)

func newPoolWith(t testing.TB, cfg *pgxpool.Config) *pgxpool.Pool {
	t.Helper()
	pool, err := pgxpool.NewWithConfig(t.Context(), cfg)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	return pool
}

func TestMigrate(t *testing.T) {
	t.Parallel()
	dsn := pgtest.NewDatabase(t)
	status, err := MigrationStatus(t.Context(), dsn)
	require.NoError(t, err)
	require.NotEmpty(t, status)
	for i, m := range status {
		require.EqualValues(t, i+1, m.Version, "numbered without gaps")
		require.True(t, m.Applied.IsZero())
	}

	// Many at once: each step is applied by one of them.
	var (
		group errgroup.Group
		steps = make([][]Migration, 3)
	)
	for i := range steps {
		group.Go(func() (err error) {
			steps[i], err = Migrate(context.Background(), dsn)
			return err
		})
	}
	require.NoError(t, group.Wait())
	require.Len(t, append(append(steps[0], steps[1]...), steps[2]...), len(status))

	again, err := Migrate(t.Context(), dsn)
	require.NoError(t, err)
	require.Empty(t, again)
	status, err = MigrationStatus(t.Context(), dsn)
	require.NoError(t, err)
	for _, m := range status {
		require.False(t, m.Applied.IsZero(), m.Name)
	}
}

func TestMigrateStopsAtAForeignTable(t *testing.T) {
	t.Parallel()
	dsn := pgtest.NewDatabase(t)
	conn, err := pgx.Connect(t.Context(), dsn)
	require.NoError(t, err)
	defer func() { _ = conn.Close(context.Background()) }()
	_, err = conn.Exec(t.Context(), "CREATE TABLE sink_offsets (mine int)")
	require.NoError(t, err)
	_, err = Migrate(t.Context(), dsn)
	require.ErrorContains(t, err, "already exists")
	require.ErrorContains(t, err, "version:3")
	require.ErrorContains(t, err, "give Tocsin a database of its own")
	require.NotContains(t, err.Error(), "password")
}

func TestMigrateDoesNotWaitForever(t *testing.T) {
	t.Parallel()
	dsn := pgtest.NewDatabase(t)
	_, err := MigrationStatus(t.Context(), dsn) // makes the table of versions
	require.NoError(t, err)
	conn, err := pgx.Connect(t.Context(), dsn)
	require.NoError(t, err)
	defer func() { _ = conn.Close(context.Background()) }()
	err = pgx.BeginFunc(t.Context(), conn, func(tx pgx.Tx) error {
		_, err := tx.Exec(t.Context(), "LOCK TABLE "+migrationTable)
		require.NoError(t, err)
		_, err = Migrate(t.Context(), dsn)
		return err
	})
	require.ErrorContains(t, err, "55P03") // lock_not_available
}

func TestMigrateAddress(t *testing.T) {
	t.Parallel()
	_, err := Migrate(t.Context(), "postgres://u:hunter2@[::1/x")
	require.ErrorContains(t, err, "database address")
	require.NotContains(t, err.Error(), "hunter2")
}

func TestMigrateWithoutTheRightToCreateRoles(t *testing.T) {
	t.Parallel()
	e := newEnv(t) // makes sure the roles are there
	_, err := e.pool.Exec(t.Context(), "CREATE ROLE plain_owner LOGIN PASSWORD 'x'")
	require.NoError(t, err)
	admin := pgtest.Server(t).SuperuserDSN("postgres")
	conn, err := pgx.Connect(t.Context(), admin)
	require.NoError(t, err)
	defer func() { _ = conn.Close(context.Background()) }()
	_, err = conn.Exec(t.Context(), "CREATE DATABASE plain OWNER plain_owner")
	require.NoError(t, err)
	defer func() {
		_, err := conn.Exec(context.Background(), "DROP DATABASE plain WITH (FORCE)")
		require.NoError(t, err)
		_, err = conn.Exec(context.Background(), "DROP ROLE plain_owner")
		require.NoError(t, err)
	}()
	conf, err := pgx.ParseConfig(admin)
	require.NoError(t, err)
	dsn := "postgres://plain_owner:x@" + conf.Host + ":" + strconv.Itoa(int(conf.Port)) + "/plain?sslmode=disable"
	_, err = Migrate(t.Context(), dsn)
	require.NoError(t, err, "the roles exist already, which is all it needs")
}
