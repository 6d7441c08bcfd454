package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"tocsin/processor/embedded"
	"tocsin/processor/processortest/kafkatest"
	"tocsin/processor/processortest/pgtest"
)

// certificate makes a certificate that signs itself, good for localhost, and its key, as PEM.
func certificate(t *testing.T) (cert, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "database"}, DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true,
		BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	require.NoError(t, err)
	encoded, err := x509.MarshalPKCS8PrivateKey(private)
	require.NoError(t, err)
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: encoded})
}

// secureDatabase is a server that speaks TLS, with the login of an application in a migrated database.
type secureDatabase struct {
	t      *testing.T
	owner  *pgx.Conn
	port   string
	ca     string
	others string // another authority's certificate
}

const loginPassword = "p%40ss w:/?#rd'\"" // what is special in URLs and keyword strings

func startSecureDatabase(t *testing.T) *secureDatabase {
	t.Helper()
	dir := pgtest.TempDir(t)
	server := pgtest.Start(t, embedded.PostgresConfig{Dir: filepath.Join(dir, "server")})
	require.NoError(t, server.CreateDatabase(t.Context(), "secured"))
	d := &secureDatabase{t: t, ca: filepath.Join(t.TempDir(), "ca.pem"), others: filepath.Join(t.TempDir(), "other.pem")}
	conn, err := pgx.Connect(t.Context(), server.SuperuserDSN("secured"))
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close(t.Context()) })
	d.owner, d.port = conn, fmt.Sprint(conn.Config().Port)

	cert, key := certificate(t)
	other, _ := certificate(t)
	require.NoError(t, os.WriteFile(d.ca, cert, 0o600))
	require.NoError(t, os.WriteFile(d.others, other, 0o600))
	folder, err := os.Stat(filepath.Join(dir, "server", "data"))
	require.NoError(t, err)
	owner := folder.Sys().(*syscall.Stat_t)
	for name, text := range map[string][]byte{"server.crt": cert, "server.key": key} {
		path := filepath.Join(dir, "server", "data", name)
		require.NoError(t, os.WriteFile(path, text, 0o600))
		require.NoError(t, os.Chown(path, int(owner.Uid), int(owner.Gid)))
	}
	d.exec("ALTER SYSTEM SET ssl = on")
	d.exec("SELECT pg_reload_conf()")
	d.exec("CREATE ROLE app LOGIN PASSWORD " + "'" + strings.ReplaceAll(secret(loginPassword), "'", "''") + "'")
	d.exec("CREATE ROLE idle PASSWORD " + "'" + strings.ReplaceAll(loginPassword, "'", "''") + "'")
	require.Eventually(t, func() bool {
		probe, err := pgx.Connect(t.Context(), d.url(nil).String())
		if err != nil {
			return false
		}
		require.NoError(t, probe.Close(t.Context()))
		return true
	}, 30*time.Second, 50*time.Millisecond, "the server does not speak TLS")
	return d
}

func (d *secureDatabase) exec(sql string) {
	d.t.Helper()
	_, err := d.owner.Exec(d.t.Context(), sql)
	require.NoError(d.t, err, sql)
}

// url is the login's address, changed.
func (d *secureDatabase) url(change func(u *url.URL, q url.Values)) *url.URL {
	u := &url.URL{Scheme: "postgres", User: url.UserPassword("app", loginPassword),
		Host: net.JoinHostPort("localhost", d.port), Path: "/secured"}
	q := url.Values{"sslmode": {"verify-full"}, "sslrootcert": {d.ca}}
	if change != nil {
		change(u, q)
	}
	u.RawQuery = q.Encode()
	return u
}

// config writes a configuration with the address in a file of its own.
func (d *secureDatabase) config(t *testing.T, address, brokers string) string {
	t.Helper()
	dir := t.TempDir()
	file, path := filepath.Join(dir, "url"), filepath.Join(dir, "tocsin.yaml")
	require.NoError(t, os.WriteFile(file, []byte(address+"\n"), 0o600))
	require.NoError(t, os.WriteFile(path, fmt.Appendf(nil, `
app: {data_dir: %q, instance: one, id: secured-database}
kafka: {brokers: [%q], replication_factor: 1, min_insync_replicas: 1}
topics: {partitions: 1, input: sd-events, alerts: sd-alerts, deadletter: sd-dead}
http: {listen: ""}
postgres: {url_file: %q}
`, dir, brokers, file), 0o600))
	return path
}

// A login over verify-full with what `migrate grants` prints, and nothing else, works; what is wrong with an address is
// told with its remedy, and never with the password.
func TestSecuredDatabase(t *testing.T) {
	d := startSecureDatabase(t)
	brokers := kafkatest.Shared(t).Addrs()[0]
	admin := d.url(func(u *url.URL, _ url.Values) {
		c := d.owner.Config()
		u.User = url.UserPassword(c.User, secret(c.Password))
	}).String()
	out, errs, code := call{
		args: []string{"migrate", "up", "--config", d.config(t, admin, brokers)},
	}.run(t.Context())
	require.Zero(t, code, out+errs)

	// Nobody has anything but what is printed.
	good := d.config(t, d.url(nil).String(), brokers)
	for _, sql := range []string{
		"REVOKE CONNECT ON DATABASE secured FROM PUBLIC", "REVOKE ALL ON SCHEMA public FROM PUBLIC",
		"REVOKE ALL ON ALL TABLES IN SCHEMA public FROM tocsin_sink, tocsin_reader, tocsin_operator",
		"REVOKE ALL ON SCHEMA public FROM tocsin_sink, tocsin_reader, tocsin_operator",
	} {
		d.exec(sql)
	}
	_, errs, code = call{args: []string{"alerts", "ls", "--config", good}}.run(t.Context())
	require.Equal(t, 1, code)
	require.Contains(t, errs, "app lacks CONNECT on database secured: GRANT CONNECT ON DATABASE secured TO app")
	statements, errs, code := call{args: []string{"migrate", "grants", "--config", good}}.run(t.Context())
	require.Zero(t, code, errs)
	d.exec(statements)
	t.Run("works", func(t *testing.T) { d.works(t, good) })
	t.Run("faults", func(t *testing.T) { d.faults(t, brokers) })
}

