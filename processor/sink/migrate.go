package sink

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

//go:embed migrations/*.sql
var migrations embed.FS

const (
	migrationTable = "tocsin_migrations"
	// migrationLock is the advisory lock that lets one process migrate at a time; any constant of our own will do.
	migrationLock = 7_211_984_450_136
	// lockTimeout bounds the wait for a table somebody else is using: a migration that waits makes every later query
	// on that table wait behind it.
	lockTimeout = "5s"

	duplicateTable = "42P07" // PostgreSQL's code for a relation that is there already
)

// The roles the migrations create (see the first of them); nobody logs in as one.
const (
	RoleSink     = "tocsin_sink"
	RoleReader   = "tocsin_reader"
	RoleOperator = "tocsin_operator"
)

// Migration is one step of the database's schema.
type Migration struct {
	Version int64
	Name    string    // file name
	Applied time.Time // zero: not yet
}

// Migrate brings the database at dsn up to the schema this program needs and returns the steps it applied. It needs
// the rights to create tables and roles, which the sink itself does not (see [GrantStatements]). Any number of
// processes may call it at once: one migrates, the others wait up to five minutes. A step that cannot get its tables
// within five seconds fails and changes nothing: run it again.
//
// Steps only ever add (expand), and take away what no supported version of the program uses any more (contract), so
// the version before runs on the new schema too. There are no steps down.
func Migrate(ctx context.Context, dsn string) ([]Migration, error) {
	var applied []Migration
	err := withProvider(dsn, func(p *goose.Provider) error {
		results, err := p.Up(ctx)
		var partial *goose.PartialError
		if errors.As(err, &partial) {
			results = partial.Applied
		}
		for _, r := range results {
			applied = append(applied, Migration{Version: r.Source.Version, Name: r.Source.Path, Applied: time.Now()})
		}
		var refused *pgconn.PgError
		if errors.As(err, &refused) && refused.Code == duplicateTable {
			return fmt.Errorf("migrate: %w: the table is somebody else's: give Tocsin a database of its own", err)
		}
		if err != nil {
			return fmt.Errorf("migrate: %w", err)
		}
		return nil
	})
	return applied, err
}

// MigrationStatus lists every step with the time it was applied.
func MigrationStatus(ctx context.Context, dsn string) ([]Migration, error) {
	var all []Migration
	err := withProvider(dsn, func(p *goose.Provider) error {
		status, err := p.Status(ctx)
		if err != nil {
			return fmt.Errorf("read migration status: %w", err)
		}
		for _, s := range status {
			all = append(all, Migration{Version: s.Source.Version, Name: s.Source.Path, Applied: s.AppliedAt})
		}
		return nil
	})
	return all, namedAt(ctx, dsn, err)
}

// namedAt is named, with a connection of its own.
func namedAt(ctx context.Context, dsn string, err error) error {
	if err == nil {
		return nil
	}
	conn, connErr := pgx.Connect(ctx, dsn)
	if connErr != nil {
		return err
	}
	defer conn.Close(ctx) //nolint:errcheck // only asked a question
	return named(ctx, conn, err)
}

func withProvider(dsn string, do func(*goose.Provider) error) (err error) {
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		return fmt.Errorf("database address: %w", err) // pgx leaves the password out of its message
	}
	config.RuntimeParams["lock_timeout"] = lockTimeout
	config.RuntimeParams["application_name"] = "tocsin migrate"
	db := stdlib.OpenDB(*config)
	defer func() { err = errors.Join(err, db.Close()) }()
	p, err := newProvider(db)
	if err != nil {
		return fmt.Errorf("prepare migrations: %w", err)
	}
	return do(p)
}

func newProvider(db *sql.DB) (*goose.Provider, error) {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, err
	}
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockID(migrationLock), lock.WithLockTimeout(1, 300))
	if err != nil {
		return nil, err
	}
	return goose.NewProvider(goose.DialectPostgres, db, files, goose.WithSessionLocker(locker),
		goose.WithTableName(migrationTable), goose.WithDisableGlobalRegistry(true))
}

// GrantStatements are the SQL statements that let the login of the application (an existing role without any right
// to change the schema) work as sink and answer queries. NOINHERIT matters: such a login sees nothing until it has
// taken on a role, and then only what that role may.
func GrantStatements(login string) []string {
	name := pgx.Identifier{login}.Sanitize()
	return []string{
		"ALTER ROLE " + name + " NOINHERIT",
		"GRANT " + strings.Join([]string{RoleSink, RoleReader, RoleOperator}, ", ") + " TO " + name,
		"GRANT SELECT ON " + migrationTable + " TO " + name,
	}
}

// Grant runs [GrantStatements] for login on the database at dsn.
func Grant(ctx context.Context, dsn, login string) (err error) {
	if login == "" || strings.ContainsRune(login, 0) {
		return errors.New("grant: name the role the application logs in as")
	}
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return fmt.Errorf("grant: %w", err)
	}
	defer func() { err = errors.Join(err, conn.Close(ctx)) }()
	statements := GrantStatements(login)
	if login == conn.Config().User {
		// The login owns the schema it is migrating. Without INHERIT it would lose the owner's rights on the next
		// database; row-level security binds it all the same, for it is forced.
		statements = statements[1:]
	}
	return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		for _, statement := range statements {
			if _, err := tx.Exec(ctx, statement); err != nil {
				return fmt.Errorf("grant: %s: %w", statement, err)
			}
		}
		return nil
	})
}
