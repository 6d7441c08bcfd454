package embedded

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// PostgresBinEnv names the environment variable that says where PostgreSQL's server programs are.
const PostgresBinEnv = "TOCSIN_PG_BIN"

// FindPostgres returns the folder with PostgreSQL's server programs: dir if given, else the one that TOCSIN_PG_BIN
// names, else the first that has them of pg_config's, Debian's (highest version) and those on the PATH. The error
// says what to install.
func FindPostgres(ctx context.Context, dir string) (string, error) {
	return findPostgres(ctx, dir, "/usr/lib/postgresql")
}

func findPostgres(ctx context.Context, dir, debian string) (string, error) {
	if dir == "" {
		dir = os.Getenv(PostgresBinEnv)
	}
	if dir != "" { // named explicitly: nothing else will do
		if !hasServer(dir) {
			return "", fmt.Errorf("no initdb and postgres in %s: name the folder with PostgreSQL's server programs", dir)
		}
		return dir, nil
	}
	candidates := []string{}
	if out, err := exec.CommandContext(ctx, "pg_config", "--bindir").Output(); err == nil {
		candidates = append(candidates, strings.TrimSpace(string(out)))
	}
	candidates = append(candidates, debianFolders(debian)...)
	if path, err := exec.LookPath("initdb"); err == nil {
		candidates = append(candidates, filepath.Dir(path))
	}
	for _, c := range candidates {
		if hasServer(c) {
			return c, nil
		}
	}
	return "", fmt.Errorf("PostgreSQL's server programs (initdb, postgres) were not found: on Debian or Ubuntu run "+
		"`apt-get install postgresql`, on macOS `brew install postgresql`, or name their folder in %s", PostgresBinEnv)
}

// debianFolders lists root/<version>/bin, highest version first.
func debianFolders(root string) []string {
	found, _ := filepath.Glob(filepath.Join(root, "*", "bin")) // the pattern is well-formed: no error
	version := func(path string) int {
		n, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if err != nil {
			return 0 // not one of Debian's: last
		}
		return n
	}
	slices.SortFunc(found, func(a, b string) int { return version(b) - version(a) })
	return found
}

func hasServer(dir string) bool {
	for _, name := range []string{"initdb", "postgres"} {
		if _, err := exec.LookPath(binary(dir, name)); err != nil {
			return false
		}
	}
	return true
}
