// Package pgtest gives tests databases of a real PostgreSQL server. One server per test program is started when the
// first test asks, in 0.9 s; a database on it takes some 50 ms. Where PostgreSQL is not installed the tests fail
// and say what to install: they never skip.
//
// A package that uses it ends the server in its TestMain, by Main or, when goleak watches too, by
// goleak.VerifyTestMain(pgtest.Wrap(m)).
package pgtest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"tocsin/processor/embedded"
	"tocsin/processor/processortest/ports"
)

// startWithin bounds a start, which is slow when other tests keep all cores busy.
const startWithin = time.Minute

// shared is the server of this test program. It is global because the program is what it belongs to.
var shared struct {
	sync.Mutex

	server    *embedded.Postgres
	databases int
}

// TestingM is what *testing.M and goleak have in common.
type TestingM interface{ Run() int }

// Main runs a package's tests, ends the server and exits.
func Main(m TestingM) { os.Exit(Wrap(m).Run()) }

// Wrap returns an m whose Run also ends the server, for use with goleak.
func Wrap(m TestingM) TestingM { return wrapped{m} }

type wrapped struct{ TestingM }

func (w wrapped) Run() int {
	code := w.TestingM.Run()
	if err := shutdown(); err != nil {
		fmt.Fprintln(os.Stderr, "pgtest:", err)
		return max(code, 1)
	}
	return code
}

func shutdown() error {
	shared.Lock()
	defer shared.Unlock()
	if shared.server == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), startWithin)
	defer cancel()
	server := shared.server
	shared.server = nil
	return server.Stop(ctx)
}

// Server returns the server of this test program. Tests share it: one that wants to stop or break a server uses Start.
func Server(t testing.TB) *embedded.Postgres {
	t.Helper()
	shared.Lock()
	defer shared.Unlock()
	if shared.server == nil {
		shared.server = start(t, embedded.PostgresConfig{})
	}
	return shared.server
}

// NewDatabase makes an empty database for this test and returns its connection string. The role owns the database
// but is no superuser. The database is dropped after the test, open connections or not.
func NewDatabase(t testing.TB) string {
	t.Helper()
	server := Server(t)
	shared.Lock()
	shared.databases++
	name := fmt.Sprintf("test_%d", shared.databases)
	shared.Unlock()
	if err := server.CreateDatabase(t.Context(), name); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.DropDatabase(context.Background(), name); err != nil {
			t.Error(err)
		}
	})
	return server.DSN(name)
}

// Start starts a server for this test alone and stops it afterwards.
func Start(t testing.TB, cfg embedded.PostgresConfig) *embedded.Postgres {
	t.Helper()
	server := start(t, cfg)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), startWithin)
		defer cancel()
		if err := server.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	return server
}

func start(t testing.TB, cfg embedded.PostgresConfig) *embedded.Postgres {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), startWithin)
	defer cancel()
	if cfg.Port == 0 {
		var err error
		if cfg.Port, err = ports.Free(ctx); err != nil {
			t.Fatal(err)
		}
	}
	server, err := embedded.StartPostgres(ctx, cfg)
	if err != nil {
		t.Fatalf("%v\n(`make setup` installs what the tests need)", err)
	}
	return server
}

// TempDir is a temporary folder that PostgreSQL's user can reach. Those of t.TempDir are closed to it when tests run as
// root.
func TempDir(t testing.TB) string {
	t.Helper()
	name := strings.Map(func(r rune) rune {
		if r == '/' || r == filepath.Separator || r == '*' {
			return '_'
		}
		return r
	}, t.Name())
	dir, err := os.MkdirTemp("", name) //nolint:usetesting // that is what this function improves on
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	if err := os.Chmod(dir, 0o711); err != nil {
		t.Fatal(err)
	}
	return dir
}
