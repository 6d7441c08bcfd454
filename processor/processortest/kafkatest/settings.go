package kafkatest

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"tocsin/processor/embedded/child"
	"tocsin/processor/processortest/ports"
)

// settings is the text of server.properties.
func (b *Broker) settings() string {
	clients := fmt.Sprintf("PLAINTEXT://127.0.0.1:%d", b.ports[0])
	if b.cfg.Security != nil {
		clients = fmt.Sprintf("%s://127.0.0.1:%d,PLAINTEXT://127.0.0.1:%d", b.cfg.Security.listener(), b.ports[0],
			b.ports[b.internal()])
	}
	all := map[string]string{
		"process.roles":             "broker,controller",
		"node.id":                   "1",
		"controller.quorum.voters":  fmt.Sprintf("1@127.0.0.1:%d", b.ports[1]),
		"listeners":                 clients + fmt.Sprintf(",CONTROLLER://127.0.0.1:%d", b.ports[1]),
		"advertised.listeners":      clients,
		"controller.listener.names": "CONTROLLER",
		"log.dirs":                  filepath.Join(b.cfg.Dir, "data"),

		"auto.create.topics.enable": "false",
		"message.max.bytes":         "10485760",

		// One broker: one replica. Few partitions: each is a folder to open at every start.
		"offsets.topic.replication.factor":         "1",
		"offsets.topic.num.partitions":             "4",
		"transaction.state.log.replication.factor": "1",
		"transaction.state.log.min.isr":            "1",
		"transaction.state.log.num.partitions":     "4",
		"share.coordinator.state.topic.min.isr":    "1",

		"share.coordinator.state.topic.replication.factor": "1",

		// Tests do not wait for what production smooths over.
		"group.initial.rebalance.delay.ms":                            "0",
		"transaction.abort.timed.out.transaction.cleanup.interval.ms": "1000",
		// After a crash the same broker is let in again when its former session has ended.
		"broker.heartbeat.interval.ms": "500",
		"broker.session.timeout.ms":    "3000",

		// A small machine shared with the program under test. The default of the cleaner's buffer is 128 MiB of heap.
		"num.network.threads":            "2",
		"num.io.threads":                 "4",
		"background.threads":             "2",
		"log.cleaner.dedupe.buffer.size": "16777216",
		"socket.send.buffer.bytes":       "1048576",
		"socket.receive.buffer.bytes":    "1048576",
		"log.segment.delete.delay.ms":    "1000",
	}
	if b.cfg.Patient {
		all["broker.session.timeout.ms"] = "60000"
	}
	if b.cfg.Security != nil {
		maps.Copy(all, b.securitySettings())
	}
	maps.Copy(all, b.cfg.Properties)
	var text strings.Builder
	for _, key := range slices.Sorted(maps.Keys(all)) {
		fmt.Fprintf(&text, "%s=%s\n", key, all[key])
	}
	return text.String()
}

// java is a call of one of Kafka's classes.
func (b *Broker) java(class string, args ...string) child.Config {
	options := []string{
		fmt.Sprintf("-Xmx%dm", b.cfg.HeapMB), fmt.Sprintf("-Xms%dm", min(b.cfg.HeapMB, 256)),
		"-XX:+ExitOnOutOfMemoryError", // a broker that limps on would make tests hang
		"-Djava.awt.headless=true",
		"-Dorg.slf4j.simpleLogger.showDateTime=true",
		"-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS",
		// These two print all settings, several times.
		"-Dorg.slf4j.simpleLogger.log.org.apache.kafka.common.config=warn",
		"-Dorg.slf4j.simpleLogger.log.kafka.server.KafkaConfig=warn",
		"-cp", filepath.Join(b.cfg.Jars, "*"), class,
	}
	if !b.cfg.LongLived {
		// A broker of a test lives for a minute, most of which the second compiler would spend on its own: two thirds of
		// the broker's time were measured.
		options = append([]string{"-XX:TieredStopAtLevel=1"}, options...)
	}
	return child.Config{
		Path: b.cfg.Java,
		Args: append(options, args...),
		Env:  []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C.UTF-8", "TZ=UTC"},
		Dir:  b.cfg.Dir,
		Log:  filepath.Join(b.cfg.Dir, fmt.Sprintf("kafka-%d.log", b.starts)),
		// The broker is nothing without the program that started it, and its data are nobody's.
		DeathSignal: syscall.SIGKILL,
	}
}

// clusterID is 16 random bytes in the form Kafka wants: URL-safe base64 that does not look like an option.
func clusterID() string {
	for {
		var id [16]byte
		_, _ = rand.Read(id[:]) // never fails
		if text := base64.RawURLEncoding.EncodeToString(id[:]); text[0] != '-' {
			return text
		}
	}
}

// freePorts finds a port for clients, unless one is wanted, and others for the broker's own use.
func freePorts(ctx context.Context, want int) (found [3]int, err error) {
	for i := range found {
		if i == 0 && want != 0 {
			found[i] = want
		} else if found[i], err = ports.Free(ctx); err != nil {
			return found, err
		}
	}
	return found, nil
}
