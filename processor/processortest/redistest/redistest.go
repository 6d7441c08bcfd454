// Package redistest gives tests a real Redis server of their own, which starts in some 20 ms. They may kill it, start
// it again at the same address and make it hang. Where Redis is not installed the tests fail and say what to install:
// they never skip.
package redistest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"

	"tocsin/processor/embedded/child"
	"tocsin/processor/processortest/certificates"
	"tocsin/processor/processortest/ports"
)

// ServerEnv names the environment variable that says where the server program is.
const ServerEnv = "TOCSIN_REDIS_SERVER"

// Config of [Start].
type Config struct {
	File     string // a configuration file to start with
	Username string // who logs in as Client; empty: the default user
	Password string // of that user; empty: none is asked for
	TLS      bool   // speak TLS only, see [Server.Files]
	Mutual   bool   // ask clients for a certificate, too
	Persist  bool   // keep the data over Kill and Restart
}

// Server is a running Redis.
type Server struct {
	t    testing.TB
	cfg  Config
	dir  string
	path string
	port int
	proc *child.Process
}

// startWithin bounds a start, which is slow when other tests keep all cores busy.
const startWithin = time.Minute

// Start starts a server for this test and ends it afterwards.
func Start(t testing.TB, cfg Config) *Server {
	t.Helper()
	logging.Disable() // what is an error for a test, the test says
	s := &Server{t: t, cfg: cfg, dir: t.TempDir()}
	var err error
	if s.path, err = find(s.dir); err != nil {
		t.Fatalf("%v\n(`make setup` installs what the tests need)", err)
	}
	if cfg.TLS {
		if _, err := certificates.Make(s.dir, "redistest"); err != nil {
			t.Fatal(err)
		}
	}
	if s.port, err = ports.Free(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.Restart()
	t.Cleanup(s.Kill)
	return s
}

// find gives the path of the server program. Debian's package redis-tools holds it as well, without a service that
// would be started: the checker of dumps is the same program, and does what its name says.
func find(dir string) (string, error) {
	if path := os.Getenv(ServerEnv); path != "" {
		return path, nil
	}
	if path, err := exec.LookPath("redis-server"); err == nil {
		return path, nil
	}
	same, err := exec.LookPath("redis-check-rdb")
	if err != nil {
		return "", errors.New("no redis-server: install Redis, or name the program in " + ServerEnv)
	}
	path := filepath.Join(dir, "redis-server")
	return path, os.Symlink(same, path)
}

// Addr is the server's address.
func (s *Server) Addr() string { return "127.0.0.1:" + strconv.Itoa(s.port) }

// Files are the certificates of a server with TLS.
func (s *Server) Files() certificates.Files { return certificates.In(s.dir) }

// Client makes a client that is logged in, closed after the test.
func (s *Server) Client() *redis.Client {
	s.t.Helper()
	o := &redis.Options{Addr: s.Addr(), Username: s.cfg.Username, Password: s.cfg.Password, DialerRetries: 1}
	if s.cfg.TLS {
		var err error
		if o.TLSConfig, err = s.Files().ClientTLS(); err != nil {
			s.t.Fatal(err)
		}
	}
	cl := redis.NewClient(o)
	s.t.Cleanup(func() { _ = cl.Close() })
	return cl
}

// Kill ends the server at once, as a crash would.
func (s *Server) Kill() {
	if s.proc != nil {
		s.proc.Kill()
		s.proc = nil
	}
}

// Pause makes the server hang: it takes connections and does not answer. Resume ends that.
func (s *Server) Pause() { s.signal(syscall.SIGSTOP) }

// Resume ends a Pause.
func (s *Server) Resume() { s.signal(syscall.SIGCONT) }

func (s *Server) signal(sig syscall.Signal) {
	s.t.Helper()
	if err := s.proc.Signal(sig); err != nil {
		s.t.Fatal(err)
	}
}

// Restart starts the server again, at the same address, and waits until it answers. Without Persist it is empty.
func (s *Server) Restart() {
	s.t.Helper()
	s.Kill()
	proc, err := child.Start(child.Config{
		Path: s.path, Args: s.args(), Dir: s.dir, Log: filepath.Join(s.dir, "redis.log"),
		DeathSignal: syscall.SIGKILL,
	})
	if err != nil {
		s.t.Fatal(err)
	}
	s.proc = proc
	cl := s.Client()
	for end := time.Now().Add(startWithin); ; {
		err := cl.Ping(s.t.Context()).Err()
		if err == nil {
			return
		}
		select {
		case <-proc.Done():
			s.t.Fatalf("Redis has ended: %v\n%s", proc.Err(), proc.LogTail(2000))
		default:
		}
		if time.Now().After(end) {
			s.t.Fatalf("Redis does not answer: %v\n%s", err, proc.LogTail(2000))
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func (s *Server) args() []string {
	port := strconv.Itoa(s.port)
	args := []string{"--bind", "127.0.0.1", "--save", "", "--dir", s.dir, "--port"}
	if s.cfg.File != "" {
		args = append([]string{s.cfg.File}, args...)
	}
	if s.cfg.TLS {
		f, ask := s.Files(), "no"
		if s.cfg.Mutual {
			ask = "yes"
		}
		args = append(args, "0", "--tls-port", port, "--tls-cert-file", f.Server, "--tls-key-file", f.Server,
			"--tls-ca-cert-file", f.CA, "--tls-auth-clients", ask)
	} else {
		args = append(args, port)
	}
	if s.cfg.Password != "" && s.cfg.Username == "" {
		args = append(args, "--requirepass", s.cfg.Password)
	}
	if s.cfg.Persist {
		args = append(args, "--appendonly", "yes", "--appendfsync", "always")
	}
	return args
}

// String implements fmt.Stringer.
func (s *Server) String() string { return fmt.Sprintf("Redis at %s", s.Addr()) }
