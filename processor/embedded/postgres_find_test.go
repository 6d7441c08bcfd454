package embedded

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFindPostgres(t *testing.T) {
	root, path := t.TempDir(), t.TempDir()
	t.Setenv("PATH", path)
	t.Setenv(PostgresBinEnv, "")
	install := func(dir string) string {
		require.NoError(t, os.MkdirAll(dir, 0o755))
		for _, name := range []string{"initdb", "postgres"} {
			require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"), 0o755))
		}
		return dir
	}
	find := func(want string) {
		t.Helper()
		got, err := findPostgres(t.Context(), "", root)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}

	_, err := findPostgres(t.Context(), "", root)
	require.ErrorContains(t, err, "apt-get install postgresql")

	find(install(path))
	find(install(filepath.Join(root, "9", "bin")))
	find(install(filepath.Join(root, "15", "bin")))                          // 15 is higher than 9
	require.NoError(t, os.MkdirAll(filepath.Join(root, "16", "bin"), 0o755)) // the client alone
	find(filepath.Join(root, "15", "bin"))

	named := install(t.TempDir())
	t.Setenv(PostgresBinEnv, named)
	find(named)
	t.Setenv(PostgresBinEnv, root)
	_, err = findPostgres(t.Context(), "", root)
	require.ErrorContains(t, err, "no initdb and postgres in "+root)
}
