package deployment

import (
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"tocsin/processor/app"
	"tocsin/processor/embedded"
	"tocsin/processor/processortest/pgtest"
)

// What the compose file does to its Postgres, on one of ours: psql runs the file that makes the role (under another
// name, for the server has one of this name), then the service migrate lets that role work. It can store alerts, and
// not change a table.
func TestComposeDatabase(t *testing.T) {
	const role = "compose"
	secrets := makeSecrets(t)
	database := pgtest.NewDatabase(t)
	at, err := url.Parse(database)
	require.NoError(t, err)
	superuser := pgtest.Server(t).SuperuserDSN(strings.TrimPrefix(at.Path, "/"))

	text, err := os.ReadFile(deploy(t, "compose", "postgres.sql"))
	require.NoError(t, err)
	text = []byte(strings.NewReplacer("ROLE tocsin ", "ROLE "+role+" ", inContainer, secrets).Replace(string(text)))
	file := filepath.Join(t.TempDir(), "tocsin.sql")
	require.NoError(t, os.WriteFile(file, text, 0o600))
	bin, err := embedded.FindPostgres(t.Context(), "")
	require.NoError(t, err)
	// As the image's entry point does.
	cmd := exec.CommandContext(t.Context(), filepath.Join(bin, "psql"), "-v", "ON_ERROR_STOP=1", "--no-psqlrc",
		"-f", file, superuser)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))

	// The address that secrets.sh has written, but for where the server is.
	made, err := os.ReadFile(filepath.Join(secrets, "postgres-url"))
	require.NoError(t, err)
	login, err := url.Parse(strings.TrimSpace(string(made)))
	require.NoError(t, err)
	password, _ := login.User.Password()
	login.User, login.Host, login.Path = url.UserPassword(role, password), at.Host, at.Path

	l, err := app.Load(app.LoadInput{NoFile: true, Env: []string{
		"TOCSIN_POSTGRES__URL=" + login.String(), "TOCSIN_POSTGRES__ADMIN_URL=" + superuser,
	}})
	require.NoError(t, err)
	_, err = app.Migrate(t.Context(), &l.Config)
	require.NoError(t, err)

	conn, err := pgx.Connect(t.Context(), login.String())
	require.NoError(t, err)
	defer conn.Close(t.Context()) //nolint:errcheck // nothing is lost
	_, err = conn.Exec(t.Context(), "CREATE TABLE mine (n int)")
	require.ErrorContains(t, err, "permission denied")
	var alerts int
	require.ErrorContains(t, conn.QueryRow(t.Context(), "SELECT count(*) FROM alerts").Scan(&alerts), "permission denied")
	_, err = conn.Exec(t.Context(), "SET ROLE tocsin_sink")
	require.NoError(t, err)
	require.NoError(t, conn.QueryRow(t.Context(), "SELECT count(*) FROM alerts").Scan(&alerts))
}
