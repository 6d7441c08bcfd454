package run

import (
	"errors"
	"fmt"
	"os/exec"
	"syscall"
	"time"
)

// Process is a measured process.
type Process struct {
	Started time.Time
	PID     int
	Ended   <-chan error // how it ended, once

	cmd *exec.Cmd
}

// ErrEnded says that a measured process ended by itself.
var ErrEnded = errors.New("the measured process ended by itself")

// Start starts a command as the process to be measured. The caller receives from Ended, or calls Stop.
func Start(cmd *exec.Cmd) (*Process, error) {
	p := &Process{Started: time.Now(), cmd: cmd}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	p.PID, p.Ended = cmd.Process.Pid, ended
	return p, nil
}

// Stop asks the process to drain and end, and waits a minute at most. Its error says how it ended otherwise.
func (p *Process) Stop() error {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // gone already is gone
	wait := time.NewTimer(time.Minute)
	defer wait.Stop()
	select {
	case err := <-p.Ended:
		return err
	case <-wait.C:
		_ = p.cmd.Process.Kill() // gone already is gone
		return errors.Join(<-p.Ended, fmt.Errorf("process %d did not stop within a minute", p.PID))
	}
}

// Kill is kill -9. It returns when the process is gone; Ended says nothing afterwards.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill() // gone already is gone
	<-p.Ended                //nolint:errcheck // it was killed
}

// Usage is the CPU time that the process had and the largest resident size in bytes, once it has ended. That size is no
// less than the one of the process that started it: see [PeakRSS].
func (p *Process) Usage() (cpu time.Duration, peak int64) {
	state := p.cmd.ProcessState
	if usage, ok := state.SysUsage().(*syscall.Rusage); ok {
		peak = usage.Maxrss << 10 // Linux counts KiB
	}
	return state.UserTime() + state.SystemTime(), peak
}
