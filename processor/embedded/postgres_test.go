package embedded_test

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"tocsin/processor/embedded"
	"tocsin/processor/processortest/pgtest"
	"tocsin/processor/processortest/ports"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// reachableDir is a folder to be made that PostgreSQL's user can reach.
func reachableDir(t *testing.T) string {
	t.Helper()
	return filepath.Join(pgtest.TempDir(t), "pg")
}

func startPostgres(t *testing.T, cfg embedded.PostgresConfig) *embedded.Postgres {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	p, err := embedded.StartPostgres(ctx, cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, p.Stop(context.Background())) })
	return p
}

func query[T any](t *testing.T, dsn, sql string) T {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	require.NoError(t, err)
	defer func() { require.NoError(t, conn.Close(t.Context())) }()
	var v T
	require.NoError(t, conn.QueryRow(t.Context(), sql).Scan(&v))
	return v
}

func TestPostgresKeepsItsData(t *testing.T) {
	dir := reachableDir(t)
	port, err := ports.Free(t.Context())
	require.NoError(t, err)
	p := startPostgres(t, embedded.PostgresConfig{Dir: dir, Port: port, Fsync: true})
	require.NoError(t, p.CreateDatabase(t.Context(), "audit"))
	require.NoError(t, p.CreateDatabase(t.Context(), "audit"), "a second time changes nothing")
	dsn := p.DSN("audit")
	query[int](t, dsn, "WITH x AS (SELECT 1) SELECT * FROM x")
	require.Equal(t, "on", query[string](t, dsn, "SHOW fsync"))
	require.False(t, query[bool](t, dsn, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user"))
	require.True(t, query[bool](t, p.SuperuserDSN("audit"), "SELECT rolsuper FROM pg_roles WHERE rolname = current_user"))
	conn, err := pgx.Connect(t.Context(), dsn)
	require.NoError(t, err)
	_, err = conn.Exec(t.Context(), "CREATE TABLE kept AS SELECT 7 AS n")
	require.NoError(t, err)
	require.NoError(t, conn.Close(t.Context()))

	require.NoError(t, p.Stop(t.Context()))
	<-p.Done()
	require.NoError(t, p.Stop(t.Context()), "a second stop is harmless")

	again := startPostgres(t, embedded.PostgresConfig{Dir: dir, Port: port})
	require.Equal(t, dsn, again.DSN("audit"), "same port and password")
	require.Equal(t, 7, query[int](t, again.DSN("audit"), "SELECT n FROM kept"))
	require.NoError(t, again.DropDatabase(t.Context(), "audit"))
}

func TestPostgresTemporaryFolderGoes(t *testing.T) {
	t.Setenv("TMPDIR", filepath.Dir(reachableDir(t)))
	p := startPostgres(t, embedded.PostgresConfig{})
	left := func() []string {
		found, err := filepath.Glob(filepath.Join(os.TempDir(), "tocsin-pg-*"))
		require.NoError(t, err)
		return found
	}
	require.Len(t, left(), 1)
	require.NoError(t, p.Stop(t.Context()))
	require.Empty(t, left())
}

func TestPostgresAsksForAPassword(t *testing.T) {
	p := startPostgres(t, embedded.PostgresConfig{})
	cfg, err := pgx.ParseConfig(p.DSN("postgres"))
	require.NoError(t, err)
	cfg.Password = "guess"
	_, err = pgx.ConnectConfig(t.Context(), cfg)
	require.ErrorContains(t, err, "28P01") // invalid_password
}

func TestPostgresFolderIsPrivate(t *testing.T) {
	dir := reachableDir(t)
	startPostgres(t, embedded.PostgresConfig{Dir: dir})
	for path, mode := range map[string]os.FileMode{"": 0o700, "data": 0o700, "passwords.json": 0o600, "postgres.log": 0o600} {
		info, err := os.Stat(filepath.Join(dir, path))
		require.NoError(t, err)
		require.Equal(t, mode, info.Mode().Perm(), path)
	}
	require.NoFileExists(t, filepath.Join(dir, "initdb-password"))
}

func TestPostgresStartAfterCutShortStart(t *testing.T) {
	dir := reachableDir(t)
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "data.new", "half"), 0o755))
	startPostgres(t, embedded.PostgresConfig{Dir: dir})
	require.NoDirExists(t, filepath.Join(dir, "data.new"))
}

func TestPostgresErrors(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = l.Close() }()
	busy := l.Addr().(*net.TCPAddr).Port
	lost := reachableDir(t)
	require.NoError(t, os.MkdirAll(filepath.Join(lost, "data"), 0o700))

	for name, c := range map[string]struct {
		cfg  embedded.PostgresConfig
		want string
	}{
		"wrong binaries":   {embedded.PostgresConfig{BinDir: "/nonexistent"}, "no initdb and postgres in /nonexistent"},
		"busy port":        {embedded.PostgresConfig{Port: busy}, "is not free"},
		"password is lost": {embedded.PostgresConfig{Dir: lost}, "passwords.json is missing"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := embedded.StartPostgres(t.Context(), c.cfg)
			require.ErrorContains(t, err, c.want)
		})
	}

	t.Run("in use", func(t *testing.T) {
		dir := reachableDir(t)
		startPostgres(t, embedded.PostgresConfig{Dir: dir})
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		_, err := embedded.StartPostgres(ctx, embedded.PostgresConfig{Dir: dir})
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorContains(t, err, "wait for the database in")
	})
}
