package child

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"syscall"
)

// Config says which program to run and as whom.
type Config struct {
	Path string   // the program
	Args []string // its arguments, without the program's name
	Env  []string // its whole environment; nothing is inherited
	Dir  string   // its working folder
	Log  string   // a file that takes its standard output and error; emptied first
	User *User    // nil: the user of this process

	// DeathSignal is what the kernel sends the child when this process ends (Linux).
	DeathSignal syscall.Signal
}

// User is the system user and group a child runs as. Only root can start a child as somebody else.
type User struct {
	UID, GID uint32
}

// Process is a running child, or one that has ended.
type Process struct {
	name string
	log  string
	proc *os.Process
	done chan struct{}
	err  error // how it ended; valid once done is closed
}

// Start runs the program and returns once it has been started, which says nothing about it being ready.
func Start(cfg Config) (*Process, error) {
	out, err := os.OpenFile(cfg.Log, os.O_CREATE|os.O_WRONLY|os.O_TRUNC|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open log of %s: %w", cfg.Path, err)
	}
	cmd := command(context.Background(), cfg)
	cmd.Stdout, cmd.Stderr = out, out

	p := &Process{name: cfg.Path, log: cfg.Log, done: make(chan struct{})}
	started := make(chan error, 1)
	go func() {
		// The death signal is sent when the *thread* that started the child ends, so this goroutine keeps its thread
		// for as long as the child lives.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		_ = out.Close() // the child has its own copy
		if err != nil {
			started <- err
			return
		}
		p.proc = cmd.Process
		started <- nil
		p.err = cmd.Wait()
		close(p.done)
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", cfg.Path, err)
	}
	return p, nil
}

// Run runs a program to its end and returns what it printed, which is also part of the error if it fails. A cancelled
// context kills it. Config.Log is not used.
func Run(ctx context.Context, cfg Config) ([]byte, error) {
	// Without a death signal: the thread of this call may end before the program does.
	cfg.DeathSignal = 0
	out, err := command(ctx, cfg).CombinedOutput()
	if err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return out, fmt.Errorf("run %s: %w\n%s", cfg.Path, err, out)
	}
	return out, nil
}

func command(ctx context.Context, cfg Config) *exec.Cmd {
	cmd := exec.CommandContext(ctx, cfg.Path, cfg.Args...)
	cmd.Env = append([]string{}, cfg.Env...) // never nil, which would mean to inherit
	cmd.Dir = cfg.Dir
	cmd.SysProcAttr = attributes(cfg)
	return cmd
}

// PID is the child's process id.
func (p *Process) PID() int { return p.proc.Pid }

// Done is closed when the child has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Err says how the child ended. It is nil while the child runs and after an exit with status 0.
func (p *Process) Err() error {
	select {
	case <-p.done:
		return p.err
	default:
		return nil
	}
}

// Signal sends a signal. It is no error if the child has ended already.
func (p *Process) Signal(sig syscall.Signal) error {
	if err := p.proc.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("signal %s: %w", p.name, err)
	}
	return nil
}

// Stop asks the child to end and waits for it. When ctx ends first, the child is killed and the error says so.
func (p *Process) Stop(ctx context.Context, ask syscall.Signal) error {
	if err := p.Signal(ask); err != nil {
		return err
	}
	select {
	case <-p.done:
		return nil
	case <-ctx.Done():
		p.Kill()
		return fmt.Errorf("stop %s: killed, it did not end in time: %w", p.name, ctx.Err())
	}
}

// Kill ends the child at once, as a crash would, and waits until it is gone.
func (p *Process) Kill() {
	_ = p.proc.Kill() // fails only when it is gone already
	<-p.done
}

// LogTail returns the end of what the child printed, at most limit bytes.
func (p *Process) LogTail(limit int64) string {
	f, err := os.Open(p.log)
	if err != nil {
		return fmt.Sprintf("(no log: %v)", err)
	}
	defer func() { _ = f.Close() }()
	if info, err := f.Stat(); err == nil && info.Size() > limit {
		if _, err := f.Seek(-limit, io.SeekEnd); err != nil {
			return fmt.Sprintf("(no log: %v)", err)
		}
	}
	text, err := io.ReadAll(io.LimitReader(f, limit))
	if err != nil {
		return fmt.Sprintf("(no log: %v)", err)
	}
	return string(text)
}
