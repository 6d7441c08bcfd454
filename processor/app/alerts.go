package app

import (
	"context"
	"errors"
	"time"

	"tocsin/processor/sink"
	"tocsin/topics"
)

// StoredAlert is an alert as it stands in the database.
type StoredAlert = sink.Stored

// GroupText puts the values an alert is about in one text.
func GroupText(a topics.Alert) string { return groupText(a.Group) }

// AlertSchema is the JSON Schema of an alert.
func AlertSchema() string { return topics.AlertJSONSchema() }

// AlertFilter narrows a list of alerts. Zero fields narrow nothing.
type AlertFilter struct {
	// Organization asks as that organisation: it sees its own alerts alone, and claims of others withheld. Empty: as an
	// operator, who sees all.
	Organization                        string
	Rules, Severities, Statuses, States []string
	Since                               time.Time // last seen at or after
	Limit                               int       // 0: no limit
}

func (f AlertFilter) scope() sink.Scope {
	return sink.Scope{Organization: f.Organization, Operator: f.Organization == ""}
}

// Alerts passes on alerts, those with the newest crossing first.
func Alerts(ctx context.Context, c *Config, f AlertFilter, each func(sink.Stored) error) error {
	return withQueries(ctx, c, func(q *sink.Queries) error {
		left, cursor := f.Limit, ""
		for {
			page := sink.MaxLimit
			if f.Limit > 0 {
				page = min(left, page)
			}
			got, err := q.List(ctx, f.scope(), sink.Filter{
				Rules: f.Rules, Severities: f.Severities, Statuses: f.Statuses, States: f.States, Since: f.Since,
				Limit: page, Cursor: cursor,
			})
			if err != nil {
				return err
			}
			for _, a := range got.Alerts {
				if err := each(a); err != nil {
					return err
				}
			}
			cursor, left = got.Next, left-len(got.Alerts)
			if cursor == "" || f.Limit > 0 && left <= 0 {
				return nil
			}
		}
	})
}

// Alert gives one alert with its history and evidence.
func Alert(ctx context.Context, c *Config, organization, id string) (d *sink.Detail, err error) {
	err = withQueries(ctx, c, func(q *sink.Queries) error {
		d, err = q.Get(ctx, AlertFilter{Organization: organization}.scope(), id)
		return err
	})
	if errors.Is(err, sink.ErrNotFound) {
		return nil, Usage(err)
	}
	return d, err
}

func withQueries(ctx context.Context, c *Config, do func(*sink.Queries) error) (err error) {
	if !c.Postgres.URL.Set() {
		return Usagef("postgres.url is not set: set TOCSIN_POSTGRES__URL or postgres.url_file (`tocsin run --embedded`" +
			" writes a configuration file for its own database: see what it says at its start)")
	}
	c, giveBack, err := c.borrowDatabase(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, giveBack()) }()
	pool, err := c.openPool(ctx, 2)
	if err != nil {
		return err
	}
	defer pool.Close()
	return do(sink.NewQueries(pool))
}
