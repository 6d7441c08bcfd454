package embedded

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"

	"github.com/twmb/franz-go/pkg/kfake"
)

// MaxMessageBytes is the largest record batch that the embedded broker takes for a topic which does not say otherwise:
// 10 MiB, above the input's limit with room for a dead letter's headers.
const MaxMessageBytes = 10 << 20

// BrokerConfig says where and how the broker runs.
type BrokerConfig struct {
	Dir  string       // keeps topics and offsets; empty: nothing is kept, all is in memory
	Port int          // on 127.0.0.1; 0: any free one
	Log  *slog.Logger // nil: silent

	// Fsync makes every acknowledged batch survive a loss of power. Off, it survives a crash of the process only.
	Fsync bool
}

// ErrInUse is returned by [StartBroker] when the folder serves another broker.
var ErrInUse = errors.New("another broker is using the folder")

// Broker is a running in-process cluster of one broker. It knows transactions and consumer groups, but neither
// replication nor quotas, and creates no topic by itself.
type Broker struct {
	cluster *kfake.Cluster
	addrs   []string // taken at the start: the cluster does not answer once it is closed
	lock    *os.File // nil without a folder
	log     *slog.Logger
	stop    sync.Once
	stopErr error
}

// StartBroker starts a broker, with the topics of its folder if it has been used before. A folder serves one broker
// at a time.
func StartBroker(ctx context.Context, cfg BrokerConfig) (*Broker, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("start broker: %w", err)
	}
	b := &Broker{log: cfg.Log}
	if b.log == nil {
		b.log = slog.New(slog.DiscardHandler)
	}
	opts := []kfake.Opt{
		kfake.NumBrokers(1),
		kfake.Ports(cfg.Port),
		kfake.BrokerConfigs(map[string]string{"message.max.bytes": fmt.Sprint(MaxMessageBytes)}),
		kfake.WithLogger(clusterLog{b.log}),
	}
	if cfg.Dir != "" {
		var err error
		if b.lock, err = lockFolder(cfg.Dir); err != nil {
			return nil, err
		}
		opts = append(opts, kfake.DataDir(cfg.Dir))
		if cfg.Fsync {
			opts = append(opts, kfake.SyncWrites())
		}
	}
	var err error
	if b.cluster, err = kfake.NewCluster(opts...); err != nil {
		return nil, errors.Join(fmt.Errorf("start broker on port %d with folder %q: %w", cfg.Port, cfg.Dir, err), b.unlock())
	}
	b.addrs = b.cluster.ListenAddrs()
	b.log.Info("the embedded broker is running", "addrs", b.addrs, "dir", cfg.Dir)
	return b, nil
}

// Addrs are the addresses for clients to connect to.
func (b *Broker) Addrs() []string { return slices.Clone(b.addrs) }

// Cluster is the broker itself, for tests that inject faults.
func (b *Broker) Cluster() *kfake.Cluster { return b.cluster }

// Stop writes what must be kept and ends the broker. Stopping twice is harmless.
func (b *Broker) Stop() error {
	b.stop.Do(func() {
		b.cluster.Close()
		b.stopErr = b.unlock()
		b.log.Info("the embedded broker has stopped")
	})
	return b.stopErr
}

func (b *Broker) unlock() error {
	if b.lock == nil {
		return nil
	}
	if err := b.lock.Close(); err != nil { // which gives up the lock
		return fmt.Errorf("unlock broker's folder: %w", err)
	}
	return nil
}

// lockFolder makes the folder and claims it until the file is closed or the process ends.
func lockFolder(dir string) (*os.File, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make broker's folder: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(dir, "LOCK"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock broker's folder: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		err = fmt.Errorf("%w %s: stop it, or use another one (%w)", ErrInUse, dir, err)
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// clusterLog hands the broker's messages on. Its "info" is one line per request: debug here.
type clusterLog struct{ log *slog.Logger }

func (l clusterLog) Logf(level kfake.LogLevel, format string, args ...any) {
	to := slog.LevelDebug
	switch level {
	case kfake.LogLevelError:
		to = slog.LevelError
	case kfake.LogLevelWarn:
		to = slog.LevelWarn
	case kfake.LogLevelNone, kfake.LogLevelInfo, kfake.LogLevelDebug:
	}
	ctx := context.Background()
	if l.log.Enabled(ctx, to) {
		l.log.Log(ctx, to, "embedded broker", "message", fmt.Sprintf(format, args...))
	}
}
