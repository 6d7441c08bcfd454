package run

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"tocsin/processor/processortest/program"
)

// StreamsCommand is the Kafka Streams program of bench/peers/kstreams as a process that does this processor's job: with
// the same topics, folder and key. set are more settings of Kafka Streams, KEY=VALUE. All goes by the environment, the
// secret among it. Of the topics it needs those of alerts and dead letters only.
func (p *Processor) StreamsCommand(ctx context.Context, set []string) (*exec.Cmd, error) {
	root, err := program.Root()
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(filepath.Join(root, ".cache", "kstreams", "kstreams.jar")); err != nil {
		return nil, errors.New("the Kafka Streams program is not built: run `make kstreams`")
	}
	// Ended by a signal and not by a context: it must drain, so that its usage is that of a whole run.
	cmd := exec.CommandContext(context.WithoutCancel(ctx), //nolint:gosec // G204: to run it is the purpose
		filepath.Join(root, "bench", "peers", "kstreams", "run.sh"))
	cmd.Env = append(os.Environ(),
		"KSTREAMS_BROKERS="+strings.Join(p.Brokers, ","), "KSTREAMS_APP="+p.App, "KSTREAMS_INPUT="+p.Input,
		"KSTREAMS_ALERTS="+p.Alerts(), "KSTREAMS_DEADLETTER="+p.DeadLetters(), "KSTREAMS_STATE_DIR="+p.Dir,
		fmt.Sprintf("KSTREAMS_COMMIT_MS=%d", p.CloseAfter.Milliseconds()), "KSTREAMS_SECRET="+p.Key,
		"KSTREAMS_SET="+strings.Join(set, "\n"))
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	return cmd, nil
}
