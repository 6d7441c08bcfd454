package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// kindStreams is the peer: the Kafka Streams program in bench/peers/kstreams.
const kindStreams = "streams"

// streamsCommand is the peer's launcher and its settings. They go by the environment, the secret among them.
func (s *settings) streamsCommand() (program string, env []string, err error) {
	root, err := checkout()
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

// checkout is the folder of go.mod, looked for from the working folder upwards.
func checkout() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("find the checkout: %w", err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("the Kafka Streams program is built and run in a checkout: go there")
		}
		dir = parent
	}
}
