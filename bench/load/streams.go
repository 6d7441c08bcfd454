package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"tocsin/processor/processortest/program"
)

// kindStreams is the peer: the Kafka Streams program in bench/peers/kstreams.
const kindStreams = "streams"

// streamsCommand is the peer's launcher and its settings. They go by the environment, the secret among them.
func (s *settings) streamsCommand() (launcher string, env []string, err error) {
	root, err := program.Root()
	if err != nil {
		return "", nil, err
	}
	if _, err := os.Stat(filepath.Join(root, ".cache", "kstreams", "kstreams.jar")); err != nil {
		return "", nil, errors.New("the Kafka Streams program is not built: run `make kstreams`")
	}
	return filepath.Join(root, "bench", "peers", "kstreams", "run.sh"), []string{
		"KSTREAMS_BROKERS=" + strings.Join(s.Brokers, ","), "KSTREAMS_APP=" + s.App, "KSTREAMS_INPUT=" + s.Input,
		"KSTREAMS_ALERTS=" + s.alerts(), "KSTREAMS_DEADLETTER=" + s.deadLetters(), "KSTREAMS_STATE_DIR=" + s.Dir,
		fmt.Sprintf("KSTREAMS_COMMIT_MS=%d", s.CloseAfter.Milliseconds()), "KSTREAMS_SECRET=" + s.Key,
		"KSTREAMS_SET=" + strings.Join(s.PeerSet, "\n"),
	}, nil
}
