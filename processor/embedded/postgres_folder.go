package embedded

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"tocsin/processor/embedded/child"
)

// formerWait is how long a start waits for a server of a former, crashed process to finish its shutdown.
const formerWait = 15 * time.Second

// folder is what a server keeps on disk:
//
//	passwords.json   of the two roles, readable by its owner alone
//	data/            PostgreSQL's own
//	postgres.log     of the last start
type folder struct {
	path string
	temp bool
	user *child.User // nil: as this process
}

// secrets are the passwords of the two roles.
type secrets struct {
	Super string `json:"postgres"`
	App   string `json:"tocsin"`
}

// serverUser is the user that the server must run as; nil means as this process.
func serverUser() (*child.User, error) {
	if os.Geteuid() != 0 {
		return nil, nil //nolint:nilnil // nil is the documented answer "as this process"
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err := strconv.ParseUint(u.Uid, 10, 32)
		if err != nil {
			return nil, fmt.Errorf("user id of %s: %w", name, err)
		}
		gid, err := strconv.ParseUint(u.Gid, 10, 32)
		if err != nil {
			return nil, fmt.Errorf("group id of %s: %w", name, err)
		}
		return &child.User{UID: uint32(uid), GID: uint32(gid)}, nil
	}
	return nil, errors.New("PostgreSQL refuses to run as root, and there is no user postgres or nobody to run it as: " +
		"start this program as an ordinary user")
}

// openFolder makes the folder, for the server's user alone.
func openFolder(path string, user *child.User) (folder, error) {
	f := folder{user: user}
	var err error
	if path == "" {
		f.temp = true
		path, err = os.MkdirTemp("", "tocsin-pg-")
	} else {
		err = os.MkdirAll(path, 0o700)
	}
	if err != nil {
		return f, fmt.Errorf("make folder for PostgreSQL: %w", err)
	}
	if f.path, err = filepath.Abs(path); err != nil {
		return f, fmt.Errorf("find folder for PostgreSQL: %w", err)
	}
	if user != nil {
		if err := os.Chown(f.path, int(user.UID), int(user.GID)); err != nil {
			return f, fmt.Errorf("hand folder to PostgreSQL's user: %w", err)
		}
	}
	return f, nil
}

func (f folder) data() string          { return filepath.Join(f.path, "data") }
func (f folder) file(n string) string  { return filepath.Join(f.path, n) }
func (f folder) environment() []string { return []string{"PATH=/usr/bin:/bin", "LC_ALL=C"} }

// initialise reads the folder's passwords, after making them and the data folder at the first start. Both come into
// being whole or not at all: initdb works on a folder of another name, and the passwords are written before it.
func (f folder) initialise(ctx context.Context, bin string, fsync bool) (secrets, error) {
	s, err := f.loadSecrets()
	if err != nil {
		return s, err
	}
	if _, err := os.Stat(f.data()); err == nil {
		return s, nil
	}
	unfinished := f.file("data.new")
	if err := os.RemoveAll(unfinished); err != nil {
		return s, fmt.Errorf("remove unfinished data folder: %w", err)
	}
	password := f.file("initdb-password")
	if err := f.writeFile(password, []byte(s.Super+"\n")); err != nil {
		return s, err
	}
	args := []string{
		"-D", unfinished, "-U", roleSuper, "--pwfile", password, "-A", "scram-sha-256",
		"-E", "UTF8", "--no-locale", "--no-instructions",
	}
	if !fsync {
		args = append(args, "--no-sync")
	}
	_, err = child.Run(ctx, child.Config{
		Path: binary(bin, "initdb"), Args: args, Env: f.environment(), Dir: f.path, User: f.user,
	})
	err = errors.Join(err, os.Remove(password))
	if err != nil {
		if errors.Is(err, os.ErrPermission) || strings.Contains(err.Error(), "ermission denied") {
			err = fmt.Errorf("%w\nis every folder above %s open to PostgreSQL's user? choose another one", err, f.path)
		}
		return s, fmt.Errorf("make data folder: %w", err)
	}
	if err := os.Rename(unfinished, f.data()); err != nil {
		return s, fmt.Errorf("make data folder: %w", err)
	}
	return s, nil
}

