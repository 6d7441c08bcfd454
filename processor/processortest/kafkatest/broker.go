package kafkatest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"tocsin/processor/embedded/child"
)

// Config says where and how a broker runs. The zero value is good for tests.
type Config struct {
	Jars       string            // folder of Kafka's jars; empty: see FindJars
	Java       string            // the java program; empty: that of JAVA_HOME, else of the PATH
	Dir        string            // keeps data and logs; empty: a temporary folder, removed by Close
	Port       int               // on 127.0.0.1; 0: any free one
	HeapMB     int               // of the Java machine; 0: 512
	LongLived  bool              // compile as a broker in production does: slower for minutes, faster afterwards
	Patient    bool              // a broker that is left waiting, or paused, is taken for dead after a minute, not 3 s
	Properties map[string]string // settings of the broker, over those of this package
	Security   *Security         // nil: clients need neither TLS nor a password
	Log        *slog.Logger      // nil: silent
}

// Broker is a broker that runs, or has been stopped or killed and may be started again on the same data and port.
type Broker struct {
	cfg    Config
	temp   bool
	starts int
	ports  [3]int // clients, controller, the broker itself
	proc   *child.Process
}

// StartBroker makes an empty broker, starts it and returns when clients can use it. ctx bounds the start only.
func StartBroker(ctx context.Context, cfg Config) (*Broker, error) {
	b := &Broker{cfg: cfg}
	if err := b.prepare(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("prepare Kafka: %w", err), b.Close())
	}
	if err := b.Restart(ctx); err != nil {
		return nil, errors.Join(err, b.Close())
	}
	return b, nil
}

func (b *Broker) prepare(ctx context.Context) error {
	var err error
	if b.cfg.Log == nil {
		b.cfg.Log = slog.New(slog.DiscardHandler)
	}
	if b.cfg.Jars, err = FindJars(b.cfg.Jars); err != nil {
		return err
	}
	if b.cfg.Java, err = findJava(b.cfg.Java); err != nil {
		return err
	}
	if b.cfg.HeapMB == 0 {
		b.cfg.HeapMB = 512
	}
	if b.cfg.Dir == "" {
		b.temp = true
		if b.cfg.Dir, err = os.MkdirTemp("", "tocsin-kafka-"); err != nil {
			return fmt.Errorf("make folder: %w", err)
		}
	} else if err := os.MkdirAll(b.cfg.Dir, 0o700); err != nil {
		return fmt.Errorf("make folder: %w", err)
	}
	if b.ports, err = freePorts(ctx, b.cfg.Port); err != nil {
		return err
	}
	if b.cfg.Security != nil {
		if err := b.makeCertificates(); err != nil {
			return err
		}
	}
	settings := b.settings()
	if err := os.WriteFile(b.settingsFile(), []byte(settings), 0o600); err != nil {
		return fmt.Errorf("write settings: %w", err)
	}
	args := []string{"format", "--cluster-id", clusterID(), "--config", b.settingsFile()}
	args = append(args, b.cfg.Security.scramUsers()...)
	if _, err := child.Run(ctx, b.java("kafka.tools.StorageTool", args...)); err != nil {
		return fmt.Errorf("format storage: %w", err)
	}
	return nil
}

// Restart starts the broker again on its data and port, stopping it first if it runs.
func (b *Broker) Restart(ctx context.Context) error {
	if err := b.Stop(ctx); err != nil {
		return err
	}
	began := time.Now()
	b.starts++
	var err error
	if b.proc, err = child.Start(b.java("kafka.Kafka", b.settingsFile())); err != nil {
		return err
	}
	if err := b.waitReady(ctx); err != nil {
		b.Kill()
		return err
	}
	b.cfg.Log.Info("Kafka is running", "addrs", b.Addrs(), "dir", b.cfg.Dir, "took", time.Since(began))
	return nil
}

// waitReady returns once the broker tells clients that it is there, or with its last words if it ends instead.
func (b *Broker) waitReady(ctx context.Context) error {
	cl, err := kgo.NewClient(kgo.SeedBrokers(local(b.ports[b.internal()])), kgo.RequestRetries(0),
		kgo.DialTimeout(time.Second))
	if err != nil {
		return fmt.Errorf("make client: %w", err)
	}
	defer cl.Close()
	admin := kadm.NewClient(cl)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		// A broker that does not yet take part in the cluster is not in its own list.
		if found, err := admin.ListBrokers(ctx); err == nil && len(found) > 0 {
			return nil
		}
		select {
		case <-tick.C:
		case <-b.proc.Done():
			return fmt.Errorf("Kafka ended while starting (%w); its log: %s", b.proc.Err(), b.LogTail())
		case <-ctx.Done():
			return fmt.Errorf("wait for Kafka to answer: %w; its log: %s", ctx.Err(), b.LogTail())
		}
	}
}

// Addrs are the addresses for clients to connect to. They stay the same over restarts.
func (b *Broker) Addrs() []string { return []string{local(b.ports[0])} }

func local(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

// PID is the process id of the last start.
func (b *Broker) PID() int { return b.proc.PID() }

// Stop shuts the broker down in good order and keeps its data. When ctx ends first, it is killed.
func (b *Broker) Stop(ctx context.Context) error {
	if b.proc == nil {
		return nil
	}
	b.Resume() // a paused one would not hear the request
	return b.proc.Stop(ctx, syscall.SIGTERM)
}

// Kill ends the broker at once, as a crash would, and keeps its data.
func (b *Broker) Kill() {
	if b.proc != nil {
		b.proc.Kill()
	}
}

// Pause freezes the broker: connections stay open, nothing answers.
func (b *Broker) Pause() error { return b.proc.Signal(syscall.SIGSTOP) }

// Resume ends a pause. It is harmless without one.
func (b *Broker) Resume() { _ = b.proc.Signal(syscall.SIGCONT) } // fails only for a process of somebody else

// Close kills the broker and removes a temporary folder.
func (b *Broker) Close() error {
	b.Kill()
	if !b.temp {
		return nil
	}
	if err := os.RemoveAll(b.cfg.Dir); err != nil {
		return fmt.Errorf("remove Kafka's folder: %w", err)
	}
	return nil
}

// LogTail is the end of what the broker printed since its last start.
func (b *Broker) LogTail() string { return b.proc.LogTail(8000) }

func (b *Broker) settingsFile() string { return filepath.Join(b.cfg.Dir, "server.properties") }
