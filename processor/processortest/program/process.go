package program

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"

	"tocsin/processor/embedded/child"
)

// Start starts `run` (or what args say) with a configuration file; its output goes to the file log. Should the test
// die, the kernel kills the process. The caller stops or kills it.
func Start(program, config, log string, args ...string) (*child.Process, error) {
	if len(args) == 0 {
		args = []string{"run"}
	}
	return child.Start(child.Config{
		Path: program, Args: append(args, "--config", config), Env: os.Environ(), Log: log, DeathSignal: syscall.SIGKILL,
	})
}

// Call runs the program to its end and returns what it printed to its standard output and error.
func Call(ctx context.Context, program, config string, args ...string) ([]byte, error) {
	return child.Run(ctx, child.Config{Path: program, Args: append(args, "--config", config), Env: os.Environ()})
}

// Lines reads a log that was written with log.format json. Other lines, such as that of a panic, are left out.
func Lines(log string) ([]map[string]any, error) {
	b, err := os.ReadFile(log)
	if err != nil {
		return nil, err
	}
	var lines []map[string]any
	for line := range bytes.Lines(b) {
		var m map[string]any
		if json.Unmarshal(line, &m) == nil {
			lines = append(lines, m)
		}
	}
	return lines, nil
}

// PeakRSS is the largest memory use of a process so far, in bytes (Linux).
func PeakRSS(pid int) (int64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(b)) {
		if text, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kb, err := strconv.ParseInt(strings.Fields(text)[0], 10, 64)
			return kb << 10, err
		}
	}
	return 0, fmt.Errorf("process %d: no VmHWM", pid)
}
