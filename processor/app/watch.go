package app

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"tocsin/processor/sink"
)

// Happening is something that happened to an alert, with the alert as it stands now.
type Happening = sink.Happening

// WatchOptions of [WatchAlerts].
type WatchOptions struct {
	AlertFilter               // Limit and Since are not looked at
	Back        time.Duration // begin with what has happened within this time
	Every       time.Duration // how often the database is asked
	Now         func() time.Time
	Each        func(Happening) error
	Trouble     func(error) // told once each time the database has ceased to answer; it is asked again
	Well        func()      // told when it answers again
}

// ErrEnough ends a watch without error when it is returned for something that happened.
var ErrEnough = errors.New("enough was seen")

// watchRetry is the longest pause before a database that does not answer is asked again.
const watchRetry = 30 * time.Second

// WatchAlerts passes on what happens to alerts, as it is stored, until ctx ends, which is no error. It asks the
// database rather than the alerts topic: those who may see the alerts of one organisation have access to that and not
// to the topic, which holds everybody's; what is passed on can be shown with `alerts show`; and the database knows too
// what people did. A database that does not answer at first is an error, later on it is waited for.
func WatchAlerts(ctx context.Context, c *Config, o WatchOptions) error {
	return withQueries(ctx, c, func(q *sink.Queries) error {
		w := q.Watch(o.scope(), sink.Filter{Rules: o.Rules, Severities: o.Severities, Statuses: o.Statuses, States: o.States},
			o.Back)
		answered, troubled, pause := false, false, o.Every
		for {
			fresh, more, err := w.Next(ctx, o.Now())
			switch {
			case ctx.Err() != nil:
				return nil //nolint:nilerr // to be ended is what it waits for
			case err != nil && (!answered || !mayPass(err)):
				return err
			case err != nil:
				if !troubled {
					o.Trouble(err)
				}
				troubled, pause = true, min(2*pause, max(watchRetry, o.Every))
			default:
				if troubled {
					o.Well()
				}
				answered, troubled, pause = true, false, o.Every
			}
			for _, h := range fresh {
				if err := o.Each(h); errors.Is(err, ErrEnough) {
					return nil
				} else if err != nil {
					return err
				}
			}
			if more {
				continue
			}
			select {
			case <-ctx.Done():
				return nil
			case <-time.After(pause):
			}
		}
	})
}

// mayPass says whether asking again may help: not when the database answered that it will not do it, unless it is going
// down (class 57) or short of something (53).
func mayPass(err error) bool {
	var refused *pgconn.PgError
	if !errors.As(err, &refused) || len(refused.Code) != 5 {
		return true
	}
	class := refused.Code[:2]
	return class == "57" || class == "53" || class == "08" || class == "40"
}
