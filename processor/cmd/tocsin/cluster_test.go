package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kversion"

	"tocsin/processor/processortest/kafkatest"
	"tocsin/processor/processortest/pgtest"
)

// clusterConfig writes the configuration of an application whose topics all begin with its id.
func clusterConfig(t *testing.T, app, broker string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tocsin.yaml")
	require.NoError(t, os.WriteFile(path, fmt.Appendf(nil, `
app: {id: %[1]s, instance: one, data_dir: %[2]q}
kafka: {brokers: [%[3]q], replication_factor: 1, min_insync_replicas: 1}
topics: {input: %[1]s-events, alerts: %[1]s-alerts, deadletter: %[1]s-dead, partitions: 2}
input: {ticks: true}
http: {listen: ""}
postgres: {url: %[4]q}
`, app, filepath.Dir(path), broker, pgtest.NewDatabase(t)), 0o600))
	return path
}

// refuses expects that a command line ends with a message that has all of want.
func refuses(t *testing.T, config string, args []string, want ...string) {
	t.Helper()
	out, errs, code := call{args: append(args, "--config", config), stdin: failures()}.run(t.Context())
	require.NotZero(t, code, "%v: %s%s", args, out, errs)
	for _, w := range want {
		require.Contains(t, out+errs, w, args)
	}
}

// What is wrong with the topics of a cluster is said with the remedy, by every command that meets it.
func TestTopicsThatAreWrong(t *testing.T) {
	broker := kafkatest.Shared(t).Addrs()[0]
	cl, err := kgo.NewClient(kgo.SeedBrokers(broker))
	require.NoError(t, err)
	defer cl.Close()
	adm := kadm.NewClient(cl)
	create := func(name string, partitions int32, settings ...string) {
		t.Helper()
		values := map[string]*string{}
		for _, s := range settings {
			key, value, _ := strings.Cut(s, "=")
			values[key] = &value
		}
		_, err := adm.CreateTopic(t.Context(), partitions, 1, values, name)
		require.NoError(t, err)
	}
	const appendTime = "message.timestamp.type=LogAppendTime"

	t.Run("no topics", func(t *testing.T) {
		config := clusterConfig(t, "none", broker)
		refuses(t, config, []string{"topics", "init"}, "input topic none-events does not exist: create it", "--input")
		refuses(t, config, []string{"topics", "check"}, "none-events", "create it as your producers need it")
		for _, args := range [][]string{
			{"run"}, {"ingest", "--no-wait", "-"}, {"replay"}, {"deadletter", "ls"}, {"offsets", "plan"},
			{"run", "--roles", "sink"},
		} {
			refuses(t, config, args, "none-", "does not exist: create it with `tocsin topics init`")
		}
	})
	t.Run("no alerts topic", func(t *testing.T) {
		config := clusterConfig(t, "input", broker)
		create("input-events", 2, appendTime)
		refuses(t, config, []string{"run"}, "topic input-alerts: topic is missing", "Remedy: tocsin topics init")
	})
	t.Run("too few partitions", func(t *testing.T) {
		config := clusterConfig(t, "few", broker)
		create("few-window-changelog", 1)
		_, errs, code := call{args: []string{"topics", "init", "--input", "--config", config}}.run(t.Context())
		require.Zero(t, code, errs)
		for _, args := range [][]string{{"run"}, {"topics", "check", "-o", "table"}} {
			refuses(t, config, args, "few-window-changelog", "partitions", "Remedy: begin with another application id (app.id)")
		}
	})
	t.Run("time stamps of producers", func(t *testing.T) {
		config := clusterConfig(t, "stamps", broker)
		create("stamps-events", 2)
		_, errs, code := call{args: []string{"topics", "init", "--config", config}}.run(t.Context())
		require.Zero(t, code, errs)
		for _, args := range [][]string{{"run"}, {"topics", "check", "-o", "table"}} {
			refuses(t, config, args, "CreateTime", "input.trust_create_time accepts that",
				"--entity-name stamps-events --add-config message.timestamp.type=LogAppendTime")
		}
	})
	t.Run("history where the broker stamps", func(t *testing.T) {
		config := clusterConfig(t, "append", broker)
		create("append-events", 2, appendTime)
		refuses(t, config, []string{"ingest", "--historic", "-"}, "write history to a topic with CreateTime")
	})
}

// Brokers that are too old are told what is needed.
func TestOldBrokers(t *testing.T) {
	for _, c := range []struct {
		versions *kversion.Versions
		want     string
	}{
		{kversion.V1_0_0(), "speaks version 5 of the Metadata request, 10 is needed (Kafka 2.8;"},
		{kversion.V2_7_0(), "speaks version 9 of the Metadata request, 10 is needed (Kafka 2.8;"},
		{kversion.V3_9_0(), "kafka.allow_transaction_v1 accepts that"},
	} {
		t.Run(c.want, func(t *testing.T) {
			cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.MaxVersions(c.versions))
			require.NoError(t, err)
			defer cluster.Close()
			config := clusterConfig(t, "old", cluster.ListenAddrs()[0])
			refuses(t, config, []string{"run"}, c.want)
		})
	}
}
