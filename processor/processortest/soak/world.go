package soak

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"tocsin/bench/generate"
	"tocsin/bench/produce"
	"tocsin/processor/embedded"
	"tocsin/processor/processortest/kafkatest"
	"tocsin/processor/processortest/ports"
	"tocsin/processor/processortest/program"
)

// world is everything of one run.
type world struct {
	cfg       Config
	plan      []Fault
	generator *generate.Generator
	app       program.Application
	broker    *kafkatest.Broker
	postgres  *embedded.Postgres
	client    *kgo.Client
	adm       *kadm.Client
	members   [members]*member
	changelog *changelog
	load      *load
	report    *Report
}

func (w *world) setUp(ctx context.Context, secret string) (err error) {
	if w.broker, err = kafkatest.StartBroker(ctx, kafkatest.Config{
		Dir: filepath.Join(w.cfg.Dir, "kafka"), HeapMB: 768, Patient: true,
		Properties: map[string]string{
			"group.min.session.timeout.ms": "1000",
			"offsets.topic.num.partitions": "2", "transaction.state.log.num.partitions": "4",
		},
	}); err != nil {
		return err
	}
	port, err := ports.Free(ctx)
	if err != nil {
		return err
	}
	if err := w.startPostgres(ctx, port); err != nil {
		return err
	}
	if err := w.postgres.CreateDatabase(ctx, "soak"); err != nil {
		return err
	}
	w.app = program.Application{
		ID: "soak", Brokers: w.broker.Addrs(), DSN: w.postgres.DSN("soak"), Partitions: partitions,
		Cluster: fmt.Sprintf("  session_timeout: %s\n  heartbeat_interval: 500ms\n  transaction_timeout: 4s\n"+
			"  transaction_watchdog: 15s", session),
		Extra: fmt.Sprintf("verify: {hmac_secret: %q}\n", secret),
	}
	if w.client, err = kgo.NewClient(w.app.Kafka()...); err != nil {
		return err
	}
	w.adm = kadm.NewClient(w.client)
	if err := produce.CreateTopic(ctx, w.app.Kafka(), w.app.Input(), partitions); err != nil {
		return err
	}
	for i := range w.members {
		if w.members[i], err = w.newMember(ctx, i); err != nil {
			return err
		}
	}
	for _, args := range [][]string{{"topics", "init"}, {"migrate", "up"}} {
		if _, err := program.Call(ctx, w.cfg.Program, w.members[0].config, args...); err != nil {
			return err
		}
	}
	// What a restore reads is counted afterwards: until then nothing of it may be compacted away.
	keep := "86400000"
	altered, err := w.adm.AlterTopicConfigs(ctx, []kadm.AlterConfig{
		{Op: kadm.SetConfig, Name: "min.compaction.lag.ms", Value: &keep}}, w.app.Changelog())
	for _, a := range altered {
		err = errors.Join(err, a.Err)
	}
	if err != nil {
		return fmt.Errorf("keep the changelog: %w", err)
	}
	if w.changelog, err = follow(&w.app); err != nil {
		return err
	}
	for _, m := range w.members[:members-1] {
		if err := m.start(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (w *world) startPostgres(ctx context.Context, port int) (err error) {
	w.postgres, err = embedded.StartPostgres(ctx, embedded.PostgresConfig{
		Dir: filepath.Join(w.cfg.Dir, "postgres"), Port: port,
	})
	return err
}

func (w *world) tearDown() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for _, m := range w.members {
		if m != nil && m.proc != nil {
			m.proc.Kill()
		}
	}
	if w.changelog != nil {
		w.changelog.close()
	}
	if w.client != nil {
		w.client.Close()
	}
	var errs []error
	if w.postgres != nil {
		errs = append(errs, w.postgres.Stop(ctx))
	}
	if w.broker != nil {
		errs = append(errs, w.broker.Close())
	}
	return errors.Join(errs...)
}

// writeConfig writes the configuration file of a process.
func (w *world) writeConfig(m *program.Member) (string, error) {
	path := filepath.Join(m.Dir, "tocsin.yaml")
	if err := os.MkdirAll(m.Dir, 0o700); err != nil {
		return "", err
	}
	return path, os.WriteFile(path, w.app.Configuration(m), 0o600)
}
