package child_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"tocsin/processor/embedded/child"
)

// parentOf names the log file in the environment of a copy of this test program that plays a parent.
const parentOf = "TOCSIN_TEST_PARENT_OF"

func TestMain(m *testing.M) {
	if log := os.Getenv(parentOf); log != "" {
		p, err := child.Start(sleeper(log))
		if err != nil {
			panic(err)
		}
		fmt.Println(p.PID())
		<-p.Done()
		return
	}
	goleak.VerifyTestMain(m)
}

func sleeper(log string) child.Config {
	return child.Config{Path: "/bin/sleep", Args: []string{"60"}, Log: log, DeathSignal: syscall.SIGTERM}
}

func shell(log, script string) child.Config {
	return child.Config{Path: "/bin/sh", Args: []string{"-c", script}, Log: log}
}

func TestStopAsks(t *testing.T) {
	p, err := child.Start(sleeper(filepath.Join(t.TempDir(), "log")))
	require.NoError(t, err)
	require.NoError(t, p.Err(), "it runs")
	require.NoError(t, p.Stop(t.Context(), syscall.SIGTERM))
	require.ErrorContains(t, p.Err(), "terminated")
	require.NoError(t, p.Stop(t.Context(), syscall.SIGTERM), "a second stop changes nothing")
}

func TestStopKillsWhatDoesNotListen(t *testing.T) {
	log := filepath.Join(t.TempDir(), "log")
	p, err := child.Start(shell(log, `trap "" TERM; echo ready; while :; do sleep 0.05; done`))
	require.NoError(t, err)
	require.Eventually(t, func() bool { return strings.Contains(p.LogTail(100), "ready") }, 10*time.Second, time.Millisecond)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, p.Stop(ctx, syscall.SIGTERM), context.DeadlineExceeded)
	require.ErrorContains(t, p.Err(), "killed")
}

func TestLogTail(t *testing.T) {
	p, err := child.Start(shell(filepath.Join(t.TempDir(), "log"), "echo one; echo two >&2; exit 3"))
	require.NoError(t, err)
	<-p.Done()
	require.EqualError(t, p.Err(), "exit status 3")
	require.Equal(t, "one\ntwo\n", p.LogTail(100))
	require.Equal(t, "two\n", p.LogTail(4))
}

func TestStartOfNothing(t *testing.T) {
	_, err := child.Start(child.Config{Path: "/nonexistent", Log: filepath.Join(t.TempDir(), "log")})
	require.ErrorContains(t, err, "start /nonexistent")
}

func TestRun(t *testing.T) {
	out, err := child.Run(t.Context(), child.Config{Path: "/bin/sh", Args: []string{"-c", "echo $A"}, Env: []string{"A=b"}})
	require.NoError(t, err)
	require.Equal(t, "b\n", string(out))
	_, err = child.Run(t.Context(), shell("", "echo why; exit 1"))
	require.ErrorContains(t, err, "why")
}

// A parent that is killed takes its child along: the kernel sends the child its death signal.
func TestChildDiesWithParent(t *testing.T) {
	if _, err := os.Stat("/proc/self/stat"); err != nil {
		t.Skip("only Linux ends children with their parent")
	}
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), parentOf+"="+filepath.Join(t.TempDir(), "log"))
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	require.NoError(t, err)
	require.True(t, running(pid))

	require.NoError(t, cmd.Process.Kill())
	require.Error(t, cmd.Wait())
	require.Eventually(t, func() bool { return !running(pid) }, 10*time.Second, time.Millisecond)
}

// running says whether a process exists and is no zombie.
func running(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(rest, "Z")
}
