package main

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"

	"tocsin/processor/embedded/child"
	"tocsin/processor/processortest/ports"
)

// checkout is what is looked at, and where its clones go.
type checkout struct {
	root    string
	scratch string   // holds the clone and the home folder of one page after the other
	lock    *os.File // held while the process lives
	env     []string
}

// open prepares the folder for clones. Its name is the same each time, for the compiler's cache goes by it.
func open(ctx context.Context, root string) (*checkout, error) {
	sum := sha256.Sum256([]byte(root))
	c := &checkout{root: root, scratch: filepath.Join(os.TempDir(), fmt.Sprintf("tocsin-readme-%x", sum[:4]))}
	// PostgreSQL's user must be able to reach the clone. Nobody else may have made the folder: programs in it are
	// run.
	if err := os.Mkdir(c.scratch, 0o755); err != nil && !os.IsExist(err) {
		return nil, fmt.Errorf("make folder for clones: %w", err)
	}
	info, err := os.Lstat(c.scratch)
	if err != nil {
		return nil, fmt.Errorf("look at folder for clones: %w", err)
	}
	if !own(info) {
		return nil, fmt.Errorf("%s is somebody else's: remove it", c.scratch)
	}
	if c.lock, err = os.Open(c.scratch); err != nil {
		return nil, fmt.Errorf("open folder for clones: %w", err)
	}
	// The kernel ends it with the process.
	if err := syscall.Flock(int(c.lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, fmt.Errorf("another check of this checkout works in %s: %w", c.scratch, err)
	}
	if c.env, err = environment(ctx); err != nil {
		return nil, err
	}
	return c, nil
}

// own says whether a folder is ours and nobody else may write to it.
func own(info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && info.IsDir() && int(stat.Uid) == os.Getuid() && info.Mode().Perm()&0o022 == 0
}

// handed on are variables that say where things are on this machine. All others are left out, HOME above all.
var handedOn = []string{
	"PATH", "TMPDIR", "JAVA_HOME", "TOCSIN_PG_BIN", "TOCSIN_KAFKA_JARS", "TOCSIN_REDIS_SERVER", "USER", "LOGNAME",
	"GOMAXPROCS",
	"http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR",
}

func environment(ctx context.Context) ([]string, error) {
	env := []string{"LANG=C.UTF-8", "TERM=xterm", "NO_COLOR=1"}
	for _, name := range handedOn {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	// With an empty home Go would not find what `go env -w` has set, nor its caches.
	printed, err := child.Run(ctx, child.Config{
		Path: "go", Args: []string{"env", "-json", "GOCACHE", "GOMODCACHE", "GOPROXY", "GOSUMDB", "GOFLAGS", "GOTOOLCHAIN"},
		Env: os.Environ(),
	})
	if err != nil {
		return nil, fmt.Errorf("ask Go for its settings: %w", err)
	}
	var settings map[string]string
	if err := json.Unmarshal(printed, &settings); err != nil {
		return nil, fmt.Errorf("read Go's settings: %w", err)
	}
	for name, value := range settings {
		if value != "" {
			env = append(env, name+"="+value)
		}
	}
	return env, nil
}

// lendBin gives the clone the program that an earlier one built, to a page that builds it: Go keeps what it compiled,
// but what it linked only where it put it. If it is not what would be built, it is built.
func (c *checkout) lendBin(dir string, p *page) error {
	builds := slices.ContainsFunc(p.blocks, func(b block) bool {
		return b.reason == "" && makes.MatchString(b.given+b.text)
	})
	if !builds {
		return nil
	}
	if err := os.Rename(filepath.Join(c.scratch, "bin"), filepath.Join(dir, "bin")); err != nil && !os.IsNotExist(err) {
		return fmt.Errorf("lend the program: %w", err)
	}
	return nil
}

// keepBin takes it back.
func (c *checkout) keepBin(dir string) error {
	err := os.Rename(filepath.Join(dir, "bin"), filepath.Join(c.scratch, "bin"))
	if err != nil && !os.IsNotExist(err) {
		return fmt.Errorf("keep the program: %w", err)
	}
	return nil
}

var makes = regexp.MustCompile(`(?m)^make (build|demo)\b`)

// fresh makes a clone in place of the last one, an empty home, and the environment of a shell in it. Ports are free
// ones, for those that the pages speak of may be taken.
func (c *checkout) fresh(ctx context.Context, p *page) (dir string, env []string, err error) {
	dir, home := filepath.Join(c.scratch, "tocsin"), filepath.Join(c.scratch, "home")
	for _, path := range []string{dir, home} {
		if err := os.RemoveAll(path); err != nil {
			return "", nil, fmt.Errorf("remove the last clone: %w", err)
		}
	}
	if err := os.Mkdir(home, 0o700); err != nil {
		return "", nil, fmt.Errorf("make home: %w", err)
	}
	if _, err := child.Run(ctx, child.Config{
		Path: "git", Args: []string{"clone", "--quiet", c.root, dir}, Env: append(c.env, "HOME="+home),
	}); err != nil {
		return "", nil, fmt.Errorf("clone: %w", err)
	}
	if err := errors.Join(c.lendJars(dir), c.lendBin(dir, p)); err != nil {
		return "", nil, err
	}
	admin, err := ports.FreeAddr(ctx)
	if err != nil {
		return "", nil, err
	}
	return dir, append(c.env, "HOME="+home, "TOCSIN_EMBEDDED__KAFKA_PORT=0", "TOCSIN_HTTP__LISTEN="+admin), nil
}

// lendJars gives the clone the checkout's jars of Kafka.
func (c *checkout) lendJars(dir string) error {
	found, err := filepath.Glob(filepath.Join(c.root, ".cache", "kafka-*", ".complete"))
	if err != nil || len(found) == 0 {
		return err
	}
	if err := os.Mkdir(filepath.Join(dir, ".cache"), 0o755); err != nil {
		return fmt.Errorf("lend Kafka's jars: %w", err)
	}
	for _, mark := range found {
		jars, err := filepath.EvalSymlinks(filepath.Dir(mark))
		if err != nil {
			return fmt.Errorf("lend Kafka's jars: %w", err)
		}
		if err := os.Symlink(jars, filepath.Join(dir, ".cache", filepath.Base(filepath.Dir(mark)))); err != nil {
			return fmt.Errorf("lend Kafka's jars: %w", err)
		}
	}
	return nil
}

// git asks git about the checkout.
func (c *checkout) git(ctx context.Context, args ...string) (string, error) {
	out, err := child.Run(ctx, child.Config{Path: "git", Args: args, Dir: c.root, Env: os.Environ()})
	return strings.TrimSpace(string(out)), err
}
