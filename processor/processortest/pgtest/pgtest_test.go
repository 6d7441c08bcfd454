package pgtest_test

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"tocsin/processor/embedded"
	"tocsin/processor/processortest/pgtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(pgtest.Wrap(m)) }

func TestDatabasesAreApart(t *testing.T) {
	first, second := connect(t, pgtest.NewDatabase(t)), connect(t, pgtest.NewDatabase(t))
	for _, conn := range []*pgx.Conn{first, second} {
		_, err := conn.Exec(t.Context(), "CREATE TABLE mine (n int)")
		require.NoError(t, err)
	}
}

func TestStartIsApart(t *testing.T) {
	own := pgtest.Start(t, embedded.PostgresConfig{Dir: pgtest.TempDir(t)})
	shared := pgtest.Server(t)
	require.NotEqual(t, shared.Port(), own.Port())
	require.Same(t, shared, pgtest.Server(t))
}

func connect(t *testing.T, dsn string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

func BenchmarkNewDatabase(b *testing.B) {
	server := pgtest.Server(b)
	for b.Loop() {
		require.NoError(b, server.CreateDatabase(b.Context(), "bench"))
		require.NoError(b, server.DropDatabase(b.Context(), "bench"))
	}
}
