package app

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"tocsin/processor/sink"
)

// adminURL is the database as a role that may change the schema.
func (c *Config) adminURL() (string, error) {
	switch {
	case c.Postgres.AdminURL.Set():
		return c.Postgres.AdminURL.Reveal(), nil
	case c.Postgres.URL.Set():
		return c.Postgres.URL.Reveal(), nil
	}
	return "", Usagef("postgres.url is not set: set TOCSIN_POSTGRES__URL or postgres.url_file")
}

// Migrate brings the database up to date, and lets the role of postgres.url work on it.
func Migrate(ctx context.Context, c *Config) ([]sink.Migration, error) {
	dsn, err := c.adminURL()
	if err != nil {
		return nil, err
	}
	applied, err := sink.Migrate(ctx, dsn)
	if err != nil {
		return applied, err
	}
	login, err := pgx.ParseConfig(c.Postgres.URL.Reveal())
	if err != nil {
		return applied, Usagef("postgres.url: %w", err) // pgx leaves the password out of its message
	}
	if err := sink.Grant(ctx, dsn, login.User); err != nil {
		return applied, fmt.Errorf("let %s use the tables: %w", login.User, err)
	}
	return applied, nil
}

// MigrationStatus lists every step of the schema.
func MigrationStatus(ctx context.Context, c *Config) ([]sink.Migration, error) {
	dsn, err := c.adminURL()
	if err != nil {
		return nil, err
	}
	return sink.MigrationStatus(ctx, dsn)
}
