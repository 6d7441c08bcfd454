package embedded_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"tocsin/processor/embedded"
)

// A database is borrowed from whoever serves it; where nobody does, it is started for the borrower and gone afterwards.
func TestBorrowPostgres(t *testing.T) {
	dir := reachableDir(t)
	cfg := embedded.PostgresConfig{Dir: dir}
	_, err := embedded.BorrowPostgres(t.Context(), cfg)
	require.ErrorContains(t, err, "there is no database in")

	pg, err := embedded.StartPostgres(t.Context(), cfg)
	require.NoError(t, err)
	require.NoError(t, pg.CreateDatabase(t.Context(), "kept"))
	loan, err := embedded.BorrowPostgres(t.Context(), cfg)
	require.NoError(t, err)
	require.Equal(t, pg.DSN("kept"), loan.DSN("kept"), "the server that runs")
	require.NoError(t, loan.Return(t.Context()))
	answers(t, pg.DSN("kept"))
	require.NoError(t, pg.Stop(t.Context()))

	loan, err = embedded.BorrowPostgres(t.Context(), cfg)
	require.NoError(t, err)
	answers(t, loan.DSN("kept"))
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	_, err = embedded.BorrowPostgres(ctx, cfg)
	require.ErrorIs(t, err, context.DeadlineExceeded, "a borrowed server is not lent on")

	next := make(chan error, 1)
	go func() {
		second, err := embedded.BorrowPostgres(t.Context(), cfg)
		if err == nil {
			err = second.Return(t.Context())
		}
		next <- err
	}()
	require.NoError(t, loan.Return(t.Context()))
	require.NoError(t, <-next, "the second waits for the first")
	_, err = os.Stat(filepath.Join(dir, "data", "postmaster.pid"))
	require.ErrorIs(t, err, os.ErrNotExist, "no server is left")
}

func answers(t *testing.T, dsn string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	require.NoError(t, err)
	require.NoError(t, conn.Close(t.Context()))
}
