package app

import (
	"context"
	"fmt"

	"tocsin/processor/sink"
)

// adminURL is the database as a role that may change the schema.
func (c *Config) adminURL() (string, error) {
	setting, url := "postgres.admin_url", c.Postgres.AdminURL
	if !url.Set() {
		setting, url = "postgres.url", c.Postgres.URL
	}
	if !url.Set() {
		return "", Usagef("postgres.url is not set: set TOCSIN_POSTGRES__URL or postgres.url_file")
	}
	_, err := parseURL(setting, url)
	return url.Reveal(), err
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
	login, err := c.login()
	if err != nil {
		return applied, err
	}
	if err := sink.Grant(ctx, dsn, login); err != nil {
		return applied, fmt.Errorf("let %s use the tables: %w", login, err)
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
