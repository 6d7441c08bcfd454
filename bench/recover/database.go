package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/jackc/pgx/v5"

	"tocsin/processor/embedded"
	"tocsin/processor/sink"
)

// database is a PostgreSQL server of this run.
type database struct{ *embedded.Postgres }

// startDatabase starts one whose commits survive a loss of power, as one in production does.
func (w *world) startDatabase(ctx context.Context) (*database, error) {
	server, err := embedded.StartPostgres(ctx, embedded.PostgresConfig{Fsync: true})
	if err != nil {
		return nil, err
	}
	return &database{server}, nil
}

func (db *database) stop() {
	const bound = time.Minute
	ctx, cancel := context.WithTimeout(context.Background(), bound)
	defer cancel()
	if err := db.Stop(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "recover: stop PostgreSQL:", err)
	}
}

// store makes a migrated database for the process. Its address goes by the environment, for it has a password in it.
func (n *node) store(ctx context.Context, db *database, name string) error {
	if err := db.CreateDatabase(ctx, name); err != nil {
		return err
	}
	if _, err := sink.Migrate(ctx, db.DSN(name)); err != nil {
		return err
	}
	n.env = []string{"TOCSIN_POSTGRES__URL=" + db.DSN(name)}
	return nil
}

// stored is what has become of alerts in a database.
type stored struct {
	position int64 // sum of the sink's next offsets
	alerts   int
	evidence int // rows
	copied   int // of them
}

// look reads the position, which is quick.
func (s *stored) look(ctx context.Context, conn *pgx.Conn) error {
	return conn.QueryRow(ctx, `SELECT coalesce(sum(next), 0)::bigint FROM sink_offsets`).Scan(&s.position)
}

// count counts everything.
func (s *stored) count(ctx context.Context, conn *pgx.Conn) error {
	return errors.Join(
		conn.QueryRow(ctx, `SELECT count(*) FROM alerts`).Scan(&s.alerts),
		conn.QueryRow(ctx, `SELECT count(*), count(*) FILTER (WHERE status = 'copied') FROM alert_evidence`).
			Scan(&s.evidence, &s.copied))
}

// pending says whether evidence waits to be copied.
func pending(ctx context.Context, conn *pgx.Conn) (waits bool, err error) {
	err = conn.QueryRow(ctx, `SELECT EXISTS (SELECT FROM alert_evidence WHERE status = 'pending')`).Scan(&waits)
	return waits, err
}

// check says whether all is there.
func (s *stored) check(alerts, evidence int) error {
	if s.alerts != alerts || s.evidence != alerts*evidence || s.copied != s.evidence {
		return fmt.Errorf("%d alerts with %d evidence rows are stored, %d of them copied; %d with %d each were written",
			s.alerts, s.evidence, s.copied, alerts, evidence)
	}
	return nil
}