func (f folder) loadSecrets() (secrets, error) {
	var s secrets
	path := f.file("passwords.json")
	text, err := os.ReadFile(path)
	switch {
	case err == nil:
		if err := json.Unmarshal(text, &s); err != nil {
			return s, fmt.Errorf("read %s: %w", path, err)
		}
		return s, nil
	case !errors.Is(err, os.ErrNotExist):
		return s, fmt.Errorf("read passwords: %w", err)
	}
	if _, err := os.Stat(f.data()); err == nil {
		return s, fmt.Errorf("%s is missing, but there is a data folder beside it that needs it", path)
	}
	s = secrets{Super: rand.Text(), App: rand.Text()}
	if text, err = json.Marshal(s); err != nil {
		return s, fmt.Errorf("write passwords: %w", err)
	}
	return s, f.writeFile(path, text)
}

// writeFile writes a file for its owner alone, who is the server's user.
func (f folder) writeFile(path string, text []byte) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("replace %s: %w", path, err)
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if f.user != nil {
		if err := os.Chown(path, int(f.user.UID), int(f.user.GID)); err != nil {
			return fmt.Errorf("hand %s to PostgreSQL's user: %w", path, err)
		}
	}
	return nil
}

// server is how the server is started: on TCP loopback alone, without a Unix socket, whose path would have to be short.
func (f folder) server(bin string, port int, fsync bool) child.Config {
	onOff := map[bool]string{true: "on", false: "off"}[fsync]
	return child.Config{
		Path: binary(bin, "postgres"),
		Args: []string{
			"-D", f.data(), "-h", "127.0.0.1", "-p", strconv.Itoa(port), "-c", "unix_socket_directories=",
			"-c", "fsync=" + onOff, "-c", "synchronous_commit=" + onOff, "-c", "full_page_writes=" + onOff,
			"-c", "shared_buffers=32MB", "-c", "max_connections=100", "-c", "timezone=UTC", "-c", "log_timezone=UTC",
		},
		Env: f.environment(), Dir: f.path, User: f.user,
		Log:         f.file("postgres.log"),
		DeathSignal: syscall.SIGINT, // fast shutdown
	}
}

// waitForFormer waits while a server still runs on the folder: that of a process that crashed is shutting down. Longer
// than that, and somebody else is using it.
func (f folder) waitForFormer(ctx context.Context) error {
	deadline := time.NewTimer(formerWait)
	defer deadline.Stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		text, err := os.ReadFile(filepath.Join(f.data(), "postmaster.pid"))
		if errors.Is(err, os.ErrNotExist) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("look for a running server: %w", err)
		}
		first, _, _ := strings.Cut(string(text), "\n")
		pid, err := strconv.Atoi(strings.TrimSpace(first))
		if err != nil || !isPostgres(pid) {
			return nil // left behind by a crash; PostgreSQL removes it
		}
		select {
		case <-tick.C:
		case <-deadline.C:
			return fmt.Errorf("another PostgreSQL (process %d) is running on %s: stop it, or use another folder", pid, f.path)
		case <-ctx.Done():
			return fmt.Errorf("wait for the former PostgreSQL on %s to end: %w", f.path, ctx.Err())
		}
	}
}

// isPostgres says whether a process exists and, where that can be seen, is PostgreSQL: after a restart of the
// machine or container the number may be another program's.
func isPostgres(pid int) bool {
	name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	if err == nil {
		return strings.TrimSpace(string(name)) == "postgres"
	}
	if _, err := os.Stat("/proc/self/comm"); err == nil {
		return false // there is a /proc, and it does not know the process
	}
	return !errors.Is(syscall.Kill(pid, 0), syscall.ESRCH)
}

// Reachable says whether the server's user can get to what lies in a folder: started by root the server runs as
// somebody else, who must be let through every folder above it.
func Reachable(dir string) error {
	user, err := serverUser()
	if user == nil {
		return err
	}
	path, err := filepath.Abs(dir)
	if err != nil {
		return fmt.Errorf("find folder for PostgreSQL: %w", err)
	}
	for ; ; path = filepath.Dir(path) {
		info, err := os.Stat(path)
		if err != nil {
			return fmt.Errorf("find folder for PostgreSQL: %w", err)
		}
		if info.Mode().Perm()&0o001 == 0 {
			return fmt.Errorf("PostgreSQL's user cannot pass through %s: choose another folder, or open it with chmod o+x", path)
		}
		if path == filepath.Dir(path) {
			return nil
		}
	}
}