func (d *secureDatabase) works(t *testing.T, config string) {
	t.Helper()
	for _, args := range [][]string{
		{"migrate", "status"}, {"alerts", "ls"}, {"alerts", "ls", "--organization", "acme"}, {"topics", "init", "--input"},
	} {
		out, errs, code := call{args: append(args, "--config", config)}.run(t.Context())
		require.Zero(t, code, "%v: %s%s", args, out, errs)
	}
	out, errs, _ := call{args: []string{"config", "print", "--config", config}}.run(t.Context())
	require.Contains(t, out, "app:****@localhost", errs)
	for grant, args := range map[string][]string{
		"SELECT ON public.alerts TO tocsin_sink":            {"run"},
		"tocsin_sink TO app":                                {"run", "--roles", "sink"},
		"SELECT ON public.alerts TO tocsin_operator":        {"alerts", "ls"},
		"SELECT ON public.alerts TO tocsin_reader":          {"alerts", "ls", "--organization", "acme"},
		"tocsin_operator TO app":                            {"alerts", "ls"},
		"SELECT ON public.tocsin_migrations TO app":         {"migrate", "status"},
		"USAGE ON SCHEMA public TO app":                     {"migrate", "status"},
		"SELECT ON public.alert_history TO tocsin_operator": {"run", "--roles", "sink"},
	} {
		d.exec("REVOKE " + strings.Replace(grant, " TO ", " FROM ", 1))
		_, errs, code := call{args: append(args, "--config", config)}.run(t.Context())
		require.Equal(t, 1, code, "%v without %s: %s", args, grant, errs)
		require.Contains(t, errs, "GRANT "+grant+";", args)
		require.Contains(t, errs, "the database does not allow app to work: ")
		d.exec("GRANT " + grant)
	}
}

func (d *secureDatabase) faults(t *testing.T, brokers string) {
	t.Helper()
	for name, c := range map[string]struct {
		change func(u *url.URL, q url.Values)
		want   string
		waits  bool // run waits for it to pass
	}{
		"wrong password": {func(u *url.URL, _ url.Values) { u.User = url.UserPassword("app", secret("wrong pony")) },
			"check user and password in postgres.url", false},
		"unknown user": {func(u *url.URL, _ url.Values) { u.User = url.UserPassword("nobody", loginPassword) },
			"check user and password in postgres.url", false},
		"no login": {func(u *url.URL, _ url.Values) { u.User = url.UserPassword("idle", loginPassword) },
			"ALTER ROLE idle LOGIN", false},
		"no database": {func(u *url.URL, _ url.Values) { u.Path = "/elsewhere" }, "CREATE DATABASE elsewhere", false},
		"another authority": {func(_ *url.URL, q url.Values) { q.Set("sslrootcert", d.others) },
			"sslrootcert in postgres.url does not name the authority", false},
		"another name": {func(u *url.URL, _ url.Values) { u.Host = net.JoinHostPort("127.0.0.1", d.port) },
			"name the server in postgres.url as its certificate does", false},
		"no authority file": {func(_ *url.URL, q url.Values) { q.Set("sslrootcert", "/nowhere/ca.pem") },
			"open /nowhere/ca.pem: no such file", false},
		"no such mode": {func(_ *url.URL, q url.Values) { q.Set("sslmode", "verify-all") }, "sslmode is invalid", false},
		"nobody there": {func(u *url.URL, _ url.Values) { u.Host = "localhost:1" },
			"no database answers at the address in postgres.url", true},
	} {
		t.Run(name, func(t *testing.T) {
			config := d.config(t, d.url(c.change).String(), brokers)
			lines := [][]string{{"alerts", "ls"}, {"migrate", "status"}}
			if !c.waits {
				lines = append(lines, []string{"run", "--roles", "sink"})
			}
			for _, args := range lines {
				_, errs, code := call{args: append(args, "--config", config)}.run(t.Context())
				require.NotZero(t, code, args)
				require.Contains(t, errs, c.want, args)
			}
		})
	}
	t.Run("no TLS", func(t *testing.T) {
		u, err := url.Parse(pgtest.NewDatabase(t))
		require.NoError(t, err)
		u.RawQuery = url.Values{"sslmode": {"verify-full"}, "sslrootcert": {d.ca}}.Encode()
		_, errs, code := call{args: []string{"alerts", "ls", "--config", d.config(t, u.String(), brokers)}}.run(t.Context())
		require.Equal(t, 1, code, errs)
		require.Contains(t, errs, "the server does not speak TLS")
	})
	for _, address := range []string{
		"postgres://app:wrong pony@[::1/x", "postgres://app:wrong pony@host:port/x", "host=x password='wrong pony",
		"host=x sslmode=never password='wrong pony'", "postgres://app:wrong%ponyß wrong pony@h/x?sslmode=no",
	} {
		for _, args := range [][]string{{"alerts", "ls"}, {"migrate", "up"}, {"migrate", "grants"}, {"config", "print"}} {
			_, errs, _ := call{args: append(args, "--config", d.config(t, address, brokers))}.run(t.Context())
			if args[0] != "config" {
				require.Contains(t, errs, "postgres.url cannot be used", "%v %s", args, address)
			}
		}
	}
}
