package embedded

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"tocsin/processor/embedded/child"
)

// PostgresConfig says where and how the server runs.
type PostgresConfig struct {
	Dir    string       // keeps data and passwords; empty: a temporary folder, removed by Stop
	Port   int          // on 127.0.0.1; 0: any free one
	BinDir string       // folder of initdb and postgres; empty: see FindPostgres
	Log    *slog.Logger // nil: silent

	// Fsync makes commits survive a loss of power. Off (tests, demo) it survives a crash of the process only, and
	// starts and commits are several times faster.
	Fsync bool
}

// Names of the two roles: the one that applications use, which is no superuser so that row-level security binds it, and
// the superuser.
const (
	roleApp   = "tocsin"
	roleSuper = "postgres"
)

// Codes of PostgreSQL's error messages (appendix A of its manual).
const (
	sqlDuplicateDatabase = "42P04"
	sqlDuplicateObject   = "42710"
)

// Postgres is a running server.
type Postgres struct {
	dir     string
	port    int
	temp    bool
	secrets secrets
	proc    *child.Process
	claim   *claim // nil: of a temporary folder
	log     *slog.Logger
}

// StartPostgres starts a server, making its data folder first when there is none, and returns once it answers. ctx
// bounds the start only. Started by root the server runs as the system user postgres, or else nobody, because it
// refuses to run as root; that user must then be able to reach cfg.Dir. A folder serves one server at a time: one of
// somebody else's is waited for, a moment.
func StartPostgres(ctx context.Context, cfg PostgresConfig) (*Postgres, error) {
	return startPostgres(ctx, cfg, nil)
}

// startPostgres takes over the claim on the folder; nil: it makes one, to serve.
func startPostgres(ctx context.Context, cfg PostgresConfig, c *claim) (_ *Postgres, err error) {
	defer func() {
		if err != nil {
			err = errors.Join(err, c.release())
		}
	}()
	log := cfg.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	bin, err := FindPostgres(ctx, cfg.BinDir)
	if err != nil {
		return nil, err
	}
	user, err := serverUser()
	if err != nil {
		return nil, err
	}
	folder, err := openFolder(cfg.Dir, user)
	if err != nil {
		return nil, err
	}
	if c == nil && !folder.temp {
		if c, err = folder.claim(ctx, serving); err != nil {
			return nil, err
		}
	}
	began := time.Now()
	p := &Postgres{dir: folder.path, temp: folder.temp, claim: c, log: log}
	if err := p.start(ctx, cfg, bin, folder); err != nil {
		if p.proc != nil {
			p.proc.Kill()
		}
		return nil, errors.Join(err, p.removeTemp())
	}
	log.Info("PostgreSQL is running", "port", p.port, "dir", p.dir, "bin", bin, "took", time.Since(began))
	return p, nil
}

func (p *Postgres) start(ctx context.Context, cfg PostgresConfig, bin string, folder folder) error {
	var err error
	if p.secrets, err = folder.initialise(ctx, bin, cfg.Fsync); err != nil {
		return err
	}
	if err := folder.waitForFormer(ctx); err != nil {
		return err
	}
	// Between choosing a free port and the server taking it, somebody else may: then choose again.
	for try := 0; ; try++ {
		if p.port, err = choosePort(ctx, cfg.Port); err != nil {
			return err
		}
		if p.proc, err = child.Start(folder.server(bin, p.port, cfg.Fsync)); err != nil {
			return err
		}
		err = p.waitReady(ctx)
		if err == nil || ctx.Err() != nil || cfg.Port != 0 || try == 2 {
			break
		}
		p.proc.Kill()
	}
	if err != nil {
		return err
	}
	return p.createRole(ctx)
}

// waitReady returns once the server takes connections, or with its last words if it ends instead.
func (p *Postgres) waitReady(ctx context.Context) error {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		conn, err := pgx.Connect(ctx, p.SuperuserDSN("postgres"))
		if err == nil {
			return conn.Close(ctx)
		}
		var refusal *pgconn.PgError
		if errors.As(err, &refusal) && refusal.Code != "57P03" { // 57P03: still starting up
			return fmt.Errorf("connect to the new PostgreSQL: %w", err)
		}
		select {
		case <-tick.C:
		case <-p.proc.Done():
			return fmt.Errorf("PostgreSQL ended while starting (%w); its log: %s", exitError(p.proc), p.proc.LogTail(2000))
		case <-ctx.Done():
			return fmt.Errorf("wait for PostgreSQL to answer: %w; its log: %s", ctx.Err(), p.proc.LogTail(2000))
		}
	}
}

