// Command cluster stands in for a cluster of the reader's own, so that the settings for one can be tried and shown: a
// real Apache Kafka broker whose clients must speak TLS and log in with SCRAM, and may do nothing that they were not
// allowed; and an empty PostgreSQL database. Both listen on 127.0.0.1 alone, and end with the command, their data
// with them: build it, for a `go run` that is told to end does not tell what it runs. It needs Java and what `make
// kafka-jars` fetches.
//
// The folder -dir gets what an administrator hands out: the authority's certificate, the password, the address of the
// database, and, when all is up, tocsin.yaml with the settings that go with them.
//
// With -allow it is the administrator of a cluster that runs: it grants the rights on standard input, as `tocsin
// topics acls -o json` prints them.
package main

import (
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"tocsin/processor/embedded"
	"tocsin/processor/processortest/kafkatest"
)

const (
	user       = "tocsin"
	adminFile  = "admin-address"
	stopWithin = 30 * time.Second
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	dir := flag.String("dir", filepath.Join("data", "cluster"), "folder for what clients need")
	grant := flag.Bool("allow", false, "grant the rights on standard input")
	flag.Parse()
	var err error
	if *grant {
		err = administer(ctx, *dir)
	} else {
		err = run(ctx, *dir, slog.New(slog.NewTextHandler(os.Stderr, nil)))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "cluster:", err)
		os.Exit(1) //nolint:forbidigo,gocritic // this is main, and the signal handler goes with the process
	}
}

func administer(ctx context.Context, dir string) error {
	address, err := os.ReadFile(filepath.Join(dir, adminFile))
	if err != nil {
		return fmt.Errorf("find the cluster: %w", err)
	}
	n, err := allow(ctx, os.Stdin, strings.TrimSpace(string(address)))
	if err != nil {
		return err
	}
	fmt.Printf("%d rights granted\n", n)
	return nil
}

// run serves until ctx ends.
func run(ctx context.Context, dir string, log *slog.Logger) (err error) {
	if dir, err = filepath.Abs(dir); err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("make folder: %w", err)
	}
	settings := filepath.Join(dir, "tocsin.yaml")
	if err := os.Remove(settings); err != nil && !os.IsNotExist(err) { // it says that all is up
		return fmt.Errorf("remove the last cluster's settings: %w", err)
	}
	password := rand.Text()
	broker, err := kafkatest.StartBroker(ctx, kafkatest.Config{
		Security: &kafkatest.Security{Users: map[string]string{user: password}, Authorizer: true}, Patient: true, Log: log,
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, broker.Close()) }()
	database, err := embedded.StartPostgres(ctx, embedded.PostgresConfig{Log: log})
	if err != nil {
		return err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopWithin)
		defer cancel()
		err = errors.Join(err, database.Stop(ctx))
	}()
	if err := database.CreateDatabase(ctx, user); err != nil {
		return err
	}
	if err := handOut(dir, broker, password, database.DSN(user)); err != nil {
		return fmt.Errorf("write what clients need: %w", err)
	}
	if err := os.WriteFile(settings+".new", []byte(text(dir, broker.Addrs()[0])), 0o600); err != nil {
		return fmt.Errorf("write settings: %w", err)
	}
	if err := os.Rename(settings+".new", settings); err != nil {
		return fmt.Errorf("write settings: %w", err)
	}
	log.Info("the cluster is up until it is interrupted", "settings", settings)
	<-ctx.Done()
	return nil
}

// handOut writes the files that the settings name.
func handOut(dir string, broker *kafkatest.Broker, password, address string) error {
	authority, err := os.ReadFile(broker.Files().CA)
	if err != nil {
		return err
	}
	return errors.Join(
		os.WriteFile(filepath.Join(dir, "ca.pem"), authority, 0o644),
		os.WriteFile(filepath.Join(dir, adminFile), []byte(broker.AdminAddrs()[0]+"\n"), 0o600),
		os.WriteFile(filepath.Join(dir, "kafka-password"), []byte(password+"\n"), 0o600),
		os.WriteFile(filepath.Join(dir, "postgres-url"), []byte(address+"\n"), 0o600),
	)
}

// text is the settings.
func text(dir, address string) string {
	return fmt.Sprintf(`app:
  id: first-hour                 # names groups, transactional ids and internal topics
  data_dir: data/own
kafka:
  brokers: ["%s"]
  tls:
    enabled: true
    ca_file: %[2]q
  sasl:
    mechanism: scram-sha-512
    username: %[3]s
    password_file: %[4]q
  replication_factor: 1          # one broker: of your own cluster leave these two out, the defaults are 3 and 2
  min_insync_replicas: 1
postgres:
  url_file: %[5]q
`, address, filepath.Join(dir, "ca.pem"), user, filepath.Join(dir, "kafka-password"),
		filepath.Join(dir, "postgres-url"))
}
