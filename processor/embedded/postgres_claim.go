package embedded

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// claim is the lock of a server's folder: whoever runs a server on it holds it, to the end of the process at the
// latest. The file says who that is, and whether others may use the server too.
type claim struct{ file *os.File }

const (
	claimFile = "LOCK"
	serving   = "serving" // the server stays as long as its process: others may use it
	lending   = "lending" // it is gone when the command that started it is done
)

// tryClaim takes the lock; nil while somebody else holds it.
func (f folder) tryClaim(purpose string) (*claim, error) {
	file, err := os.OpenFile(f.file(claimFile), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock PostgreSQL's folder: %w", err)
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		closeErr := file.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, closeErr
		}
		return nil, errors.Join(fmt.Errorf("lock PostgreSQL's folder: %w", err), closeErr)
	}
	err = file.Truncate(0)
	if err == nil {
		_, err = file.WriteAt(fmt.Appendf(nil, "%s %d\n", purpose, os.Getpid()), 0)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("lock PostgreSQL's folder: %w", err), file.Close())
	}
	return &claim{file}, nil
}

// release gives the lock up.
func (c *claim) release() error {
	if c == nil {
		return nil
	}
	if err := c.file.Close(); err != nil {
		return fmt.Errorf("unlock PostgreSQL's folder: %w", err)
	}
	return nil
}

// claimant is who holds the lock, as far as the file tells.
func (f folder) claimant() (purpose string, pid int) {
	text, err := os.ReadFile(f.file(claimFile))
	if err != nil {
		return "", 0
	}
	purpose, number, _ := strings.Cut(strings.TrimSpace(string(text)), " ")
	pid, _ = strconv.Atoi(number)
	return purpose, pid
}

func (f folder) inUse() error {
	_, pid := f.claimant()
	return fmt.Errorf("the database in %s is in use by process %d: wait until that has ended, or stop it", f.path, pid)
}

// claim waits for the lock, for as long as a former server may take to end.
func (f folder) claim(ctx context.Context, purpose string) (*claim, error) {
	var got *claim
	err := f.patiently(ctx, func() (done bool, err error) {
		got, err = f.tryClaim(purpose)
		return got != nil, err
	})
	return got, err
}

// patiently calls try until it is done or time is up.
func (f folder) patiently(ctx context.Context, try func() (done bool, err error)) error {
	deadline := time.NewTimer(formerWait)
	defer deadline.Stop()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		if done, err := try(); done || err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-deadline.C:
			return f.inUse()
		case <-ctx.Done():
			return fmt.Errorf("wait for the database in %s: %w", f.path, ctx.Err())
		}
	}
}

// Loan is a database that is there until it is given back.
type Loan struct {
	port    int
	secrets secrets
	own     *Postgres // nil: somebody else's server
}

// BorrowPostgres gives the server of a folder: the one that runs, if its process serves others, else one that is
// started now and stopped by [Loan.Return]. Of two callers without a server the second waits for the first. It never
// makes a database: a folder without one is an error.
func BorrowPostgres(ctx context.Context, cfg PostgresConfig) (*Loan, error) {
	dir, err := filepath.Abs(cfg.Dir)
	if err != nil {
		return nil, fmt.Errorf("find folder for PostgreSQL: %w", err)
	}
	f := folder{path: dir}
	if _, err := os.Stat(f.data()); err != nil {
		return nil, fmt.Errorf("there is no database in %s: %w", dir, err)
	}
	loan := &Loan{}
	err = f.patiently(ctx, func() (bool, error) {
		c, err := f.tryClaim(lending)
		if err != nil {
			return false, err
		}
		if c != nil {
			loan.own, err = startPostgres(ctx, cfg, c)
			return true, err
		}
		return f.join(ctx, loan)
	})
	if err != nil {
		return nil, err
	}
	if loan.own != nil {
		loan.port, loan.secrets = loan.own.port, loan.own.secrets
	}
	return loan, nil
}

// join uses the server that another process runs, if that one serves and answers.
func (f folder) join(ctx context.Context, loan *Loan) (bool, error) {
	if purpose, _ := f.claimant(); purpose != serving {
		return false, nil
	}
	port, err := f.runningPort()
	if err != nil {
		return false, nil //nolint:nilerr // it is still starting
	}
	if loan.secrets, err = f.loadSecrets(); err != nil {
		return false, err
	}
	loan.port = port
	conn, err := pgx.Connect(ctx, loan.DSN("postgres"))
	if err != nil {
		return false, nil //nolint:nilerr // it is starting or ending: look again
	}
	return true, conn.Close(ctx)
}

// runningPort reads the port of the server from the file that PostgreSQL keeps while it runs: its fourth line.
func (f folder) runningPort() (int, error) {
	text, err := os.ReadFile(filepath.Join(f.data(), "postmaster.pid"))
	if err != nil {
		return 0, fmt.Errorf("look for a running server: %w", err)
	}
	lines := strings.Split(string(text), "\n")
	if len(lines) < 4 {
		return 0, errors.New("look for a running server: postmaster.pid is not complete")
	}
	port, err := strconv.Atoi(strings.TrimSpace(lines[3]))
	if err != nil {
		return 0, fmt.Errorf("look for a running server: port: %w", err)
	}
	return port, nil
}

// DSN is [Postgres.DSN] of the server on loan.
func (l *Loan) DSN(database string) string {
	return (&Postgres{port: l.port, secrets: l.secrets}).DSN(database)
}

// Return gives the server back: it is stopped if it was started for the loan.
func (l *Loan) Return(ctx context.Context) error {
	if l.own == nil {
		return nil
	}
	return l.own.Stop(ctx)
}

// Free says that nobody runs a server on a folder, or who does.
func Free(dir string) error {
	f := folder{path: dir}
	if _, err := os.Stat(f.data()); err != nil {
		return nil //nolint:nilerr // there is nothing to run
	}
	c, err := f.tryClaim(lending)
	if err != nil {
		return err
	}
	if c == nil {
		return f.inUse()
	}
	return c.release()
}