// createRole makes the application's role, also in a folder whose first start was cut short.
func (p *Postgres) createRole(ctx context.Context) error {
	return p.asSuperuser(ctx, func(conn *pgx.Conn) error {
		// The password is our own hexadecimal text: nothing to escape.
		_, err := conn.Exec(ctx,
			fmt.Sprintf("CREATE ROLE %s LOGIN CREATEDB CREATEROLE PASSWORD '%s'", roleApp, p.secrets.App))
		if err != nil && !hasCode(err, sqlDuplicateObject) {
			return fmt.Errorf("create role %s: %w", roleApp, err)
		}
		return nil
	})
}

// DSN is the connection string of a database for applications. Its role owns what CreateDatabase made, may create
// databases and roles, but is no superuser. It holds a password: not for logs.
func (p *Postgres) DSN(database string) string { return p.dsn(roleApp, p.secrets.App, database) }

// SuperuserDSN is the connection string of a database for the superuser, to whom row-level security does not apply.
func (p *Postgres) SuperuserDSN(database string) string {
	return p.dsn(roleSuper, p.secrets.Super, database)
}

func (p *Postgres) dsn(role, password, database string) string {
	u := url.URL{
		Scheme:   "postgres",
		User:     url.UserPassword(role, password),
		Host:     net.JoinHostPort("127.0.0.1", strconv.Itoa(p.port)),
		Path:     "/" + database,
		RawQuery: "sslmode=disable", // loopback
	}
	return u.String()
}

// Port is the TCP port on 127.0.0.1.
func (p *Postgres) Port() int { return p.port }

// PID is the process id of the server, which has a child for each connection.
func (p *Postgres) PID() int { return p.proc.PID() }

// CreateDatabase makes a database that belongs to the application's role. One that exists already is left as it is.
func (p *Postgres) CreateDatabase(ctx context.Context, name string) error {
	return p.asSuperuser(ctx, func(conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, "CREATE DATABASE "+pgx.Identifier{name}.Sanitize()+" OWNER "+roleApp)
		if err != nil && !hasCode(err, sqlDuplicateDatabase) {
			return fmt.Errorf("create database %s: %w", name, err)
		}
		return nil
	})
}

// DropDatabase removes a database, cutting off whoever is connected to it.
func (p *Postgres) DropDatabase(ctx context.Context, name string) error {
	return p.asSuperuser(ctx, func(conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, "DROP DATABASE IF EXISTS "+pgx.Identifier{name}.Sanitize()+" WITH (FORCE)")
		if err != nil {
			return fmt.Errorf("drop database %s: %w", name, err)
		}
		return nil
	})
}

func (p *Postgres) asSuperuser(ctx context.Context, do func(*pgx.Conn) error) error {
	conn, err := pgx.Connect(ctx, p.SuperuserDSN("postgres"))
	if err != nil {
		return fmt.Errorf("connect to PostgreSQL: %w", err)
	}
	return errors.Join(do(conn), conn.Close(ctx))
}

// Done is closed when the server has ended, by Stop or by itself.
func (p *Postgres) Done() <-chan struct{} { return p.proc.Done() }

// Stop shuts the server down, cutting off its clients; when ctx ends first it is killed. A temporary folder is removed.
// Stopping twice is harmless.
func (p *Postgres) Stop(ctx context.Context) error {
	// SIGINT is PostgreSQL's fast shutdown: roll back, disconnect, write a checkpoint.
	err := p.proc.Stop(ctx, syscall.SIGINT)
	p.log.Info("PostgreSQL has stopped", "port", p.port)
	err = errors.Join(err, p.claim.release(), p.removeTemp())
	p.claim = nil
	return err
}

func (p *Postgres) removeTemp() error {
	if !p.temp {
		return nil
	}
	if err := os.RemoveAll(p.dir); err != nil {
		return fmt.Errorf("remove temporary folder: %w", err)
	}
	return nil
}

func choosePort(ctx context.Context, want int) (int, error) {
	var config net.ListenConfig
	l, err := config.Listen(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(want)))
	if err != nil {
		return 0, fmt.Errorf("port %d for PostgreSQL is not free: %w", want, err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	if err := l.Close(); err != nil {
		return 0, fmt.Errorf("release port %d: %w", port, err)
	}
	return port, nil
}

func hasCode(err error, code string) bool {
	var pgErr *pgconn.PgError
	return errors.As(err, &pgErr) && pgErr.Code == code
}

func exitError(p *child.Process) error {
	if err := p.Err(); err != nil {
		return err
	}
	return errors.New("exit status 0")
}

// binary is the full path of one of PostgreSQL's programs.
func binary(bin, name string) string { return filepath.Join(bin, name) }
