package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/goccy/go-yaml"

	"tocsin/processor/app/settings"
	"tocsin/processor/embedded"
	"tocsin/topics"
)

// embeddedDatabase is the name of the database in the embedded server.
const embeddedDatabase = "tocsin"

// embeddedDir is the folder of the embedded services.
func (c *Config) embeddedDir() string {
	if c.Embedded.Dir != "" {
		return c.Embedded.Dir
	}
	return filepath.Join(c.App.DataDir, "embedded")
}

// startEmbedded starts broker and database, makes topics and tables, and sets the configuration so that the roles use
// them. watch is given a function that ends with an error when one of them dies.
func startEmbedded(
	ctx context.Context, cfg *Loaded, log *slog.Logger, cl *closers, watch func(func(context.Context) error),
) error {
	for path, set := range map[string]bool{
		"kafka.brokers": len(cfg.Kafka.Brokers) > 0, "postgres.url": cfg.Postgres.URL.Set(),
	} {
		if set {
			return Usagef("--embedded starts a broker and a database of its own, but %s is set (%s): leave out one or the"+
				" other", path, cfg.Source(path))
		}
	}
	dir, err := filepath.Abs(cfg.embeddedDir())
	if err != nil {
		return err
	}
	// The database server may run as another user (it refuses to be root), who must get through to its own folder.
	if err := os.MkdirAll(dir, 0o711); err != nil { //nolint:gosec // passing through shows nothing
		return fmt.Errorf("make the folder of the embedded services: %w", err)
	}
	log.Warn("embedded broker and database: for trying out, not for production", "dir", dir)
	broker, err := embedded.StartBroker(ctx, embedded.BrokerConfig{
		Dir: filepath.Join(dir, "kafka"), Port: cfg.Embedded.KafkaPort, Log: log.With("service", "kafka"),
	})
	if err != nil {
		return err
	}
	cl.add("embedded broker", closeEmbedded, func(context.Context) error { return broker.Stop() })
	pg, err := embedded.StartPostgres(ctx, embedded.PostgresConfig{
		Dir: filepath.Join(dir, "postgres"), Port: cfg.Embedded.PostgresPort, Log: log.With("service", "postgres"),
	})
	if err != nil {
		return err
	}
	cl.add("embedded database", closeEmbedded, pg.Stop)
	watch(func(ctx context.Context) error {
		select {
		case <-pg.Done():
			return errors.New("the embedded database has ended by itself")
		case <-ctx.Done():
			return nil
		}
	})
	if err := pg.CreateDatabase(ctx, embeddedDatabase); err != nil {
		return err
	}
	cfg.embed(broker.Addrs(), pg.DSN(embeddedDatabase), pg.SuperuserDSN(embeddedDatabase))

	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	// History is older than any retention by time; the folder is there to be thrown away.
	keep := topics.ConfigSpec{Key: "retention.ms", Value: "-1", Rule: topics.AtLeast}
	if _, err := InitTopics(ctx, &cfg.Config, true, false, keep); err != nil {
		return err
	}
	if _, err := Migrate(ctx, &cfg.Config); err != nil {
		return err
	}
	return cfg.writeClientFile(dir)
}

// clientFile is the configuration with which other commands find the embedded services.
const clientFile = "client.yaml"

// writeClientFile writes it: what the user's own file says, rules and organisations among it, and where the services
// are. It holds a password: nobody else may read it.
func (l *Loaded) writeClientFile(dir string) error {
	dataDir, err := filepath.Abs(l.App.DataDir)
	if err != nil {
		return err
	}
	all := map[string]any{}
	if l.File != "" {
		text, err := os.ReadFile(l.File)
		if err == nil {
			err = yaml.Unmarshal(text, &all)
		}
		if err != nil {
			return fmt.Errorf("read configuration: %w", err)
		}
	}
	overlay(all, map[string]any{
		"app":   map[string]any{"id": l.App.ID, "data_dir": dataDir},
		"kafka": map[string]any{"brokers": l.Kafka.Brokers, "replication_factor": 1, "min_insync_replicas": 1},
		"topics": map[string]any{
			"input": l.Topics.Input, "alerts": l.Topics.Alerts, "deadletter": l.Topics.DeadLetter,
		},
		"input":    map[string]any{"ticks": true, "trust_create_time": true},
		"http":     map[string]any{"listen": l.HTTP.Listen}, // for `tocsin health`
		"postgres": map[string]any{"url": l.Postgres.URL.Reveal(), "admin_url": l.Postgres.AdminURL.Reveal()},
		"embedded": map[string]any{"dir": dir, "on_demand": true},
	})
	text, err := yaml.Marshal(all)
	if err != nil {
		return err
	}
	path := filepath.Join(dir, clientFile)
	if err := os.WriteFile(path, text, 0o600); err != nil {
		return fmt.Errorf("write the configuration for other commands: %w", err)
	}
	return nil
}

// overlay lays one tree of sections over another.
func overlay(base, over map[string]any) {
	for k, v := range over {
		if section, ok := v.(map[string]any); ok {
			if below, ok := base[k].(map[string]any); ok {
				overlay(below, section)
				continue
			}
		}
		base[k] = v
	}
}

// embed sets what embedded services need: one replica, and record times and ticks by producers, so that history can be
// written.
func (c *Config) embed(brokers []string, url, adminURL string) {
	c.Kafka.Brokers = brokers
	c.Kafka.ReplicationFactor, c.Kafka.MinInsyncReplicas = 1, 1
	c.Topics.Partitions = c.Embedded.Partitions
	c.Postgres.URL, c.Postgres.AdminURL = settings.NewURL(url), settings.NewURL(adminURL)
	c.Input.Ticks, c.Input.TrustCreateTime = true, true
}
