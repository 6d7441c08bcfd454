package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"time"

	"tocsin/processor/app/settings"
	"tocsin/processor/embedded"
)

// What `run --embedded` and `demo` leave behind can be looked at when they have ended: with embedded.on_demand, which
// only the file they write for other commands sets, a command that reads starts what it needs, and stops it again.

// borrowPatience is how long a command waits for another one that has started the broker for itself.
const borrowPatience = 15 * time.Second

// borrowDatabase sees to it that the database runs. The configuration it returns says where.
func (c *Config) borrowDatabase(ctx context.Context) (*Config, func() error, error) {
	if !c.Embedded.OnDemand {
		return c, func() error { return nil }, nil
	}
	loan, err := embedded.BorrowPostgres(ctx, embedded.PostgresConfig{Dir: filepath.Join(c.embeddedDir(), "postgres")})
	if err != nil {
		return nil, nil, err
	}
	out := *c
	out.Postgres.URL = settings.NewURL(loan.DSN(embeddedDatabase))
	return &out, func() error {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeEmbedded)
		defer cancel()
		return loan.Return(ctx)
	}, nil
}

// borrowBroker sees to it that the broker runs.
func (l *Loaded) borrowBroker(ctx context.Context) (*Loaded, func() error, error) {
	if !l.Embedded.OnDemand {
		return l, func() error { return nil }, nil
	}
	ctx, cancel := context.WithTimeout(ctx, borrowPatience)
	defer cancel()
	for {
		b, err := embedded.StartBroker(ctx, embedded.BrokerConfig{Dir: filepath.Join(l.embeddedDir(), "kafka")})
		switch {
		case err == nil:
			out := *l
			out.Kafka.Brokers = b.Addrs()
			return &out, b.Stop, nil
		case !errors.Is(err, embedded.ErrInUse):
			return nil, nil, err
		case l.brokerAnswers(ctx):
			return l, func() error { return nil }, nil
		}
		if pause(ctx, 50*time.Millisecond) != nil {
			return nil, nil, fmt.Errorf("another command is reading from the embedded broker: wait until it has ended (%w)", err)
		}
	}
}

// brokerAnswers says whether somebody listens where the broker is said to be.
func (l *Loaded) brokerAnswers(ctx context.Context) bool {
	for _, b := range l.Kafka.Brokers {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", b)
		if err == nil {
			_ = conn.Close() // nothing was said
			return true
		}
	}
	return false
}
