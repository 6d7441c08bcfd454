package app

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"tocsin/processor/app/settings"
	"tocsin/processor/sink"
)

// plainFaults are what the driver says of an address without quoting it.
var plainFaults = []string{"sslmode is invalid", "unable to add CA to cert pool", "failed to decode sslkey"}

// urlFault makes an error of an address that the driver does not understand. The driver quotes the address, and what is
// malformed is not always masked: so nothing is quoted but the name of a file.
func urlFault(setting string, err error) error {
	var file *fs.PathError
	why := ""
	switch known := slices.IndexFunc(plainFaults, func(s string) bool { return strings.Contains(err.Error(), s) }); {
	case errors.As(err, &file):
		why = ": " + file.Error()
	case known >= 0:
		why = ": " + plainFaults[known]
	}
	return Usagef("%s cannot be used%s: write postgres://USER:PASSWORD@HOST:PORT/DATABASE?sslmode=verify-full&"+
		"sslrootcert=FILE, with what is special in names and passwords as %%XX", setting, why)
}

// parseURL reads an address. Its errors show nothing of it.
func parseURL(setting string, url settings.URL) (*pgxpool.Config, error) {
	pc, err := pgxpool.ParseConfig(url.Reveal())
	if err != nil {
		return nil, urlFault(setting, err)
	}
	return pc, nil
}

// greetDatabase finds out before anything is started whether the database lets us in and allows what the sink does.
// Where it merely does not answer yet, or has no tables yet, the sink waits and says so itself.
func (c *Config) greetDatabase(ctx context.Context) error {
	pool, err := c.openPool(ctx, 1)
	if err != nil {
		return err
	}
	defer pool.Close()
	ctx, cancel := context.WithTimeout(ctx, pingWithin)
	defer cancel()
	if err := pool.Ping(ctx); err != nil {
		if remedy, passes := databaseRemedy(err); remedy == "" || passes {
			return nil
		}
		return fmt.Errorf("reach the database: %w", err)
	}
	login, missing, err := sink.MissingGrants(ctx, pool)
	if err != nil || len(missing) == 0 {
		return nil // what cannot be asked the sink finds out for itself
	}
	return &sink.GrantError{Login: login, Missing: missing}
}

// databaseRemedy says what to do about an error of connecting to the database; empty where that is not known. passes
// says that it may pass by itself.
func databaseRemedy(err error) (remedy string, passes bool) {
	var connect *pgconn.ConnectError
	if !errors.As(err, &connect) {
		return "", false
	}
	var (
		answer    *pgconn.PgError
		authority x509.UnknownAuthorityError
		name      x509.HostnameError
		invalid   x509.CertificateInvalidError
		network   *net.OpError
	)
	user, database := connect.Config.User, connect.Config.Database
	switch {
	case errors.As(err, &authority):
		return "sslrootcert in postgres.url does not name the authority that signed the server's certificate: name the" +
			" PEM file that does", false
	case errors.As(err, &name):
		return "name the server in postgres.url as its certificate does", false
	case errors.As(err, &invalid):
		return "the server's certificate is at fault, not sslrootcert in postgres.url: renew it", false
	case errors.As(err, &answer):
		return connectRemedy(answer, user, database)
	case strings.Contains(err.Error(), "server refused TLS connection"):
		return "the server does not speak TLS: set ssl = on in its postgresql.conf; sslmode=disable in postgres.url sends" +
			" everything readably", false
	case strings.Contains(err.Error(), "remote error: tls: "):
		return "the server refused our certificate, or asks for one: see sslcert and sslkey in postgres.url", false
	case errors.As(err, &network) && network.Op == "dial":
		return "no database answers at the address in postgres.url: check host and port, and whether it runs", true
	}
	return "", false
}

// connectRemedy is for what the server itself answers to a login.
func connectRemedy(answer *pgconn.PgError, user, database string) (remedy string, passes bool) {
	switch answer.Code {
	case "28P01": // invalid_password
		return fmt.Sprintf("check user and password in postgres.url (or in the file that postgres.url_file names): the"+
			" server does not know %s with this password", user), false
	case "28000": // invalid_authorization_specification
		switch {
		case strings.Contains(answer.Message, "no encryption"):
			return "the server lets this login in with TLS only: set sslmode=verify-full in postgres.url", false
		case strings.Contains(answer.Message, "not permitted to log in"):
			return "let the role log in: ALTER ROLE " + sink.QuoteName(user) + " LOGIN", false
		}
		return "let the login in: a line in the server's pg_hba.conf for this user, database and address", false
	case "3D000": // invalid_catalog_name
		return "make the database (CREATE DATABASE " + sink.QuoteName(database) + "), or name another in postgres.url",
			false
	case "42501": // insufficient_privilege
		return fmt.Sprintf("%s lacks CONNECT on database %s: GRANT CONNECT ON DATABASE %s TO %s", user, database,
			sink.QuoteName(database), sink.QuoteName(user)), false
	case "53300": // too_many_connections
		return "lower sink.connections, or raise max_connections of the server", true
	}
	return "", false
}

// Grants lists the least rights in the database of a login; empty: that of postgres.url.
func (c *Config) Grants(login string) ([]sink.Right, error) {
	database, schema := "tocsin", ""
	if c.Postgres.URL.Set() {
		pc, err := parseURL("postgres.url", c.Postgres.URL)
		if err != nil {
			return nil, err
		}
		database = pc.ConnConfig.Database
		schema, _, _ = strings.Cut(pc.ConnConfig.RuntimeParams["search_path"], ",")
		if login == "" {
			login = pc.ConnConfig.User
		}
	}
	if login == "" {
		return nil, Usagef("postgres.url is not set: name the login with --login")
	}
	return sink.Grants(login, database, strings.TrimSpace(schema)), nil
}

// openPool makes a pool of connections to the database. It connects when first used.
func (c *Config) openPool(ctx context.Context, connections int32) (*pgxpool.Pool, error) {
	pc, err := parseURL("postgres.url", c.Postgres.URL)
	if err != nil {
		return nil, err
	}
	pc.MaxConns = connections
	pool, err := pgxpool.NewWithConfig(ctx, pc)
	if err != nil {
		return nil, fmt.Errorf("make connections to the database: %w", err)
	}
	return pool, nil
}

// login is the role that postgres.url names.
func (c *Config) login() (string, error) {
	pc, err := parseURL("postgres.url", c.Postgres.URL)
	if err != nil {
		return "", err
	}
	return pc.ConnConfig.User, nil
}

// QuoteName writes the name of a role or table as SQL does.
func QuoteName(name string) string { return sink.QuoteName(name) }
